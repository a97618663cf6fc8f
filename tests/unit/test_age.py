"""Settings sealed to public keys: only the right private key opens them, and a wrong one says so."""

import pytest

from chatwoot_ops.adapters.age import make_pair, seal, unseal
from chatwoot_ops.errors import BackupSetInvalidError, SettingsInvalidError

TEXT = "SECRET_KEY_BASE=höchst geheim\n"


@pytest.fixture
def pair(tmp_path):
    public, private = make_pair()
    file = tmp_path / "key.txt"
    file.write_text(f"# created by somebody\n# public key: {public}\n{private}\n")
    return public, file


def test_what_was_sealed_is_opened_with_the_private_key_alone(pair):
    public, file = pair
    sealed = seal(TEXT, (public,))
    assert b"SECRET" not in sealed
    assert sealed.startswith(b"age-encryption.org/v1")
    assert unseal(sealed, file) == TEXT


def test_any_of_several_recipients_opens_it(pair, tmp_path):
    other, private = make_pair()
    (tmp_path / "other").write_text(private)
    sealed = seal(TEXT, (pair[0], other))
    assert unseal(sealed, pair[1]) == unseal(sealed, tmp_path / "other") == TEXT


def test_the_wrong_private_key_is_refused(pair, tmp_path):
    (tmp_path / "wrong").write_text(make_pair()[1])
    with pytest.raises(BackupSetInvalidError, match="does not open the settings") as caught:
        unseal(seal(TEXT, (pair[0],)), tmp_path / "wrong")
    assert caught.value.code == 13
    assert "--identity" in caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"no key\n", b"\xff\xfe", b"AGE-SECRET-KEY-1NOTONE\n"])
def test_a_file_without_a_private_key_is_refused(pair, tmp_path, content):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(BackupSetInvalidError):
        unseal(seal(TEXT, (pair[0],)), tmp_path / "bad")


def test_a_missing_private_key_is_refused(pair, tmp_path):
    with pytest.raises(BackupSetInvalidError, match="cannot be read"):
        unseal(seal(TEXT, (pair[0],)), tmp_path / "none")


def test_damaged_settings_are_refused_wherever_the_bit_flipped(pair):
    sealed = seal(TEXT, (pair[0],))
    for place in range(0, len(sealed), 11):
        broken = bytearray(sealed)
        broken[place] ^= 1
        with pytest.raises(BackupSetInvalidError):
            unseal(bytes(broken), pair[1])
    with pytest.raises(BackupSetInvalidError):
        unseal(sealed[:-1], pair[1])


def test_a_recipient_that_is_no_public_key_is_named_in_part(pair):
    private = make_pair()[1]
    for wrong in ("ada@example.com", "age1short", private):
        with pytest.raises(SettingsInvalidError, match="is no age public key") as caught:
            seal(TEXT, (pair[0], wrong))
        assert caught.value.code == 10
        assert private[20:] not in caught.value.message
