"""What the newest earlier set holds of the stored files, so that the next one need not copy them again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from chatwoot_ops.adapters.backup_store import BackupStore, artifact_problem
from chatwoot_ops.adapters.partial_set import PartialSet
from chatwoot_ops.model.backup_set import (
    ENCRYPTED,
    KNOWN_ARTIFACT,
    STORAGE_ARTIFACT,
    Artifact,
    BackupSet,
    Encryption,
)
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.stored_files import Pack, StoredFile, linked_name, token

FIRST = "no earlier set here has packs"
ASKED = "that was asked for"
OTHERWISE_ENCRYPTED = "the earlier sets are encrypted otherwise, or to other keys"


@dataclass(frozen=True, slots=True)
class Earlier:
    """A set whose packs the next one can share, or why there is none; `alarming` where an operator must know that."""

    set: BackupSet | None = None
    tokens: frozenset[str] = frozenset()
    secret: str = ""
    refusal: str = ""
    alarming: bool = False

    def holds(self, key: str, file: StoredFile) -> bool:
        """Whether it holds exactly this content under this key."""
        return token(self.secret, key, file) in self.tokens


def earlier_set(stack: Stack, store: BackupStore, encryption: Encryption) -> Earlier:
    """The newest set of this installation that the next one may share packs with; every byte of these was read back.

    What is shared is never copied again, so a damage in it would be in every set to come.
    """
    own = stack.settings["CHATWOOT_INSTANCE_ID"]
    sets = [each for each in store.sets() if each.manifest.instance == own and each.manifest.packing.packs]
    fitting = [each for each in sets if _sealed_alike(each.manifest.encryption, encryption)]
    if not fitting:
        return Earlier(refusal=OTHERWISE_ENCRYPTED if sets else FIRST)
    newest, secret = fitting[-1], stack.settings["SECRET_KEY_BASE"]
    shared = [*newest.packs, *(each for each in newest.manifest.artifacts if each.name == KNOWN_ARTIFACT)]
    problems = [problem for each in shared if (problem := artifact_problem(Path(newest.path), each))]
    if problems:
        return Earlier(refusal=f"the set {newest.manifest.name} is damaged: {'; '.join(problems)}", alarming=True)
    known = (Path(newest.path) / KNOWN_ARTIFACT).read_text(encoding="ascii")
    return Earlier(newest, frozenset(known.split()), secret)


def _sealed_alike(one: Encryption, other: Encryption) -> bool:
    if one.whole != other.whole:
        return False
    return not one.whole or set(one.recipients) == set(other.recipients)


def link_packs(partial: PartialSet, earlier: BackupSet) -> tuple[Pack, ...]:
    """The earlier set's packs, in this one too, at no cost.

    Raises OSError where the filesystem refuses links; nothing is left of them then.
    """
    folder, made = Path(earlier.path), []
    try:
        for pack, artifact in zip(earlier.manifest.packing.packs, earlier.packs, strict=True):
            name = linked_name(earlier.manifest.sequence) if pack.name == STORAGE_ARTIFACT else pack.name
            sealed_as = f"{name}{ENCRYPTED}" if artifact.name.endswith(ENCRYPTED) else name
            partial.link(folder / artifact.name, Artifact(sealed_as, artifact.size, artifact.sha256))
            made.append(replace(pack, name=name))
    except OSError:
        for each in made:
            partial.drop(each.name)
        raise
    return tuple(made)
