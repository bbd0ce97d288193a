"""The keys that everything secret rests on, kept outside the database.

A ring holds keys, newest first. Nothing is done with a key itself: each use has a key of its
own derived from it. Secrets are sealed and virtual keys are hashed with the newest; whatever
was made with an older one names it and still works while that one is in the ring.

A key that is retired opens and seals nothing any more. Of it stay the keys that were derived for
uses whose work cannot be done again: the pepper of virtual keys, the MACs of chains and the seed
of draws. They are kept sealed in the database (rings.py) and tell nothing of the key itself.

The ring is the file keyring.json in the data folder, made at the first start. Where several
machines share one database, they share the ring through STORAGE_ENCRYPTION_KEY: long random
texts, newest first. Losing the ring costs what was sealed with it: provider keys have to be
entered again and virtual keys made again. Nothing else is lost.
"""

import hmac
import secrets
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from .data_folder import alone_in, write_private
from .database import CannotOpenStore

RING_FILE = "keyring.json"
RING_VARIABLE = "STORAGE_ENCRYPTION_KEY"
TEXT_CHARACTERS_MIN = 32
KEY_BYTES = 32
KEY_ID_BYTES = 8
KEPT_USES = ("pepper", "chain", "seed")
"""What is kept of a retired key."""


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key. Its id follows from it and gives nothing away."""

    material: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """16 hex digits."""
        return self.for_use("id")[:KEY_ID_BYTES].hex()

    def for_use(self, use: str) -> bytes:
        """Give the 32 bytes derived for one use: id, secrets, pepper, chain, seed or forms.

        One block of HKDF-Expand with SHA-256 (RFC 5869, section 2.3).
        """
        return hmac.digest(self.material, f"omniroute/{use}".encode() + b"\x01", "sha256")


@dataclass(frozen=True, slots=True)
class RetiredKey:
    """What is left of a key: keys derived from it, for all uses but sealing secrets."""

    key_id: str
    derived: Mapping[str, bytes] = field(repr=False)

    def for_use(self, use: str) -> bytes:
        """Give the 32 bytes derived for a use, one of KEPT_USES."""
        return self.derived[use]


@dataclass(slots=True)
class KeyRing:
    """Keys, newest first; there is always one. A process has one ring and brings it up to date.

    Attributes:
        keys: what secrets are sealed with and opened.
        leaving: retired keys that are not removed yet: they open and seal nothing new.
        retired: what is left of keys that were retired.
    """

    keys: tuple[RingKey, ...]
    leaving: tuple[RingKey, ...] = ()
    retired: tuple[RetiredKey, ...] = ()

    @property
    def newest(self) -> RingKey:
        """The key that new things are made with."""
        return self.keys[0]

    @property
    def seed(self) -> bytes:
        """What draws are keyed by. From the oldest key, so that a rotation moves no draw."""
        # Whatever was retired had the seed of the oldest key of its time with it.
        oldest = self.retired[-1] if self.retired else self.keys[-1]
        return oldest.for_use("seed")

    def find(self, key_id: str) -> RingKey | RetiredKey | None:
        """Give the key of that id, or what is left of it."""
        known: tuple[RingKey | RetiredKey, ...] = (*self.keys, *self.retired)
        return next((one for one in known if one.key_id == key_id), None)

    def opener(self, key_id: str) -> RingKey | None:
        """Give the key of that id, if it still opens secrets."""
        return next((one for one in (*self.keys, *self.leaving) if one.key_id == key_id), None)

    def learn(self, keys: Iterable[RingKey]) -> None:
        """Take keys that another process may have added, newest first. Known ones stay."""
        known = {key.key_id for key in self.leaving} | {key.key_id for key in self.retired}
        fresh = tuple(key for key in keys if key.key_id not in known)
        ids = {key.key_id for key in fresh}
        self.keys = (*fresh, *(key for key in self.keys if key.key_id not in ids))

    def retire(self, ids: Collection[str], left: Sequence[RetiredKey]) -> None:
        """Seal nothing more with retired keys.

        Args:
            ids: of all keys that were retired.
            left: what is left of them, as far as it could be opened.

        Raises:
            CannotOpenStore: no other key would be left; nothing is changed.
        """
        keys = tuple(key for key in self.keys if key.key_id not in ids)
        if not keys:
            raise CannotOpenStore(
                "every key of this key ring was retired: give this gateway the newer key, in "
                f"{RING_VARIABLE} or as {RING_FILE}"
            )
        gone = tuple(key for key in self.keys if key.key_id in ids)
        self.keys, self.leaving, self.retired = keys, (*gone, *self.leaving), tuple(left)

    def forget(self, key_id: str) -> None:
        """Let go of a key that was retired."""
        self.leaving = tuple(key for key in self.leaving if key.key_id != key_id)


class _Stored(msgspec.Struct):
    made_unix_s: float
    material: bytes


class _File(msgspec.Struct):
    keys: list[_Stored]


def open_key_ring(folder: Path, environment: Mapping[str, str]) -> KeyRing:
    """Give the ring of a data folder, made now when there is none.

    Raises:
        CannotOpenStore: the variable's text is too short, or the file cannot be used.
    """
    if given := _given(environment):
        return KeyRing(tuple(_key_of_text(text) for text in given))
    path = folder / RING_FILE
    try:
        if not path.exists():
            with alone_in(folder):
                if not path.exists():
                    _write(path, [_new()])
        return _read(path)
    except OSError as error:
        raise CannotOpenStore(
            f"cannot use the key ring {path}: {error.strerror}; make it readable and writable "
            f"for this user, or set {RING_VARIABLE}"
        ) from error


def is_given(environment: Mapping[str, str]) -> bool:
    """Whether the ring is a variable's: then no file is read or written."""
    return bool(_given(environment))


def new_ring_key() -> RingKey:
    """Give a key that is in no ring yet."""
    return RingKey(secrets.token_bytes(KEY_BYTES))


def add_ring_key(folder: Path, key: RingKey | None = None) -> KeyRing:
    """Put a key, a new one unless it is given, into the file's ring. Older keys stay."""
    path = folder / RING_FILE
    with alone_in(folder):
        _write(path, [_new() if key is None else _to_store(key), *_stored(path)])
    return _read(path)


def remove_ring_key(folder: Path, key_id: str) -> None:
    """Remove a key from the file's ring, for good; the last one stays."""
    path = folder / RING_FILE
    with alone_in(folder):
        stored = _stored(path)
        left = [one for one in stored if RingKey(one.material).key_id != key_id]
        if left and len(left) < len(stored):
            _write(path, left)


def made_times(folder: Path) -> dict[str, float]:
    """Give when each key of the file's ring was made, by its id."""
    return {RingKey(one.material).key_id: one.made_unix_s for one in _stored(folder / RING_FILE)}


def _given(environment: Mapping[str, str]) -> list[str]:
    return environment.get(RING_VARIABLE, "").replace(",", " ").split()


def _key_of_text(text: str) -> RingKey:
    if len(text) < TEXT_CHARACTERS_MIN:
        raise CannotOpenStore(
            f"{RING_VARIABLE} has only {len(text)} characters and needs {TEXT_CHARACTERS_MIN} "
            "random ones: make one with `openssl rand -hex 32`"
        )
    return RingKey(hmac.digest(b"omniroute key ring", text.encode(), "sha256"))


def _new() -> _Stored:
    return _to_store(new_ring_key())


def _to_store(key: RingKey) -> _Stored:
    return _Stored(made_unix_s=time.time(), material=key.material)


def _read(path: Path) -> KeyRing:
    return KeyRing(tuple(RingKey(stored.material) for stored in _stored(path)))


def _stored(path: Path) -> list[_Stored]:
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=_File).keys
    except msgspec.DecodeError as error:
        raise _damaged(path) from error
    if not keys or any(len(key.material) != KEY_BYTES for key in keys):
        raise _damaged(path)
    return keys


def _write(path: Path, keys: list[_Stored]) -> None:
    write_private(path, msgspec.json.encode(_File(keys)))


def _damaged(path: Path) -> CannotOpenStore:
    return CannotOpenStore(
        f"the key ring {path} is damaged: put a backup in its place; without one, remove it, "
        "start again, and enter every provider key and make every virtual key anew"
    )
