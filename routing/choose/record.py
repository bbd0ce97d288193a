"""Decisions and snapshots as bytes: what is stored, hashed and replayed.

A snapshot is content-addressed: the same bytes have the same id in every process, so it is
stored once however many decisions were made on it. A decision is stored beside the request
facts it was made from (never the prompt), as positions in its snapshot's candidates. Replay
is `decide` on the unpacked pair: it must give the same bytes again. A record says only what
the snapshot does not and what is no default: one is stored with every request.
"""

from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct, structs

from ..model import Decision, RouteRequest, Snapshot, Strategy, Verdict
from .decide import decide
from .stay import explained, unexplained

SNAPSHOT_ID_BYTES = 16


class _Judged(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename={"kept": "k", "reason": "r", "detail": "d", "first_q32": "p", "score": "s"},
):
    kept: bool = True
    reason: str = "ok"
    detail: str = ""
    first_q32: int = 0
    score: float | None = None


@dataclass(frozen=True, slots=True)
class _Packed:
    request: RouteRequest
    strategy: Strategy
    combo: str | None
    snapshot_id: str
    order: tuple[int, ...]
    verdicts: tuple[_Judged, ...]


_snapshots = msgspec.json.Decoder(Snapshot)
_decisions = msgspec.json.Decoder(_Packed)


def pack_snapshot(snapshot: Snapshot) -> bytes:
    """Give the canonical bytes of a snapshot."""
    return msgspec.json.encode(snapshot)


def snapshot_id(packed: bytes) -> str:
    """Give the id of packed snapshot bytes: 32 hex digits."""
    return blake2b(packed, digest_size=SNAPSHOT_ID_BYTES).hexdigest()


def unpack_snapshot(packed: bytes) -> Snapshot:
    """Give the snapshot back, equal to the packed one."""
    return _snapshots.decode(packed)


def pack_decision(request: RouteRequest, decision: Decision) -> bytes:
    """Give the bytes to store: the request without its body, and the decision."""
    places = {id(one.candidate): place for place, one in enumerate(decision.verdicts)}
    request = structs.replace(
        request, operation=structs.replace(request.operation, body=b"", model_at=None)
    )
    packed = {
        "request": _without_defaults(request),
        "strategy": decision.strategy,
        "combo": decision.combo,
        "snapshot_id": decision.snapshot_id,
        "order": [places[id(candidate)] for candidate in decision.order],
        "verdicts": [
            _Judged(one.kept, one.reason, one.detail, one.first_q32, one.score)
            for one in unexplained(request, decision.verdicts)
        ],
    }
    return msgspec.json.encode(packed)


def unpack_decision(record: bytes, snapshot: Snapshot) -> tuple[RouteRequest, Decision]:
    """Give the request facts and the decision that `pack_decision` stored."""
    packed = _decisions.decode(record)
    candidates = snapshot.candidates
    verdicts = tuple(
        Verdict(candidate, one.kept, one.reason, one.detail, one.first_q32, one.score)
        for candidate, one in zip(candidates, packed.verdicts, strict=True)
    )
    if packed.order:
        verdicts = explained(packed.request, verdicts, first=packed.order[0])
    decision = Decision(
        request_id=packed.request.request_id,
        target=packed.request.target,
        strategy=packed.strategy,
        combo=packed.combo,
        snapshot_id=packed.snapshot_id,
        order=tuple(candidates[place] for place in packed.order),
        verdicts=verdicts,
    )
    return packed.request, decision


def replays(record: bytes, packed_snapshot: bytes, seed: bytes) -> bool:
    """Whether deciding again from what was stored gives the stored decision, bit for bit."""
    snapshot = unpack_snapshot(packed_snapshot)
    request, decision = unpack_decision(record, snapshot)
    if decision.snapshot_id != snapshot_id(packed_snapshot):
        return False
    again = decide(request, snapshot, seed, snapshot_id=decision.snapshot_id)
    return pack_decision(request, again) == record


def difference(record: bytes, packed_snapshot: bytes, seed: bytes) -> str:
    """Give in words what deciding again does not give as it was stored; "" when it is equal."""
    try:
        snapshot = unpack_snapshot(packed_snapshot)
        request, before = unpack_decision(record, snapshot)
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, ValueError) as error:
        return f"it cannot be read: {error}"
    if before.snapshot_id != snapshot_id(packed_snapshot):
        return "its snapshot is another one than it was made on"
    now = decide(request, snapshot, seed, snapshot_id=before.snapshot_id)
    if pack_decision(request, now) == record:
        return ""
    if now.order != before.order:
        return f"the order is {_names(now)} and was stored as {_names(before)}"
    changed = [
        one.candidate.name
        for one, other in zip(now.verdicts, before.verdicts, strict=True)
        if one != other
    ]
    if changed:
        return f"the verdict on {', '.join(changed)} is another one"
    return "the stored bytes are others"


def _without_defaults(value: Any) -> dict[str, object]:
    """Give the fields of a value that are not at their default, and of those in it."""
    left: dict[str, object] = {}
    for name, default in _defaults(value.__class__):
        held = getattr(value, name)
        if held != default:
            left[name] = _without_defaults(held) if _has_fields(held) else held
    return left


def _has_fields(value: object) -> bool:
    return isinstance(value, Struct) or is_dataclass(value)


@cache
def _defaults(kind: Any) -> tuple[tuple[str, object], ...]:
    of = structs.fields if issubclass(kind, Struct) else fields
    return tuple((one.name, one.default) for one in of(kind))


def _names(decision: Decision) -> str:
    return ", ".join(one.name for one in decision.order) or "empty"
