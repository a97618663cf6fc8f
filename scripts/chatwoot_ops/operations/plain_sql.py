"""Plain SQL of pg_dump on its way into another server: rows pass untouched, what is not for this server is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chatwoot_ops.errors import BackupSetInvalidError

BEGIN, END = b"-- PostgreSQL database dump", b"-- PostgreSQL database dump complete"
_LEFT_OUT = re.compile(
    rb"^(ALTER [A-Z ]+ .* OWNER TO |GRANT |REVOKE |SET transaction_timeout|SET default_table_access_method)"
)


@dataclass(slots=True)
class _Reader:
    """Where in a dump the next line is: among rows or not, in a dump that is complete or not."""

    in_rows: bool = False
    complete: bool = True

    def keeps(self, line: bytes) -> bool:
        if self.in_rows:
            self.in_rows = line != b"\\."
            return True
        self.in_rows = line.startswith(b"COPY ") and line.rstrip().endswith(b"FROM stdin;")
        if line.rstrip() in {BEGIN, END}:
            self.complete = line.rstrip() == END
        return not _LEFT_OUT.match(line)


def plain_sql(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The SQL without its owners, grants and settings that this server does not know.

    Raises BackupSetInvalidError at the end of a dump that is cut off: psql would take it for the whole.
    """
    reader, rest = _Reader(), b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield b"".join(line + b"\n" for line in lines if reader.keeps(line))
    if rest and reader.keeps(rest):
        yield rest
    if reader.in_rows or not reader.complete:
        raise BackupSetInvalidError("The dump is cut off: its last lines are missing", remedy="Nothing was changed.")
