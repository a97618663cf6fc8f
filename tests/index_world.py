"""A dump with indexes that a restore leaves for later, and a database that has them or builds them, in fakes."""

from __future__ import annotations

import json

from chatwoot_ops.commands.staging import LAST_SECTION
from chatwoot_ops.operations.indexes import CATALOG
from fakes import FakeSession
from keeping import finished

BTREE = "CREATE INDEX by_account ON public.messages USING btree (account_id)"
UNIQUE = "CREATE UNIQUE INDEX by_token ON public.inboxes USING btree (token)"
TEXT = "CREATE INDEX by_text ON public.messages USING gin (content public.gin_trgm_ops)"
MEANING = "CREATE INDEX by_meaning ON public.articles USING hnsw (embedding public.vector_l2_ops)"
ALL = {"public.by_account": BTREE, "public.by_meaning": MEANING, "public.by_text": TEXT, "public.by_token": UNIQUE}
LATE = ("public.by_meaning", "public.by_text")
HEAD = ";\n; Archive created at 2026-11-24\n;\n10; 1259 22382 TABLE public messages postgres\n"


def listing(*names):
    return HEAD + "".join(f"{20 + n}; 1259 {300 + n} INDEX public {name} postgres\n" for n, name in enumerate(names))


def entry(name, body, kind="INDEX", schema="public"):
    """As pg_restore writes an entry."""
    return f"--\n-- Name: {name}; Type: {kind}; Schema: {schema}; Owner: postgres\n--\n\n{body}\n\n\n"


def sections(definitions=None, *more):
    """The last section of a dump with these indexes."""
    given = ALL if definitions is None else definitions
    own = "".join(entry(name.partition(".")[2], f"{text};") for name, text in given.items())
    key = entry("messages messages_pkey", "ALTER TABLE ONLY public.messages\n    ADD CONSTRAINT x;", "CONSTRAINT")
    return f"--\n-- PostgreSQL database dump\n--\n\nSET x = 1;\n\n{key}{own}{''.join(more)}--\n-- complete\n--\n\n"


class Catalog:
    """The indexes of a database; what is sent to its builder is made, the statements are kept."""

    def __init__(self, *names, broken=()):
        self.there = {name: [ALL[name], True, name] for name in names}
        self.there |= {name: [ALL[name], False, name] for name in broken}
        self.sent, self.running, self.fails = [], [], ""

    def answer(self, _=None):
        return finished(json.dumps(self.there))

    def send(self, text):
        for line in text.splitlines():
            self.sent.append(line)
            for name, definition in ALL.items():
                if line == f"DROP INDEX CONCURRENTLY {name};":
                    del self.there[name]
                if line == f"{definition.replace(' INDEX ', ' INDEX CONCURRENTLY ')};" and name != self.fails:
                    assert name not in self.there, f"{name} exists"
                    self.there[name] = [definition, True, name]


class Builder(FakeSession):
    """The psql that builds: speaks once it is ready and once an index is built, unless that fails."""

    def __init__(self, catalog):
        super().__init__(())
        self.catalog = catalog

    def send(self, text):
        self.catalog.send(text)
        failed = self.catalog.fails and ALL[self.catalog.fails].split()[-1] in text
        self.lines = [] if failed else ['["spoken"]']


class Watcher(FakeSession):
    """The psql that says how far it is, and which indexes there are."""

    def __init__(self, catalog):
        super().__init__(())
        self.catalog = catalog

    def read_line(self):
        if "pg_get_indexdef" in self.sent[-1]:
            return self.catalog.answer().stdout
        line = self.catalog.running.pop(0) if self.catalog.running else None
        return json.dumps(line() if callable(line) else line)


def well_indexes(host, *names, broken=(), staged=("public.by_account", "public.by_token")):
    """Scripts a dump with these indexes, staged without the late ones; returns the catalog of what serves then."""
    engine, catalog = host.processes, Catalog(*(names or staged), broken=broken)
    engine.on(
        "--section=post-data", f"{listing(*(name.partition('.')[2] for name in ALL))}{LAST_SECTION}\n{sections()}"
    )
    engine.on("--use-list=", "").on_call("pg_get_indexdef", catalog.answer)
    found = json.dumps({name: [ALL[name], True, name] for name in staged})
    engine.on(f"-h 127.0.0.1 -U postgres -d chatwoot_production\n{CATALOG[:30]}", f"{found}\n")
    engine.talk("PGAPPNAME=chatwoot-ops ", lambda: Watcher(catalog))
    engine.talk("PGAPPNAME=chatwoot-ops-indexes", lambda: Builder(catalog))
    engine.on("pg_terminate_backend(pid)", "")
    return catalog
