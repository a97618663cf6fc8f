"""Whether the sets get off-site: told from the notes beside them, and, for `doctor`, asked of the remote itself."""

from __future__ import annotations

from datetime import datetime

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.backup_set import BackupSet, Manifest
from chatwoot_ops.model.check import Check, Outcome, failed, passed, warned
from chatwoot_ops.model.duration import show_duration
from chatwoot_ops.model.remote import OFF_SITE, REMOTE, remote_of
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.ages import age_check
from chatwoot_ops.operations.known import Known
from chatwoot_ops.operations.remote import Bucket, open_bucket

AGE, NEWEST, THERE = "off-site age", "newest set off-site", "off-site remote"
PUSH = "Type 'invoke push --all'; docs/how-to/off-site.md says what may be wrong"
LOOK = "docs/how-to/off-site.md; 'invoke backups --remote' asks again and waits longer"


def off_site_checks(stack: Stack, host: Host, known: Known) -> tuple[Check, ...]:
    """From the notes beside the sets: how old the newest copy is, and whether the newest set has one."""
    remote = remote_of(stack.settings.values)
    if remote is None:
        return (Check(AGE, Outcome.NOT_CONFIGURED, f"{REMOTE} is empty"),)
    try:
        sets = known.whole_of(stack.settings["CHATWOOT_INSTANCE_ID"])
        there = tuple(each for each in sets if each.lies_at(remote.url))
        return (_age(stack, host, there), *_newest(sets, there))
    except (OpsError, ValueError) as error:
        return (failed(AGE, f"could not check: {error}", PUSH),)


def _age(stack: Stack, host: Host, there: tuple[BackupSet, ...]) -> Check:
    budget = stack.settings["BACKUP_MAX_AGE"]
    if not there:
        seen = "no set has a copy there"
        return failed(AGE, f"{seen}, at most {budget} is allowed", PUSH) if budget else warned(AGE, seen, PUSH)
    return _aged(AGE, f"newest copy {there[-1].manifest.name}", there[-1].manifest, host, budget)


def _aged(name: str, seen: str, manifest: Manifest, host: Host, budget: str) -> Check:
    """Its age against the budget, which may be empty. Raises ValueError for a manifest whose time is none."""
    age = host.clock.now() - datetime.fromisoformat(manifest.created)
    if not budget:
        return passed(name, f"{seen} {show_duration(age.total_seconds())} old")
    return age_check(Check(name, Outcome.PASS, seen, PUSH), age, budget)


def _newest(sets: tuple[BackupSet, ...], there: tuple[BackupSet, ...]) -> tuple[Check, ...]:
    """Nothing where there is no set; that one is still on its way is no failure, its age is one when the time comes."""
    lacking = [each for each in sets if each not in there and not each.off_site_ended]
    if not sets:
        return ()
    name = sets[-1].manifest.name
    if sets[-1] in lacking:
        return (warned(NEWEST, f"{name} is not there yet, {len(lacking)} sets in all", PUSH),)
    if lacking:
        return (warned(NEWEST, f"{name} is there; {len(lacking)} older sets are not, and prune keeps them", PUSH),)
    return (passed(NEWEST, f"{name} is there"),)


def remote_checks(stack: Stack, host: Host) -> tuple[Check, ...]:
    """What the remote itself says, within seconds: that it answers, takes the credentials, and which copy is newest."""
    if remote_of(stack.settings.values) is None:
        return (Check(THERE, Outcome.NOT_CONFIGURED, f"{REMOTE} is empty"),)
    try:
        return (_asked(stack, host, open_bucket(stack, host, quick=True)),)
    except OpsError as error:
        why = "; ".join((error.message, *error.details))
        return (failed(THERE, f"could not check: {why}", error.remedy or LOOK),)
    except ValueError as error:
        return (failed(THERE, f"could not check: {error}", LOOK),)


def _asked(stack: Stack, host: Host, bucket: Bucket) -> Check:
    own, budget = stack.settings["CHATWOOT_INSTANCE_ID"], stack.settings["BACKUP_MAX_AGE"]
    whole = [each for each in bucket.groups_of(own) if each.whole and OFF_SITE in each.sizes]
    if not whole:
        seen = f"{bucket.remote.url} answers and holds no set of this installation that was read back"
        return failed(THERE, seen, PUSH) if budget else warned(THERE, seen, PUSH)
    # Names begin with the time at which a set was made: one manifest is read, however many there are.
    newest = max(whole, key=lambda each: each.name)
    manifest = bucket.manifest(own, newest.name)
    short = [each.name for each in manifest.artifacts if newest.sizes.get(each.name) != each.size]
    if short:
        return failed(THERE, f"the copy of {newest.name} is not whole any more: {', '.join(short)}", PUSH)
    return _aged(THERE, f"answers, {len(whole)} sets, newest {newest.name}", manifest, host, budget)
