"""What `/api/keyring` gives: the keys of the ring by their ids, never the keys themselves."""

from dataclasses import dataclass
from typing import Literal

from .store.ring_standing import State


@dataclass(frozen=True, slots=True)
class RingKeyJson:
    """One key and what rests on it; times are None where they are not known.

    Attributes:
        state: newest seals; older only opens; leaving opens for seconds more; retired is gone;
            missing is none of these and not in the ring: it was lost, or could not be written.
        secrets: how many secrets are sealed with it.
        virtual_keys: how many of the gateway's keys are hashed under a pepper of it.
        chains: how many chains of records are MACed with a key of it.
    """

    key_id: str
    state: State
    made_unix_s: float | None
    retired_unix_s: float | None
    secrets: int
    virtual_keys: int
    chains: int


@dataclass(frozen=True, slots=True)
class KeyRingJson:
    """The ring, newest key first; `kept_in` says whether it is a file or a variable's."""

    kept_in: Literal["file", "variable"]
    keys: tuple[RingKeyJson, ...]
