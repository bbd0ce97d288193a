"""What rests on each key of the ring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .database import Row, Rows, Statement, Steps
from .keyring import KeyRing
from .vault import sealed_with

State = Literal["newest", "older", "leaving", "retired", "missing"]

ALL_RING_KEYS = Statement(
    "SELECT key_id, known_unix_s, retired_unix_s, secret FROM ring_keys "
    "ORDER BY known_unix_s DESC, key_id"
)


@dataclass(frozen=True, slots=True)
class RingKeyStanding:
    """One key and what rests on it; times are seconds since 1970, None where not known.

    Attributes:
        secrets: sealed with it.
        virtual_keys: hashed under a pepper derived from it.
        chains: MACed with a key derived from it.
    """

    key_id: str
    state: State
    made_unix_s: float | None
    retired_unix_s: float | None
    secrets: int
    virtual_keys: int
    chains: int


@dataclass(frozen=True, slots=True)
class Resting:
    """Rows of ring keys, and how much rests on each key, by its id."""

    rows: Rows
    secrets: Mapping[str, int]
    virtual_keys: Mapping[str, int]
    chains: Mapping[str, int]


def read_standing() -> Steps[Resting]:
    """Read what rests on which key."""
    rows = yield ALL_RING_KEYS
    secrets: dict[str, int] = {}
    for statement in _SECRETS:
        for row in (yield statement):
            key_id = sealed_with(bytes(row["head"]))
            secrets[key_id] = secrets.get(key_id, 0) + int(row["number"])
    virtual = _counts((yield _VIRTUAL))
    return Resting(rows, secrets, virtual, _counts((yield _CHAINS)))


def standing_of(
    ring: KeyRing, made_unix_s: Mapping[str, float], resting: Resting
) -> Sequence[RingKeyStanding]:
    """Give every key of the ring, and every one that is known beside: the newest first.

    Args:
        ring: as this process has it.
        made_unix_s: when keys were made, as far as that is known.
        resting: what rests on them.
    """
    known = {str(row["key_id"]): row for row in resting.rows}
    ids = dict.fromkeys((*(key.key_id for key in (*ring.keys, *ring.leaving)), *known))

    def one(key_id: str) -> RingKeyStanding:
        row = known.get(key_id)
        return RingKeyStanding(
            key_id=key_id,
            state=_state(ring, key_id, row),
            made_unix_s=made_unix_s.get(key_id),
            retired_unix_s=None if row is None else row["retired_unix_s"],
            secrets=resting.secrets.get(key_id, 0),
            virtual_keys=resting.virtual_keys.get(key_id, 0),
            chains=resting.chains.get(key_id, 0),
        )

    return [one(key_id) for key_id in ids]


def _state(ring: KeyRing, key_id: str, row: Row | None) -> State:
    if key_id == ring.newest.key_id:
        return "newest"
    if any(key.key_id == key_id for key in ring.leaving):
        return "leaving"
    if any(key.key_id == key_id for key in ring.keys):
        return "older"
    return "missing" if row is not None and row["retired_unix_s"] is None else "retired"


def _counts(rows: Sequence[Row]) -> dict[str, int]:
    return {str(row["key_id"]): int(row["number"]) for row in rows}


_SECRETS = (
    Statement(
        "SELECT substr(secret, 1, 9) AS head, COUNT(*) AS number FROM accounts "
        "WHERE secret IS NOT NULL GROUP BY substr(secret, 1, 9)"
    ),
    Statement(
        "SELECT substr(secret, 1, 9) AS head, COUNT(*) AS number FROM task_subscriptions "
        "WHERE secret IS NOT NULL GROUP BY substr(secret, 1, 9)"
    ),
    Statement(
        "SELECT substr(secret, 1, 9) AS head, COUNT(*) AS number FROM shared_proxies "
        "GROUP BY substr(secret, 1, 9)"
    ),
    Statement(
        "SELECT substr(secret, 1, 9) AS head, COUNT(*) AS number FROM request_contents "
        "GROUP BY substr(secret, 1, 9)"
    ),
)
_VIRTUAL = Statement("SELECT pepper_id AS key_id, COUNT(*) AS number FROM keys GROUP BY pepper_id")
_CHAINS = Statement(
    "SELECT mac_key_id AS key_id, COUNT(*) AS number FROM chains GROUP BY mac_key_id"
)
