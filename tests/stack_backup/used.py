"""The database and storage volume of a real, used Chatwoot 4.15.1. They lie beside the repository, or nowhere."""

import pytest

from stack.tools import REPOSITORY

SHARED = REPOSITORY.parent / "shared" / "chatwoot-db"
USED, STORAGE = SHARED / "chatwoot-4.15.1-used.sql.gz", SHARED / "chatwoot-4.15.1-used-storage.tar.gz"
LARGE = SHARED / "chatwoot-4.15.1-30k-messages.dump"
# The keys that the instance ran with (shared/recordings/README.md); it no longer exists.
LAB = {
    "SECRET_KEY_BASE": "lab0secretkeybase0lab0secretkeybase0lab0secretkeybase0lab0secretkeybase0",
    "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY": "labprimarykeylabprimarykey123456",
    "ACTIVE_RECORD_ENCRYPTION_DETERMINISTIC_KEY": "labdeterministickeylabdeterm1234",
    "ACTIVE_RECORD_ENCRYPTION_KEY_DERIVATION_SALT": "labsaltlabsaltlabsaltlabsalt1234",
}
NEEDED = pytest.mark.skipif(not USED.exists(), reason=f"{USED.name} is not beside the repository (../shared)")
