import pytest
from fake_stack import FakeStack, images_missing


@pytest.fixture(scope="package")
def stack():
    missing = images_missing()
    if missing:
        pytest.skip(f"sandbox images are not built: {', '.join(missing)} (infra/docker/sandbox/build)")
    found = FakeStack()
    try:
        found.up()
        assert found.prepare().returncode == 0
        found.web()
        found.worker()
        yield found
    finally:
        found.down()
