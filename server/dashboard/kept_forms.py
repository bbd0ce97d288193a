"""What somebody had entered when their session was over, kept until they have signed in again.

It is not stored: the sign-in page carries it, sealed with the key ring and bound to the visit of
this one browser, so that nobody can have another's browser offer something to send. Whoever
signs in as somebody else is not shown it. Secrets are left out, by the names of their fields and
by their looks; and nothing is sent again but by the person, who sees what it is.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from omniroute.routing.ports import Clock

from ..redacting import redacted
from ..store.vault import SecretLost, Vault
from .visits import Fields

TABLE = "dashboard_forms"
KEPT_S = 3600.0
KEPT_BYTES_MAX = 512 * 1024
_SECRETS = re.compile(r"^(?:csrf|key)$|secret|passw|token|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form that was not done.

    Attributes:
        path: where it was sent to.
        values: its fields, in their order.
        left_out: the names of fields that are not kept, as they are secret.
        key_id: who had filled it in, as far as that is known.
        until_unix_s: until when it is kept.
    """

    path: str
    values: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...] = ()
    key_id: str = ""
    until_unix_s: float = 0.0


class KeptForms:
    """Seals and opens them."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    def kept(self, path: str, fields: Fields, key_id: str) -> KeptForm:
        """Give what is kept of a form."""
        secret = tuple(
            name
            for name, values in fields.values.items()
            if _SECRETS.search(name) or any(redacted(one) != one for one in values)
        )
        return KeptForm(
            path=path,
            values={name: one for name, one in fields.values.items() if name not in secret},
            left_out=tuple(name for name in secret if name != "csrf" and any(fields.values[name])),
            key_id=key_id,
            until_unix_s=self._clock.unix() + KEPT_S,
        )

    def seal(self, form: KeptForm, visit: str) -> str:
        """Give a form as a text that its browser carries; "" where it is too long."""
        encoded = msgspec.json.encode(form)
        if len(encoded) > KEPT_BYTES_MAX:
            return ""
        sealed = self._vault.seal(encoded, table=TABLE, row_id=visit)
        return base64.urlsafe_b64encode(sealed).decode()

    def open(self, text: str, visit: str) -> KeptForm | None:
        """Give a form; None where it is none of this browser, or too old."""
        if not text:
            return None
        try:
            sealed = base64.urlsafe_b64decode(text.encode("ascii"))
            encoded = self._vault.open(sealed, table=TABLE, row_id=visit)
        except (binascii.Error, UnicodeEncodeError, SecretLost):
            return None
        form = msgspec.json.decode(encoded, type=KeptForm)
        return form if self._clock.unix() < form.until_unix_s else None
