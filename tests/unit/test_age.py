"""Content encrypted to public keys: only the right private key opens it, a wrong one says so, and no key is shown."""

import errno
import io

import pytest

from chatwoot_ops.adapters.age import (
    Identity,
    encrypting,
    identity_file,
    identity_in,
    make_pair,
    open_into,
    opened,
    opener_of,
    public_half,
    unseal,
)
from chatwoot_ops.errors import BackupSetInvalidError, SettingsInvalidError
from sets import encrypted

TEXT = "SECRET_KEY_BASE=höchst geheim\n".encode()


@pytest.fixture
def pair():
    public, private = make_pair()
    return public, identity_in(f"# created by somebody\n# public key: {public}\n{private}\n", "a test")


@pytest.fixture
def put(tmp_path):
    def write(content):
        path = tmp_path / "x.age"
        path.write_bytes(content)
        return path

    return write


class FullDisk(io.BytesIO):
    def write(self, _data):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_was_encrypted_is_opened_with_the_private_key_alone(pair):
    public, identity = pair
    found = encrypted(TEXT, public)
    assert b"SECRET" not in found
    assert found.startswith(b"age-encryption.org/v1")
    assert unseal(found, identity) == TEXT


def test_any_of_several_recipients_opens_it(pair):
    other, private = make_pair()
    found = encrypted(TEXT, pair[0], other)
    assert unseal(found, pair[1]) == unseal(found, identity_in(private, "x")) == TEXT


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 * 3, 1_000_001])
def test_a_file_of_any_size_comes_back_chunk_by_chunk(pair, put, size):
    content = bytes(range(256)) * (size // 256 + 1)
    assert b"".join(opened(put(encrypted(content[:size], pair[0])), pair[1])) == content[:size]


def test_the_wrong_private_key_is_refused(pair):
    with pytest.raises(BackupSetInvalidError, match="cannot be opened") as caught:
        unseal(encrypted(TEXT, pair[0]), identity_in(make_pair()[1], "x"))
    assert caught.value.code == 13


@pytest.mark.parametrize("content", [b"", b"no key\n", b"\xff\xfe", b"AGE-SECRET-KEY-1NOTONE\n"])
def test_a_file_without_a_private_key_is_refused_and_not_shown(put, content):
    with pytest.raises(BackupSetInvalidError) as caught:
        identity_file(put(content))
    assert "NOTONE" not in str(caught.value)


def test_a_missing_private_key_is_refused(tmp_path):
    with pytest.raises(BackupSetInvalidError, match="cannot be read"):
        identity_file(tmp_path / "none")


def test_a_private_key_is_in_no_text_of_its_object(pair):
    assert "AGE-SECRET-KEY" not in repr(pair[1])


def test_damaged_content_is_refused_wherever_the_bit_flipped(pair):
    found = encrypted(TEXT, pair[0])
    for place in range(0, len(found), 11):
        broken = bytearray(found)
        broken[place] ^= 1
        with pytest.raises(BackupSetInvalidError):
            unseal(bytes(broken), pair[1])


@pytest.mark.parametrize("size", [1, 64 * 1024, 64 * 1024 * 2, 300_000])
def test_content_that_is_cut_off_anywhere_is_refused_at_its_end_if_not_before(pair, put, size):
    found = encrypted(b"x" * size, pair[0])
    for cut in (1, 16, 17, 1000, 64 * 1024 + 16, len(found) - 30):
        if cut < len(found):
            with pytest.raises(BackupSetInvalidError):
                list(opened(put(found[:-cut]), pair[1]))


def test_a_recipient_that_is_no_public_key_is_named_in_part_and_a_private_key_not_at_all(pair):
    private = make_pair()[1]
    for wrong in ("ada@example.com", "age1short", private):
        with pytest.raises(SettingsInvalidError, match="is no age public key") as caught:
            encrypted(TEXT, pair[0], wrong)
        assert caught.value.code == 10
        assert private[:20] not in caught.value.message


def test_a_disk_that_fills_is_said_as_what_it_is_in_both_directions(pair, put):
    def write():
        with encrypting(FullDisk(), (pair[0],)) as sink:
            sink.write(b"x" * 1_000_000)

    with pytest.raises(OSError, match="No space left"):
        write()
    with pytest.raises(OSError, match="No space left"):
        open_into(put(encrypted(TEXT, pair[0])), FullDisk(), pair[1])


def test_the_key_that_opens_is_told_by_its_public_half_and_without_reading_the_rest(pair, put):
    other, private = make_pair()
    path = put(encrypted(b"x" * 1_000_000, pair[0])[:200_000])
    both = Identity((private, *pair[1].keys), "x")
    assert opener_of(path, both) == pair[0]
    assert opener_of(path, identity_in(private, "x")) == ""
    assert public_half(private) == other
