"""The database and the volumes: what must hold for data to be served and kept."""

from __future__ import annotations

from uuid import uuid4

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose
from chatwoot_ops.model.check import Check, failed, passed, warned
from chatwoot_ops.model.stack import DATABASE, RAILS, REDIS, SIDEKIQ, Stack
from chatwoot_ops.operations.database import ask_database, database_state, versions_of_image

EXTENSIONS = {"pg_stat_statements", "pg_trgm", "pgcrypto", "vector"}
TRIGGERS = 4
FULL_AT_PERCENT, NEARLY_FULL_AT_PERCENT = 95, 85
# Sequences conv_dpid_seq_ACCOUNT are made at run time; one that lags gives out a taken number (facts, 1.3).
_SQL = """
CREATE FUNCTION pg_temp.last_of(name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE found bigint;
BEGIN
  IF to_regclass(name) IS NULL THEN RETURN NULL; END IF;
  EXECUTE format('SELECT last_value FROM %s', name) INTO found;
  RETURN found;
END $$;
SELECT json_build_object(
  'extensions', (SELECT json_agg(extname) FROM pg_extension),
  'triggers', (SELECT count(*) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE NOT tgisinternal AND relname IN ('accounts', 'conversations', 'campaigns')),
  'lagging', (SELECT coalesce(json_agg(id), '[]') FROM accounts
    WHERE coalesce(pg_temp.last_of('conv_dpid_seq_' || id), -1)
       < (SELECT coalesce(max(display_id), 1) FROM conversations WHERE account_id = accounts.id)));
"""


def database(stack: Stack, host: Host) -> list[Check]:
    """Extensions, triggers, one sequence per account, migrations, invalid indexes, and the role's rights."""
    facts = ask_database(stack, host, _SQL)
    state = database_state(stack, host)
    missing = sorted(EXTENSIONS - set(facts["extensions"] or ()))
    pending = sorted(versions_of_image(stack, host) - state.versions)
    create = "CREATE EXTENSION each in 'invoke psql --superuser'"
    reindex = "REINDEX INDEX CONCURRENTLY each in 'invoke psql --superuser'"
    taken = "Accounts named here hand out taken numbers; restore a whole dump"
    return [
        _all_well("extensions", missing, "all four", create),
        _all_well("migrations", pending, f"{len(state.versions)} applied, none pending", "Type 'invoke migrate'"),
        _all_well("indexes", list(state.invalid_indexes), "none invalid", reindex),
        _all_well("conversation numbers", facts["lagging"], "every account's sequence is ahead", taken),
        _triggers(int(facts["triggers"])),
        _role(stack.settings["POSTGRES_USERNAME"], superuser=bool(state.role_is_superuser)),
    ]


def _triggers(there: int) -> Check:
    if there != TRIGGERS:
        return failed("triggers", f"{there} of {TRIGGERS}", "The schema is not whole; restore a backup")
    return passed("triggers", f"{there}")


def _role(name: str, *, superuser: bool) -> Check:
    if superuser:
        remedy = "It works; see docs/how-to/configure.md for how to take the right away"
        return warned("database role", f"{name} is a superuser", remedy)
    return passed("database role", f"{name} owns the database and is no superuser")


def _all_well(name: str, bad: list[object] | list[str], good: str, remedy: str) -> Check:
    return failed(name, ", ".join(str(each) for each in bad), remedy) if bad else passed(name, good)


def storage(stack: Stack, host: Host) -> Check:
    """A file written by the web and read by the worker: attachments need the same volume in both."""
    path, content = f"/app/storage/.chatwoot-ops-probe-{uuid4().hex}", uuid4().hex
    write = compose.execute(
        stack, host.compose, RAILS, "sh", "-c", f"cat > {path}", purpose="Writing a file", stdin=content
    )
    read = compose.execute(stack, host.compose, SIDEKIQ, "cat", path, purpose="Reading the file back")
    remove = compose.execute(stack, host.compose, RAILS, "rm", "-f", path, purpose="Removing the file")
    try:
        host.processes.run(write)
        seen = host.processes.try_run(read).stdout
    finally:
        host.processes.try_run(remove)
    if seen != content:
        return failed(
            "storage",
            "the worker does not see what the web wrote",
            "Both services must mount the same storage volume",
        )
    return passed("storage", "written by the web, read by the worker")


def disk(stack: Stack, host: Host) -> list[Check]:
    """How full the disk under each volume is."""
    places = ((DATABASE, "/var/lib/postgresql/data"), (REDIS, "/data"), (RAILS, "/app/storage"))
    checks = []
    for service, path in places:
        command = compose.execute(stack, host.compose, service, "df", "-Pk", path, purpose="Measuring the disk")
        percent = int(host.processes.run(command).stdout.split()[-2].rstrip("%"))
        name, seen = f"disk of {stack.volumes[service]}", f"{percent} % full"
        if percent >= FULL_AT_PERCENT:
            checks.append(failed(name, seen, "See docs/runbooks/disk-full.md now"))
        elif percent >= NEARLY_FULL_AT_PERCENT:
            checks.append(warned(name, seen, "See docs/runbooks/disk-full.md"))
        else:
            checks.append(passed(name, seen))
    return checks
