"""Times as the API shows them. The database keeps UTC without a zone."""

from datetime import UTC, datetime


def now() -> datetime:
    """Now, as the database keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


def epoch(value: datetime | None) -> int:
    """Whole seconds; 0 for never."""
    return int(value.replace(tzinfo=UTC).timestamp()) if value else 0


def fine_epoch(value: datetime) -> float:
    """Seconds with microseconds."""
    return value.replace(tzinfo=UTC).timestamp()


def moment(value: datetime | None) -> str | None:
    """ISO 8601 with milliseconds, as Rails prints it in JSON."""
    return value.isoformat(timespec="milliseconds") + "Z" if value else None
