"""Two stacks that stand for the whole session, one of each release, and are made anew only where a test broke them."""

import pytest

from stack.conftest import engine, images, quick, stack_factory
from stack.tools import Stack, new_project
from stack_backup.support import FAKE, Client, answers, key_pair

__all__ = ["engine", "images", "quick", "stack_factory"]
OLD, NEW = f"{FAKE}:v4.14.2-ce", f"{FAKE}:v4.15.1-ce"


class Standing:
    """A stack with data, an age recipient and one backup set."""

    def __init__(self, folder, checkout, image):
        self.folder, self.checkout, self.image = folder, checkout, image
        self.stack = None

    def get(self):
        if self.stack and not self._works():
            self.remove()
        if not self.stack:
            self._make()
        return self.stack

    def _works(self):
        return self.stack.journal() == "" and answers(self.stack) == 200 and self.stack.settings["CHATWOOT_RELEASE"]

    def _make(self):
        folder = self.folder / new_project("f")
        self.stack = Stack.make(folder, self.checkout, new_project("backup"), CHATWOOT_IMAGE=self.image)
        public, self.stack.identity = key_pair(folder)
        self.stack.set(BACKUP_RECIPIENTS=public)
        self.stack.set_up()
        self.stack.client = Client.of(self.stack)
        self.stack.in_set = [self.stack.client.write(f"in the set {number}") for number in range(5)]
        self.stack.client.attach("stored.bin", b"stored" * 5000)
        self.stack.invoke("backup")

    def remove(self):
        if self.stack:
            self.stack.remove()
        self.stack = None


@pytest.fixture(scope="session")
def _standing_new(tmp_path_factory, quick, images):
    pool = Standing(tmp_path_factory.mktemp("new"), quick, NEW)
    yield pool
    pool.remove()


@pytest.fixture(scope="session")
def _standing_old(tmp_path_factory, quick, images):
    pool = Standing(tmp_path_factory.mktemp("old"), quick, OLD)
    yield pool
    pool.remove()


@pytest.fixture
def standing(_standing_new):
    """A stack of 4.15.1."""
    return _standing_new.get()


@pytest.fixture
def old_standing(_standing_old):
    """A stack of 4.14.2."""
    return _standing_old.get()
