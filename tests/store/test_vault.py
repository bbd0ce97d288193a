"""The key ring and what is sealed with it."""

import stat
from pathlib import Path

import pytest

from omniroute.server.store.database import CannotOpenStore
from omniroute.server.store.keyring import KeyRing, add_ring_key, open_key_ring
from omniroute.server.store.vault import SecretLost, Vault, sealed_with

TEXT = "a fake text of at least thirty-two characters"
OTHER_TEXT = "another fake text of thirty-two characters"
GIVEN = TEXT.replace(" ", "-")
OTHER_GIVEN = OTHER_TEXT.replace(" ", "-")


def vault_of(ring: KeyRing) -> Vault:
    return Vault(ring, lambda: ring)


def test_a_ring_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    ring = open_key_ring(tmp_path, {})

    assert open_key_ring(tmp_path, {}) == ring
    assert stat.S_IMODE((tmp_path / "keyring.json").stat().st_mode) == 0o600
    assert len(ring.seed) == 32


def test_every_use_has_a_key_of_its_own(tmp_path: Path) -> None:
    key = open_key_ring(tmp_path, {}).newest

    derived = {key.for_use(use) for use in ("id", "secrets", "pepper", "chain", "seed")}

    assert len(derived) == 5
    assert key.material not in derived
    assert "material" not in repr(key)


def test_the_variable_stands_for_the_file_on_every_machine(tmp_path: Path) -> None:
    here = open_key_ring(tmp_path, {"STORAGE_ENCRYPTION_KEY": GIVEN})
    there = open_key_ring(tmp_path / "elsewhere", {"STORAGE_ENCRYPTION_KEY": GIVEN})

    assert here == there
    assert not (tmp_path / "keyring.json").exists()


def test_a_short_text_is_refused_with_how_to_make_a_good_one(tmp_path: Path) -> None:
    with pytest.raises(CannotOpenStore, match="openssl rand -hex 32") as refusal:
        open_key_ring(tmp_path, {"STORAGE_ENCRYPTION_KEY": "short"})

    assert "'short'" not in str(refusal.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"keys": []}', b'{"keys": [{"made_unix_s": 1, "material": "QQ=="}]}']
)
def test_a_damaged_ring_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keyring.json").write_bytes(content)

    with pytest.raises(CannotOpenStore, match="damaged: put a backup"):
        open_key_ring(tmp_path, {})

    assert (tmp_path / "keyring.json").read_bytes() == content


def test_a_ring_that_cannot_be_read_is_refused_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "keyring.json").mkdir()

    with pytest.raises(CannotOpenStore, match="STORAGE_ENCRYPTION_KEY"):
        open_key_ring(tmp_path, {})


def test_what_is_sealed_opens_in_its_row(tmp_path: Path) -> None:
    vault = vault_of(open_key_ring(tmp_path, {}))

    envelope = vault.seal(b"a fake secret", table="accounts", row_id="acc-1")

    assert vault.open(envelope, table="accounts", row_id="acc-1") == b"a fake secret"
    assert b"secret" not in envelope
    assert envelope != vault.seal(b"a fake secret", table="accounts", row_id="acc-1")


@pytest.mark.parametrize(("table", "row_id"), [("accounts", "acc-2"), ("keys", "acc-1")])
def test_an_envelope_opens_in_no_other_row(tmp_path: Path, table: str, row_id: str) -> None:
    vault = vault_of(open_key_ring(tmp_path, {}))
    envelope = vault.seal(b"a fake secret", table="accounts", row_id="acc-1")

    with pytest.raises(SecretLost, match="does not belong to this row"):
        vault.open(envelope, table=table, row_id=row_id)


@pytest.mark.parametrize("place", [12, 20, 25, -1])
def test_a_changed_envelope_does_not_open(tmp_path: Path, place: int) -> None:
    vault = vault_of(open_key_ring(tmp_path, {}))
    envelope = bytearray(vault.seal(b"a fake secret", table="accounts", row_id="acc-1"))
    envelope[place] ^= 1

    with pytest.raises(SecretLost):
        vault.open(bytes(envelope), table="accounts", row_id="acc-1")


@pytest.mark.parametrize("envelope", [b"", b"\x01", b"\x02" + bytes(40)])
def test_what_is_no_envelope_is_a_lost_secret(tmp_path: Path, envelope: bytes) -> None:
    vault = vault_of(open_key_ring(tmp_path, {}))

    with pytest.raises(SecretLost, match="enter the secret again"):
        vault.open(envelope, table="accounts", row_id="acc-1")


def test_a_new_ring_key_seals_and_the_old_one_still_opens(tmp_path: Path) -> None:
    old = open_key_ring(tmp_path, {})
    vault = vault_of(old)
    before = vault.seal(b"a fake secret", table="accounts", row_id="acc-1")

    vault.use(add_ring_key(tmp_path))
    after = vault.seal(b"a fake secret", table="accounts", row_id="acc-1")

    assert sealed_with(before) == old.newest.key_id
    assert sealed_with(after) == vault.ring.newest.key_id != old.newest.key_id
    assert vault.open(before, table="accounts", row_id="acc-1") == b"a fake secret"
    assert vault.ring.seed == old.seed


def test_another_process_finds_a_key_that_was_added_meanwhile(tmp_path: Path) -> None:
    other = Vault(open_key_ring(tmp_path, {}), lambda: open_key_ring(tmp_path, {}))

    envelope = vault_of(add_ring_key(tmp_path)).seal(b"a fake secret", table="t", row_id="r")

    assert other.open(envelope, table="t", row_id="r") == b"a fake secret"


def test_several_texts_are_a_ring_with_the_newest_first(tmp_path: Path) -> None:
    old = vault_of(open_key_ring(tmp_path, {"STORAGE_ENCRYPTION_KEY": GIVEN}))
    envelope = old.seal(b"a fake secret", table="t", row_id="r")

    both = {"STORAGE_ENCRYPTION_KEY": f"{OTHER_GIVEN}, {GIVEN}"}
    rotated = vault_of(open_key_ring(tmp_path, both))
    other = vault_of(open_key_ring(tmp_path, {"STORAGE_ENCRYPTION_KEY": OTHER_GIVEN}))

    assert rotated.open(envelope, table="t", row_id="r") == b"a fake secret"
    with pytest.raises(SecretLost, match=r"not in this key ring.*enter the secret again"):
        other.open(envelope, table="t", row_id="r")
