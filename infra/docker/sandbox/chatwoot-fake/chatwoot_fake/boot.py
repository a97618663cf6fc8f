"""What every command does first: load the application, or fail as Rails does (facts 1.2)."""

import time

from chatwoot_fake import environment
from chatwoot_fake.errors import BootError

STORAGE_SERVICES = ("local", "test", "amazon", "google", "microsoft", "s3_compatible")


def boot(usual_seconds: float) -> None:
    """Take the time a boot takes, then check what cannot be without."""
    time.sleep(environment.boot_seconds(usual_seconds))
    _secret_key_base()
    _storage_service()


def _secret_key_base() -> None:
    """Missing or empty raises in web, worker, rake and runner alike (facts 1.2)."""
    if not environment.text("SECRET_KEY_BASE"):
        raise BootError("ArgumentError: Missing `secret_key_base` for 'production' environment")


def _storage_service() -> None:
    """An unknown storage service is a boot error (facts 1.2)."""
    name = environment.filled("ACTIVE_STORAGE_SERVICE", "local")
    if name not in STORAGE_SERVICES:
        raise BootError(f"RuntimeError: Cannot load `Rails.config.active_storage.service`: {name}")
