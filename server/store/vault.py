"""Secrets at rest: AES-256-GCM envelopes that open only in the row they were made for.

    version (1 byte, 1) | key id (8 bytes) | nonce (12 bytes) | ciphertext and tag

The table's name, the row's id and the key's id are authenticated with it: an envelope that was
copied into another row does not open. `cryptography` is imported when the first secret is
sealed or opened, as a start without any should not pay its 35 ms.
"""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from omniroute.routing.errors import RoutingError

from .keyring import KEY_ID_BYTES, KeyRing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
NONCE_BYTES = 12
HEAD_BYTES = 1 + KEY_ID_BYTES


class SecretLost(RoutingError):
    """A stored secret cannot be opened: its key is not in the ring, or it was tampered with."""

    code = "secret_lost"


class Vault:
    """Seals and opens.

    Args:
        ring: the keys at hand.
        reread: gives the ring as it is now; asked once when an envelope names an unknown key,
            as another process may have added it.
    """

    def __init__(self, ring: KeyRing, reread: Callable[[], KeyRing]) -> None:
        self.ring = ring
        self._reread = reread
        self._ciphers: dict[str, AESGCM] = {}

    def use(self, ring: KeyRing) -> None:
        """Work with another ring from now on."""
        self.ring = ring

    def look_again(self) -> None:
        """Learn the keys that other processes have added."""
        self.ring.learn(self._reread().keys)

    def seal(self, secret: bytes, *, table: str, row_id: str) -> bytes:
        """Give the envelope of a secret, for one row."""
        key_id = self.ring.newest.key_id
        nonce = secrets.token_bytes(NONCE_BYTES)
        head = head_of(key_id)
        bound = _bound_to(table, row_id, key_id)
        return head + nonce + self._cipher(key_id, table, row_id).encrypt(nonce, secret, bound)

    def open(self, envelope: bytes, *, table: str, row_id: str) -> bytes:
        """Give the secret of an envelope.

        Raises:
            SecretLost: nobody can open it here; the message says to enter it again.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see above

        key_id = sealed_with(envelope)
        nonce = envelope[HEAD_BYTES : HEAD_BYTES + NONCE_BYTES]
        cipher = self._cipher(key_id, table, row_id)
        try:
            return cipher.decrypt(
                nonce, envelope[HEAD_BYTES + NONCE_BYTES :], _bound_to(table, row_id, key_id)
            )
        except (InvalidTag, ValueError) as error:
            raise SecretLost(
                f"the secret of {row_id!r} in {table} does not belong to this row, or was "
                "changed: enter it again"
            ) from error

    def _cipher(self, key_id: str, table: str, row_id: str) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - see above

        key = self.ring.opener(key_id)
        if key is None:
            self.look_again()
            key = self.ring.opener(key_id)
        if key is None:
            self._ciphers.pop(key_id, None)
            raise SecretLost(
                f"the secret of {row_id!r} in {table} was sealed with key {key_id}, which is "
                "not in this key ring: put the old keyring.json or STORAGE_ENCRYPTION_KEY "
                "back, or enter the secret again"
            )
        if key_id not in self._ciphers:
            self._ciphers[key_id] = AESGCM(key.for_use("secrets"))
        return self._ciphers[key_id]


def sealed_with(envelope: bytes) -> str:
    """Give the id of the key that an envelope was sealed with; unknown versions have none."""
    return envelope[1:HEAD_BYTES].hex() if envelope[:1] == bytes([VERSION]) else "of no version"


def head_of(key_id: str) -> bytes:
    """Give what every envelope begins with that a key has sealed."""
    return bytes([VERSION]) + bytes.fromhex(key_id)


def _bound_to(table: str, row_id: str, key_id: str) -> bytes:
    return "\0".join((table, row_id, key_id)).encode()
