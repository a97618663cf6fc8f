"""In what a restored database differs from what its set promises."""

from __future__ import annotations

from chatwoot_ops.model.backup_set import DataDigest, TableDigest


def differences(
    wanted: DataDigest, found: DataDigest, *, ignore: tuple[str, ...] = (), tables: bool = True
) -> tuple[str, ...]:
    """Every way in which a restored database is not what its manifest says, a line each; empty when it is.

    `tables` is False for a physical set, whose rows are proved by its files.
    """
    lines = []
    for name in sorted(set(wanted.tables) | set(found.tables)) if tables else ():
        if name in ignore:
            continue
        one, other = wanted.tables.get(name), found.tables.get(name)
        if not _agree(one, other):
            lines.append(f"table {name}: {_rows(one)} expected, {_rows(other)} found{_same(one, other)}")
    for name, (low, high) in wanted.sequences.items():
        value = found.sequences.get(name, (-1, -1))[1]
        if name not in ignore and not low <= value <= high:
            lines.append(f"sequence {name}: {low} to {high} expected, {value} found")
    lines += [f"migration {each}: missing" for each in sorted(set(wanted.migrations) - set(found.migrations))]
    lines += [f"extension {each}: missing" for each in sorted(set(wanted.extensions) - set(found.extensions))]
    if wanted.triggers != found.triggers:
        lines.append(f"triggers: {wanted.triggers} expected, {found.triggers} found")
    return tuple(lines)


def _agree(one: TableDigest | None, other: TableDigest | None) -> bool:
    if one and other and not one.digest:
        return one.rows == other.rows
    return one == other


def _rows(table: TableDigest | None) -> str:
    return "no table" if table is None else f"{table.rows} rows"


def _same(one: TableDigest | None, other: TableDigest | None) -> str:
    return ", their content differs" if one and other and one.rows == other.rows else ""
