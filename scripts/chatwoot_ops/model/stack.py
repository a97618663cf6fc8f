"""One Compose project of Chatwoot with its settings: where its files lie and what its parts are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chatwoot_ops.model.settings import Settings

RAILS, SIDEKIQ, DATABASE, REDIS = "chatwoot-rails", "chatwoot-sidekiq", "chatwoot-db", "chatwoot-redis"
# Streams the WAL; there only where WAL_ARCHIVE is not off.
WAL = "chatwoot-wal"
SERVICES = (DATABASE, REDIS, RAILS, SIDEKIQ)


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack: its settings, the folder of its compose files, and the file its settings came from.

    `overrides` are settings that stand in for those of the file, such as the image that an upgrade prepares with;
    `overlays` are compose files laid over the first.
    """

    settings: Settings
    compose_folder: Path
    env_file: Path
    overrides: Mapping[str, str] = field(default_factory=dict)
    overlays: tuple[str, ...] = ()

    @property
    def backup_folder(self) -> Path:
        """Where backup sets are kept: BACKUP_FOLDER, beside the settings where it is a relative path."""
        return self.env_file.parent / self.settings["BACKUP_FOLDER"]

    @property
    def project(self) -> str:
        """The Compose project's name, which labels all its containers."""
        return self.settings["COMPOSE_PROJECT_NAME"]

    @property
    def state_folder(self) -> Path:
        """Journal, ledger and passwords shown once lie here, mode 0700, beside the settings."""
        return self.env_file.parent / "state"

    @property
    def compose_files(self) -> tuple[Path, ...]:
        """The compose files, base first."""
        names = ("docker-compose.yml", *(("docker-compose.wal.yml",) if self.archives else ()), *self.overlays)
        return tuple(self.compose_folder / name for name in names)

    @property
    def archives(self) -> bool:
        """Whether the WAL is archived all the time."""
        return self.settings["WAL_ARCHIVE"] in {"async", "sync"}

    @property
    def services(self) -> tuple[str, ...]:
        """Every service of this stack, those first that others need."""
        return (*SERVICES, WAL) if self.archives else SERVICES

    @property
    def data_services(self) -> tuple[str, ...]:
        """What must work before anything is written: with a synchronous archive its receiver too, or writes wait."""
        return (DATABASE, REDIS, *((WAL,) if self.settings["WAL_ARCHIVE"] == "sync" else ()))

    @property
    def wal_place(self) -> str:
        """The archive of the WAL as Docker mounts it: the name of a volume, or the path of a folder."""
        return self.settings["WAL_FOLDER"] or self.settings["CHATWOOT_WAL_VOLUME"]

    @property
    def volumes(self) -> dict[str, str]:
        """The three volumes, by the service that owns the data."""
        return {
            DATABASE: self.settings["CHATWOOT_DB_VOLUME"],
            REDIS: self.settings["CHATWOOT_REDIS_VOLUME"],
            RAILS: self.settings["CHATWOOT_STORAGE_VOLUME"],
        }

    @property
    def images(self) -> dict[str, str]:
        """The image each service is asked to run."""
        return {
            RAILS: self.settings["CHATWOOT_IMAGE"],
            DATABASE: self.settings["POSTGRES_IMAGE"],
            REDIS: self.settings["REDIS_IMAGE"],
        }

    @property
    def ports(self) -> dict[str, int]:
        """The host ports, by setting name."""
        names = ("CHATWOOT_PORT", "POSTGRES_HOST_PORT", "REDIS_HOST_PORT")
        return {name: int(self.settings[name]) for name in names}

    @property
    def local_url(self) -> str:
        """Where this machine itself reaches the web service, past any proxy."""
        bound = self.settings["BIND_ADDRESS"]
        address = "127.0.0.1" if bound in {"0.0.0.0", "::"} else bound  # noqa: S104 - compared, not bound
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{self.settings['CHATWOOT_PORT']}"
