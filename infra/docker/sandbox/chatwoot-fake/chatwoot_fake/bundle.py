"""The commands of `bundle exec` that the fake knows (facts 1.1 and 1.3).

Each imports what it needs when it runs: a database task loads no web server.
"""

import sys
from collections.abc import Callable

from chatwoot_fake import boot, environment
from chatwoot_fake.errors import BootError, NotDoneByFakeError, PrepareError

Handler = Callable[[list[str]], int]

# Measured on the real one (recordings, Starting).
WEB_BOOT, WORKER_BOOT, TASK_BOOT, RUNNER_BOOT = 10.0, 11.0, 6.7, 10.7


def web(arguments: list[str]) -> int:
    """`rails s -p PORT -b ADDRESS`."""
    from chatwoot_fake.web.server import serve  # noqa: PLC0415 -- see above

    boot.boot(WEB_BOOT)
    port = _option(arguments, "-p", environment.filled("PORT", "3000"))
    return serve(_option(arguments, "-b", "0.0.0.0"), int(port))  # noqa: S104 -- as the real command line says


def worker(_arguments: list[str]) -> int:
    """`sidekiq -C config/sidekiq.yml`."""
    from chatwoot_fake.worker.process import work  # noqa: PLC0415 -- see above

    boot.boot(WORKER_BOOT)
    return work()


def database_task(arguments: list[str]) -> int:
    """`rails db:...`."""
    from chatwoot_fake.prepare.tasks import TASKS  # noqa: PLC0415 -- see above

    task = TASKS.get(arguments[0])
    if task is None:
        raise NotDoneByFakeError(f"rails {arguments[0]}")
    boot.boot(TASK_BOOT)
    return task()


def runner(arguments: list[str]) -> int:
    """`rails runner CODE`: an empty script and a few known ones."""
    from chatwoot_fake.runner import run  # noqa: PLC0415 -- see above

    boot.boot(RUNNER_BOOT)
    return run(arguments[0] if arguments else "")


def console(_arguments: list[str]) -> int:
    """`rails console`: a Python prompt that says what it is."""
    from chatwoot_fake.console import interact  # noqa: PLC0415 -- see above

    boot.boot(RUNNER_BOOT)
    return interact()


def _option(arguments: list[str], name: str, default: str) -> str:
    return arguments[arguments.index(name) + 1] if name in arguments else default


RAILS: dict[str, Handler] = {
    "s": web,
    "server": web,
    "runner": runner,
    "r": runner,
    "console": console,
    "c": console,
}


def _handler(words: list[str]) -> tuple[Handler, list[str]]:
    if words[:1] == ["sidekiq"]:
        return worker, words[1:]
    if words[:1] == ["rails"] and len(words) > 1 and words[1] in RAILS:
        return RAILS[words[1]], words[2:]
    if words[:1] in (["rails"], ["rake"]) and len(words) > 1 and words[1].startswith("db:"):
        return database_task, words[1:]
    raise NotDoneByFakeError("bundle exec " + " ".join(words[:2]))


def main(words: list[str]) -> int:
    """Run one command; a refusal or a failed boot is exit 1 with its reason on standard error."""
    try:
        handler, rest = _handler(words[1:] if words[:1] == ["exec"] else words)
        return handler(rest)
    except (BootError, NotDoneByFakeError, PrepareError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
