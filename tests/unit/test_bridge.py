"""The bridge between who writes and who reads: nothing is lost, nobody waits for ever, and memory stays flat."""

import hashlib
import os
import resource
import threading
import tracemalloc
from pathlib import Path

import pytest

from chatwoot_ops.adapters.age import encrypting, identity_in, make_pair, opened
from chatwoot_ops.adapters.bridge import Bridge, pulled

MEGABYTE = 1024**2
FLAT = 16 * MEGABYTE


def threads():
    return threading.active_count()


def test_what_is_written_is_what_the_function_reads():
    with Bridge(lambda file: file.read()) as bridge:
        for chunk in (b"one", b"", b"two" * 100_000):
            assert bridge.write(chunk) == len(chunk)
        assert bridge.result() == b"one" + b"two" * 100_000


def test_a_function_that_has_enough_leaves_no_writer_waiting():
    before = threads()
    with Bridge(lambda file: file.read(10)) as bridge:
        bridge.write(b"0123456789" + b"x" * MEGABYTE)
        assert bridge.result() == b"0123456789"
    assert threads() == before


def fails(file):
    file.read(1)
    raise ValueError("broken")


def test_what_the_function_raises_is_raised_where_one_writes_on_and_where_one_waits():
    with Bridge(fails) as bridge:

        def write_on():
            while True:
                bridge.write(b"x" * MEGABYTE)

        with pytest.raises(ValueError, match="broken"):
            write_on()
        with pytest.raises(ValueError, match="broken"):
            bridge.result()


def test_a_block_that_fails_ends_the_function_too():
    before = threads()

    def interrupted():
        with Bridge(lambda file: file.read()) as bridge:
            bridge.write(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threads() == before


def test_what_a_function_writes_is_handed_over_and_its_error_after_that():
    def write(file):
        file.write(b"x" * MEGABYTE)
        raise ValueError("broken")

    chunks = pulled(write)
    assert len(next(chunks)) == MEGABYTE
    with pytest.raises(ValueError, match="broken"):
        list(chunks)


def test_nobody_who_has_enough_waits_for_the_rest():
    def write(file):
        while True:
            file.write(b"x" * MEGABYTE)

    before = threads()
    chunks = pulled(write)
    next(chunks)
    chunks.close()
    assert threads() == before


def resident():
    """Memory that this process holds now, in bytes: the library's own too, which tracemalloc does not see."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_three_hundred_megabytes_are_encrypted_and_opened_in_flat_memory(tmp_path):
    public, private = make_pair()
    path, block = tmp_path / "big.age", os.urandom(MEGABYTE)
    written, read, most = hashlib.sha256(), hashlib.sha256(), [resident()]
    before = most[0]
    tracemalloc.start()
    try:
        with path.open("wb") as file, encrypting(file, (public,)) as sink:
            for _ in range(300):
                sink.write(block)
                written.update(block)
                most.append(resident())
        for chunk in opened(path, identity_in(private, "a test")):
            read.update(chunk)
            most.append(resident())
        traced = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read.digest() == written.digest()
    assert path.stat().st_size > 300 * MEGABYTE
    assert traced < FLAT
    assert max(most) - before < 2 * FLAT
