"""The indexes of a dump by their definitions: which of them can be built once the data serves, and whether all are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from chatwoot_ops.model.size import parse_size

# What pg_dump writes above each entry (PostgreSQL: pg_dump, plain text), and a line of the list of an archive.
_HEADER = re.compile(r"^-- Name: (.+); Type: ([A-Z ]+); Schema: (.+); Owner: .*$", re.MULTILINE)
_LISTED = re.compile(r"^\d+; \d+ \d+ INDEX (\S+) (.+) \S+$")
# An index of a partition is attached to its parent's by an entry of its own, and a parent's is made ON ONLY.
_SLOW = re.compile(
    r'^CREATE INDEX (\S+|"[^"]+") ON (?!ONLY ).+( USING (ivfflat|hnsw) |\b(gin|gist)_trgm_ops\b)', re.DOTALL
)
_CREATE = re.compile(r"^CREATE (UNIQUE )?INDEX ")
_LEAST, _MOST = 64 * 1024**2, 1024**3


@dataclass(frozen=True, slots=True)
class Plan:
    """How a dump is loaded: definitions of all its indexes by "schema.name", and which of them come later.

    Indexes of primary keys and of other constraints are no part of it: they are never left out. `use_list` is what
    pg_restore is to load then, "" for everything.
    """

    indexes: Mapping[str, str] = field(default_factory=dict)
    late: tuple[str, ...] = ()
    use_list: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """An index in a database: its definition, whether it is whole, and its name as SQL takes it."""

    definition: str
    valid: bool
    identity: str


def plan(listing: str, sql: str) -> Plan:
    """The plan for an archive, from its list and its last section as SQL, both of pg_restore.

    Only an index whose entry is one plain statement, and that no other entry names, can come later: the rest is loaded.
    """
    bodies, named = _entries(sql)
    slow = {name for name, body in bodies.items() if body.count(";") == 1 and _SLOW.match(body)} - named
    lines = listing.splitlines()
    entries = [f"{found[1]}.{found[2]}" if (found := _LISTED.match(line)) else "" for line in lines]
    late = tuple(name for name in entries if name in slow and entries.count(name) == 1)
    kept = "".join(f";{line}\n" if name in late else f"{line}\n" for line, name in zip(lines, entries, strict=True))
    return Plan({name: _first(body) for name, body in bodies.items()}, late, kept if late else "")


def _entries(sql: str) -> tuple[dict[str, str], set[str]]:
    """What each index's entry says, and the indexes that entries of another kind name."""
    _, *parts = _HEADER.split(sql)
    bodies, named = {}, set()
    for name, kind, schema, body in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True):
        if kind == "INDEX":
            bodies[f"{schema}.{name}"] = body.partition("\n\n")[2].partition("\n\n\n")[0].strip()
        else:
            named.add(f"{schema}.{name.removeprefix('INDEX ')}")
    return bodies, named


def _first(body: str) -> str:
    """The first statement; further ones set what pg_get_indexdef does not say."""
    return body.partition(";\n")[0].removesuffix(";")


def differences(wanted: Mapping[str, str], there: Mapping[str, Index], *, late: tuple[str, ...] = ()) -> list[str]:
    """Every index of the dump that is missing, not whole or of another definition, a line each, but those to come."""
    return [
        f"index {name}: {problem}"
        for name, definition in wanted.items()
        if name not in late and (problem := _problem(definition, there.get(name)))
    ]


def surplus(wanted: Mapping[str, str], there: Mapping[str, Index], *, late: tuple[str, ...] = ()) -> list[str]:
    """Every index that is there and that the dump does not have, or that was to come later, a line each."""
    return [f"index {name}: is there, and should not be" for name in there if name not in wanted or name in late]


def _problem(definition: str, index: Index | None) -> str:
    if index is None:
        return "is missing"
    if not index.valid:
        return "is not whole"
    return "" if index.definition.split() == definition.split() else f"is {index.definition}, expected {definition}"


def lacking(wanted: Mapping[str, str], there: Mapping[str, Index]) -> tuple[str, ...]:
    """The indexes of the dump that cannot be used."""
    return tuple(name for name in wanted if name not in there or not there[name].valid)


def concurrently(definition: str) -> str:
    """The statement that builds it while rows are written."""
    return _CREATE.sub(lambda found: f"{found[0]}CONCURRENTLY ", definition)


def build_memory(limit: str, shared_buffers: str) -> int:
    """Bytes for one build beside a server that serves: a quarter of what its limit leaves, from 64 MB to 1 GB.

    A vector index is built twice as fast where its graph fits; a trigram index gains nothing (facts/perf.md, 3).
    """
    return min(max((parse_size(limit) - parse_size(shared_buffers)) // 4, _LEAST), _MOST)
