"""The age format: what is encrypted to public keys, only a private key that is kept elsewhere opens."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Protocol

import pyrage

from chatwoot_ops.adapters.bridge import Bridge, Result, pulled
from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError, SettingsInvalidError

PRIVATE, PUBLIC = "AGE-SECRET-KEY-1", "age1"


class Sink(Protocol):
    """Whatever takes bytes."""

    def write(self, data: bytes, /) -> int:
        """Takes them; the number of bytes."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Private keys and where they came from; `keys` may never be shown."""

    keys: tuple[str, ...] = field(repr=False)
    where: str


class _EnoughError(Exception):
    """The first bytes were opened."""


@dataclass(slots=True)
class _Noting:
    """A sink that remembers what went wrong in it: the library makes an error of its own out of it."""

    sink: Sink
    error: Exception | None = None

    def write(self, data: bytes) -> int:
        try:
            self.sink.write(data)
        except Exception as error:
            self.error = error
            raise
        return len(data)

    def flush(self) -> None:
        """Nothing is held back here."""


@contextmanager
def encrypting(sink: Sink, recipients: tuple[str, ...]) -> Iterator[Sink]:
    """A sink whose content arrives in `sink` sealed to these public keys, whole when the block ends well.

    Raises SettingsInvalidError naming the recipient that is no age public key, and what the sink raises.
    """
    keys = [_recipient(each) for each in recipients]
    with Bridge(lambda source: _guarded(pyrage.encrypt_io, source, _Noting(sink), keys)) as bridge:
        yield bridge
        bridge.result()


def _recipient(text: str) -> Any:  # noqa: ANN401 - the library has no types
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        # Somebody may have put the private key here.
        shown = f"{text[:20]}..." if text.startswith(PUBLIC) else "a value that does not begin with age1"
        remedy = "An age public key begins with age1; 'invoke backup.keys --to FILE' makes a pair."
        raise SettingsInvalidError(f"BACKUP_RECIPIENTS: {shown} is no age public key", remedy=remedy) from error


def _guarded(act: Callable[..., None], source: IO[bytes], noting: _Noting, keys: list[Any]) -> None:
    try:
        act(source, noting, keys)
    except (pyrage.EncryptError, pyrage.DecryptError, OSError) as error:
        if noting.error is not None:
            raise noting.error from error
        if isinstance(error, pyrage.EncryptError):
            raise CommandFailedError(f"Failed while encryption to the public keys: {error}") from error
        raise BackupSetInvalidError(f"It cannot be opened: {error}") from error


def identity_in(text: str, where: str) -> Identity:
    """The private keys in a text, one a line; other lines are comments.

    Raises BackupSetInvalidError where there is none, or one that is mistyped; never shows any of it.
    """
    keys = tuple(line.strip() for line in text.splitlines() if line.strip().startswith(PRIVATE))
    try:
        for key in keys:
            pyrage.x25519.Identity.from_str(key)
    except pyrage.IdentityError as error:
        raise BackupSetInvalidError(f"{where} holds a private key that is mistyped or cut off") from error
    if not keys:
        raise BackupSetInvalidError(f"{where} holds no age private key", remedy=f"One begins with {PRIVATE}.")
    return Identity(keys, where)


def identity_file(path: Path) -> Identity:
    """The private keys in a file.

    Raises BackupSetInvalidError when it cannot be read or holds none.
    """
    try:
        return identity_in(path.read_text(encoding="ascii"), str(path))
    except (OSError, ValueError) as error:
        raise BackupSetInvalidError(f"{path} cannot be read as an age private key") from error


def _keys(identity: Identity) -> list[Any]:
    return [pyrage.x25519.Identity.from_str(key) for key in identity.keys]


def open_into(path: Path, sink: Sink, identity: Identity) -> None:
    """Opens a sealed file into a sink, to its end.

    Raises BackupSetInvalidError for a wrong key and for a file that is damaged or cut off, and what the sink raises.
    """
    with path.open("rb") as source:
        _guarded(pyrage.decrypt_io, source, _Noting(sink), _keys(identity))


def opened(path: Path, identity: Identity) -> Generator[bytes, None, None]:
    """The content of a sealed file in chunks; raises like open_into."""
    return pulled(lambda file: open_into(path, file, identity))


def read_sealed(path: Path, read: Callable[[IO[bytes]], Result], identity: Identity) -> Result:
    """What a function makes of the content of a sealed file, which is opened to its end; memory stays flat.

    Raises like open_into, and what the function raises.
    """
    with Bridge(read) as bridge:
        open_into(path, bridge, identity)
        return bridge.result()


def unseal(sealed: bytes, identity: Identity) -> bytes:
    """A small sealed content, opened; raises like open_into."""
    out = BytesIO()
    _guarded(pyrage.decrypt_io, BytesIO(sealed), _Noting(out), _keys(identity))
    return out.getvalue()


def opener_of(path: Path, identity: Identity) -> str:
    """The public half of the private key that opens this file, "" where none of them does; reads its head only."""
    for key in identity.keys:
        try:
            open_into(path, _Stop(), Identity((key,), identity.where))
        except BackupSetInvalidError:
            continue
        except _EnoughError:
            pass
        return public_half(key)
    return ""


class _Stop:
    """A sink that wants no more."""

    def write(self, _data: bytes) -> int:
        raise _EnoughError


def public_half(private: str) -> str:
    """The public key that belongs to a private one."""
    return str(pyrage.x25519.Identity.from_str(private).to_public())


def make_pair() -> tuple[str, str]:
    """A new pair: the public key, which may be known, and the private key, which must be kept elsewhere."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity.to_public()), str(identity)
