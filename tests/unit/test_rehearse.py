"""The rehearsal: which images, in what order, and nothing left behind."""
# ruff: noqa: PLR0917 - pytest hands a table's columns over by name

import pytest

from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.adapters.lock import hold_lock, lock_path
from chatwoot_ops.errors import CommandFailedError, PreflightFailedError, SettingsInvalidError
from chatwoot_ops.operations import rehearse as module
from chatwoot_ops.operations.rehearse import SANDBOX, rehearse
from chatwoot_ops.operations.throwaway import sweep, throwaway

LEFT = "chatwoot-rehearsal-0a1b2c3d"


@pytest.fixture
def engine(host):
    """An engine on which nothing of a rehearsal is left; what a throwaway stack needs removed can be removed."""
    engine = host.processes.on("docker version", "29.0.1").on("network rm", "", code=1).on("build", "base: there\n")
    for part in ("docker ps", "docker volume ls", "docker network ls"):
        engine.on(part, "")
    return engine


@pytest.fixture
def stages(monkeypatch):
    """Set-up, proof and the whole life replaced by notes of what was done in which order."""
    done = []
    monkeypatch.setattr(module, "set_up", lambda place, _host, **_: done.append(read_env_file(place.env_file).values))
    monkeypatch.setattr(module, "open_with", lambda place, _host: place)
    monkeypatch.setattr(module, "proved", lambda _stack, _host, *, quick: (done.append(f"smoke quick={quick}"), ())[1])
    monkeypatch.setattr(module, "whole_life", lambda _run, _place, _host, releases: (done.append(releases), ())[1])
    return done


def folders_in(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith("chatwoot-rehearsal-")]


@pytest.mark.parametrize(
    ("asked", "here", "in_registry", "kind"),
    [
        ("", True, False, "registry"),
        ("", False, True, "registry"),
        ("", False, False, "sandbox"),
        ("sandbox", True, True, "sandbox"),
        ("registry", False, False, "registry"),
    ],
    ids=["here", "in the registry", "nowhere", "sandbox asked for", "registry asked for"],
)
def test_real_images_are_used_where_they_can_be_had(place, host, engine, stages, asked, here, in_registry, kind):
    engine.on("docker pull", "").on("docker build", "").on("docker image inspect", code=0 if here else 1).on(
        "docker manifest", code=0 if in_registry else 1
    )
    result = rehearse(place, host, images=asked, quick=True)
    assert (result.images, result.fake) == (kind, kind == "sandbox")
    assert stages[0]["CHATWOOT_IMAGE"].startswith("chatwoot-sandbox/" if kind == "sandbox" else "chatwoot/chatwoot:")
    assert bool(host.reporter.notes and "Rehearsing on" in host.reporter.notes[0]) is (asked == "")


@pytest.mark.usefixtures("engine")
def test_other_images_are_refused(place, host):
    with pytest.raises(SettingsInvalidError, match="must be registry or sandbox, not 'real'"):
        rehearse(place, host, images="real")


def test_without_an_engine_nothing_begins(place, host):
    host.processes.programs = set()
    with pytest.raises(PreflightFailedError):
        rehearse(place, host)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("quick", "first", "rest"), [(False, SANDBOX.older, [SANDBOX]), (True, SANDBOX.newer, [])], ids=["whole", "quick"]
)
def test_the_whole_life_begins_with_the_older_release_and_quick_leaves_it_out(place, host, stages, quick, first, rest):
    result = rehearse(place, host, images="sandbox", quick=quick)
    assert stages[0]["CHATWOOT_IMAGE"] == first
    assert stages[1:] == ["smoke quick=False", *rest]
    assert [step.name for step in result.steps] == ["images", "setup", "smoke", "tear down"]


def test_a_build_that_fails_shows_its_last_lines(place, host, engine):
    engine.on("build", "a\nb\n", code=1)
    with pytest.raises(CommandFailedError, match="could not be built: exit code 1") as caught:
        rehearse(place, host, images="sandbox")
    assert caught.value.details == ("a", "b")


@pytest.mark.usefixtures("engine")
def test_a_throwaway_stack_shares_nothing_with_the_real_one(place, host):
    with throwaway(place, host, {"REDIS_IMAGE": "mine"}) as stack:
        values = read_env_file(stack.place.env_file).values
        real = read_env_file(place.env_file).values
        names = [key for key in values if key.endswith(("_VOLUME", "_PORT", "_NETWORK")) and "PRIVATE" not in key]
        assert len(names) == 8
        assert not [key for key in (*names, "COMPOSE_PROJECT_NAME") if values[key] == real[key]]
        assert (values["REDIS_IMAGE"], values["WAL_ARCHIVE"]) == ("mine", "off")
        assert stack.place.env_file.stat().st_mode & 0o777 == 0o600
    assert real == read_env_file(place.env_file).values


@pytest.mark.parametrize("error", [None, CommandFailedError("broken"), KeyboardInterrupt()], ids=str)
def test_nothing_is_left_however_it_ends(place, host, engine, temporary_folder, error):
    try:
        with throwaway(place, host, {}) as stack:
            engine.on(f"docker ps -aq --filter label=com.docker.compose.project={stack.project}", "c1\n")
            engine.on(f"docker volume ls --quiet --filter label=com.docker.compose.project={stack.project}", "v1\n")
            engine.on("docker rm --force c1", "").on("docker volume rm --force v1", "")
            if error:
                raise error
    except (CommandFailedError, KeyboardInterrupt) as caught:
        assert caught is error  # noqa: PT017 - Ctrl-C too
    assert engine.ran_with("docker rm --force c1")
    assert engine.ran_with("docker volume rm --force v1")
    assert engine.ran_with(f"docker network rm {stack.project}_stack")
    assert engine.ran_with(f"docker network rm {stack.project}-shared")
    assert folders_in(temporary_folder) == []
    assert not lock_path(f"{stack.project}.run").exists()


@pytest.mark.parametrize(
    ("part", "output"),
    [
        ("docker ps -a --format", f"{LEFT}\nchatwoot\n"),
        ("docker volume ls --format", f"{LEFT}\n\n"),
        ("docker network ls", f"bridge\n{LEFT}-shared\n{LEFT}_stack\n"),
    ],
    ids=["container", "volume", "network"],
)
def test_what_a_killed_run_left_is_removed_by_the_next(host, engine, temporary_folder, part, output):
    (temporary_folder / f"{LEFT}.x").mkdir()
    engine.on(part, output)
    assert sweep(host) == (LEFT,)
    assert folders_in(temporary_folder) == []
    assert engine.ran_with(f"docker network rm {LEFT}-shared")


def test_a_rehearsal_that_still_runs_is_left_alone(host, engine, temporary_folder):
    engine.on("docker ps -a --format", f"{LEFT}\n")
    (temporary_folder / f"{LEFT}.x").mkdir()
    with hold_lock(f"{LEFT}.run", operation="rehearse", user="grace", since="t"):
        assert sweep(host) == ()
    assert (temporary_folder / f"{LEFT}.x").is_dir()
