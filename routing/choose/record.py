"""Decisions and snapshots as bytes: what is stored, hashed and replayed.

A snapshot is content-addressed: the same bytes have the same id in every process, so it is
stored once however many decisions were made on it. A decision is stored beside the request
facts it was made from (never the prompt), as positions in its snapshot's candidates. Replay
is `decide` on the unpacked pair: it must give the same bytes again. A record says only what
the snapshot does not and what is no default: one is stored with every request.
"""

from hashlib import blake2b

import msgspec
from msgspec import Struct, structs

from ..model import Decision, RouteRequest, Snapshot, Strategy, Verdict
from .decide import decide
from .stay import explained, unexplained

SNAPSHOT_ID_BYTES = 16
TAILS_MAX = 256
"""Targets whose latest verdicts are kept as bytes."""


class _Judged(
    Struct,
    frozen=True,
    omit_defaults=True,
    rename={"kept": "k", "reason": "r", "detail": "d", "first_q32": "p", "score": "s"},
):
    kept: bool = True
    reason: str = "ok"
    detail: str = ""
    first_q32: int = 0
    score: float | None = None


class _Packed(Struct, frozen=True):
    request: RouteRequest
    strategy: Strategy
    combo: str | None
    snapshot_id: str
    order: tuple[int, ...]
    verdicts: tuple[_Judged, ...]


_encode = msgspec.json.Encoder().encode
_snapshots = msgspec.json.Decoder(Snapshot)
_decisions = msgspec.json.Decoder(_Packed)
# By target: most of its decisions share one tuple of verdicts until its snapshot changes.
_tails: dict[str, tuple[tuple[Verdict, ...], Decision, bytes]] = {}


def pack_snapshot(snapshot: Snapshot) -> bytes:
    """Give the canonical bytes of a snapshot."""
    return msgspec.json.encode(snapshot)


def snapshot_id(packed: bytes) -> str:
    """Give the id of packed snapshot bytes: 32 hex digits."""
    return blake2b(packed, digest_size=SNAPSHOT_ID_BYTES).hexdigest()


def unpack_snapshot(packed: bytes) -> Snapshot:
    """Give the snapshot back, equal to the packed one."""
    return _snapshots.decode(packed)


def without_body(request: RouteRequest) -> RouteRequest:
    """Give the request as it is kept: without its body, and what goes out with that alone."""
    operation = request.operation
    if not operation.body:
        return request
    kept = structs.replace(
        operation, body=b"", model_at=None, wants_usage=None, headers=(), query=""
    )
    return structs.replace(request, operation=kept)


def pack_decision(request: RouteRequest, decision: Decision) -> bytes:
    """Give the bytes to store: the request without its body, and the decision."""
    request = without_body(request)
    verdicts = unexplained(request, decision.verdicts)
    known = _tails.get(decision.target)
    if known is None or known[0] is not verdicts or not _are_alike(known[1], decision):
        if known is None and len(_tails) >= TAILS_MAX:
            _tails.clear()
        known = _tails[decision.target] = (verdicts, decision, _tail(decision, verdicts))
    return b'{"request":' + _encode(request) + known[2]


def _are_alike(one: Decision, other: Decision) -> bool:
    """Whether two decisions with the same verdicts say the same in their records."""
    return (
        one.order is other.order
        and one.snapshot_id == other.snapshot_id
        and one.strategy == other.strategy
        and one.combo == other.combo
    )


def _tail(decision: Decision, verdicts: tuple[Verdict, ...]) -> bytes:
    """Give what follows the request in a record."""
    places = {id(one.candidate): place for place, one in enumerate(verdicts)}
    told = {
        "strategy": decision.strategy,
        "combo": decision.combo,
        "snapshot_id": decision.snapshot_id,
        "order": [places[id(candidate)] for candidate in decision.order],
        "verdicts": [
            _Judged(one.kept, one.reason, one.detail, one.first_q32, one.score) for one in verdicts
        ],
    }
    return b"," + _encode(told)[1:]


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


def _names(decision: Decision) -> str:
    return ", ".join(one.name for one in decision.order) or "empty"
