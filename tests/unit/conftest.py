"""Every unit test has its locks and its temporary files in folders of its own, and fingerprints that take no time."""

import tempfile

import pytest

from chatwoot_ops.adapters import lock
from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.model import encrypted, units
from chatwoot_ops.model.command import Finished
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.opening import unchecked_stack
from chatwoot_ops.operations.source import source_of_set
from fakes import fake_host
from keeping import PAGES, well_inside, well_keeping
from sets import sealed
from world import healthy_host, place_in, volume_answer


@pytest.fixture(autouse=True)
def _own_locks(monkeypatch, tmp_path_factory):
    monkeypatch.setattr(lock, "_FOLDERS", (tmp_path_factory.mktemp("locks"),))


@pytest.fixture(autouse=True)
def _quick_fingerprints(monkeypatch):
    monkeypatch.setattr(encrypted, "FINGERPRINT_ROUNDS", 10)


@pytest.fixture(autouse=True)
def _own_system_folders(monkeypatch, tmp_path_factory):
    for name in ("SYSTEMD_FOLDER", "CRON_FOLDER"):
        monkeypatch.setattr(units, name, tmp_path_factory.mktemp(name.lower()))


@pytest.fixture(autouse=True)
def temporary_folder(monkeypatch, tmp_path_factory):
    """Where throwaway stacks keep their settings: the machine's own has those of one that really runs."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def host():
    return fake_host()


@pytest.fixture
def well():
    return healthy_host()


@pytest.fixture
def volume(well):
    """The database volume of a stack that is well and can be backed up, restored and upgraded."""
    return well_keeping(well)


@pytest.fixture
def pages():
    """What the web answers inside its container, by path."""
    return dict(PAGES)


@pytest.fixture
def engine(well, pages):
    """An engine on which a set can be restored into a throwaway stack, and its web asked from inside."""
    well_keeping(well)
    engine = well.processes
    for part in ("docker ps -a --format", "docker volume ls", "docker network ls"):
        engine.on(part, "")
    engine.on("docker volume rm", "").on("docker network rm", "")
    # No volume is there yet; what was created is looked into and is found marked.
    engine.on_call("docker volume inspect", *[lambda _: Finished(1, "", "")] * 3, lambda _: Finished(0, "{}", ""))
    engine.on("docker volume create", "").on("--volume chatwoot-drill", volume_answer(postgres=""))
    well_keeping(well)
    return well_inside(engine, pages)


@pytest.fixture
def source(stack):
    """The newest set of a stack, sealed now."""
    sealed(stack.backup_folder)
    return source_of_set(stack, "latest")


@pytest.fixture
def values():
    """What `.env` says beside its secrets; a file whose stack differs says in what."""
    return {}


@pytest.fixture
def place(tmp_path, values):
    return place_in(tmp_path, **values)


@pytest.fixture
def stack(place):
    return unchecked_stack(place, read_env_file(place.env_file))


@pytest.fixture
def store(stack, well):
    """The journal of a stack that is well."""
    return store_of(stack, well)
