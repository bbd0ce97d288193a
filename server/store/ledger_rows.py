"""Outcomes as rows, and back.

Facts that are asked for by the thousand are columns: who, what, when, how long, how much. What
explains one request is its decision's record, which also holds the request's own facts; only a
request that was refused before any decision keeps them in a column of its own.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from omniroute.routing.choose.record import (
    pack_decision,
    unpack_decision,
    unpack_snapshot,
)
from omniroute.routing.conversation import Usage
from omniroute.routing.model import (
    Attempt,
    Candidate,
    Decision,
    Dialect,
    Outcome,
    RouteRequest,
    Snapshot,
)
from omniroute.routing.ports import Record

from .chain import Growth, framed
from .database import Row, Statement, Value


class Told(Struct, frozen=True):
    """An outcome on its way to the database; its request's body is not kept."""

    outcome: Outcome
    snapshot: Snapshot | None

    @property
    def decision(self) -> Decision | None:
        """The decision; None where what it was made on is not there."""
        return None if self.snapshot is None else self.outcome.decision


class _Tried(Struct, frozen=True, gc=False, omit_defaults=True):
    """An attempt as it is stored."""

    number: int
    provider: str
    account_id: str
    model: str
    dialect: Dialect
    started_s: float
    ended_s: float
    first_byte_s: float | None = None
    failure: str | None = None
    detail: str = ""
    provider_status: int | None = None
    model_served: str | None = None
    swapped: bool = False


Written = tuple[str | None, int | None]
"""Who stored an outcome, and which one of theirs it is, in the order of their commits."""
NOBODY: Written = (None, None)

_encode = msgspec.json.Encoder().encode
_attempts = msgspec.json.Decoder(tuple[_Tried, ...])

KEEP_SNAPSHOT = (
    "INSERT INTO snapshots (snapshot_id, body) VALUES ($1, $2) ON CONFLICT (snapshot_id) DO NOTHING"
)

KEEP_DECISION = (
    "INSERT INTO decisions (request_id, key_id, snapshot_id, record, chain_id, seq, mac) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7)"
)

KEEP_OUTCOME = (
    "INSERT INTO outcomes (request_id, key_id, door, at_unix_s, client_request_id, session_id, "
    "kind, target, combo, stream, status, error, error_detail, finish, provider, account_id, "
    "model, model_served, simulated, attempts, first_content_s, total_s, input_tokens, "
    "output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, usage_source, "
    "cost_usd_nanos, reserved_usd_nanos, output_tokens_clamp, config_version, request, tried, "
    "units, written_by, written_seq) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
    "$19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37)"
)

_COLUMNS = (
    "SELECT outcomes.request_id, outcomes.key_id, at_unix_s, status, error, error_detail, "
    "finish, provider, account_id, model, model_served, first_content_s, total_s, "
    "input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, "
    "usage_source, cost_usd_nanos, reserved_usd_nanos, output_tokens_clamp, request, tried, "
    "units, record, body "
    "FROM outcomes LEFT JOIN decisions ON decisions.request_id = outcomes.request_id "
    "LEFT JOIN snapshots ON snapshots.snapshot_id = decisions.snapshot_id "
)

OUTCOME_BY_ID = _COLUMNS + "WHERE outcomes.request_id = $1"

_NEWEST = "ORDER BY at_unix_s DESC, outcomes.request_id DESC LIMIT $1"


def newest(key_id: str | None, limit: int, before: tuple[float, str] | None = None) -> Statement:
    """Give what reads the newest outcomes, of one key, of those before a time and an id."""
    values: list[Value] = [limit]
    terms: list[str] = []
    if key_id is not None:
        values.append(key_id)
        terms.append(f"outcomes.key_id = ${len(values)}")
    if before is not None:
        values += before
        at, request_id = f"${len(values) - 1}", f"${len(values)}"
        # The first is what an index finds; the second leaves out what came at that moment.
        terms.append(f"at_unix_s <= {at}")
        terms.append(f"(at_unix_s < {at} OR outcomes.request_id < {request_id})")
    where = f"WHERE {' AND '.join(terms)} " if terms else ""
    return Statement(_COLUMNS + where + _NEWEST, tuple(values))


def outcome_values(told: Told, written: Written = NOBODY) -> tuple[Value, ...]:
    """Give the values of KEEP_OUTCOME."""
    outcome, snapshot = told.outcome, told.snapshot
    request, winner, usage = outcome.request, outcome.winner, outcome.usage
    operation, decision = request.operation, told.decision
    return (
        request.request_id,
        outcome.key_id,
        request.door,
        outcome.at_unix_s,
        _text(request.client_request_id),
        _text(request.session_id),
        operation.kind,
        _text(request.target),
        None if decision is None else decision.combo,
        operation.features.stream,
        outcome.status,
        outcome.error,
        _text(outcome.error_detail),
        _text(outcome.finish),
        None if winner is None else winner.provider,
        None if winner is None else winner.account_id,
        None if winner is None else winner.model,
        _text(outcome.model_served),
        winner is not None and winner.simulated,
        len(outcome.attempts),
        outcome.first_content_s,
        outcome.total_s,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        outcome.usage_source,
        outcome.cost_usd_nanos,
        outcome.reserved_usd_nanos,
        outcome.output_tokens_clamp,
        None if snapshot is None else snapshot.config_version,
        None if decision is not None else _encode(request).decode(),
        _encode([_tried(one) for one in outcome.attempts]).decode(),
        usage.units or None,
        *written,
    )


def fresh_snapshots(told: Sequence[Told], known: Mapping[str, None]) -> dict[str, Snapshot]:
    """Give every snapshot that is not known to be stored, by its id."""
    fresh: dict[str, Snapshot] = {}
    for one in told:
        decision, snapshot = one.outcome.decision, one.snapshot
        if decision is not None and snapshot is not None and decision.snapshot_id not in known:
            fresh[decision.snapshot_id] = snapshot
    return fresh


def decision_values(outcome: Outcome, decision: Decision, growth: Growth) -> tuple[Value, ...]:
    """Give the values of KEEP_DECISION, and have the chain grow by the row."""
    request_id, key_id, snapshot_id = (
        outcome.request.request_id,
        outcome.key_id,
        decision.snapshot_id,
    )
    record = pack_decision(outcome.request, decision)
    link = growth.link(framed(request_id, key_id, snapshot_id, record))
    return (request_id, key_id, snapshot_id, record, link.chain_id, link.seq, link.mac)


def record_of(row: Row) -> Record:
    """Give a stored outcome; equal to what was recorded, but for the request's body."""
    snapshot: Snapshot | None = None
    decision: Decision | None = None
    if row["record"] is not None:
        snapshot = unpack_snapshot(bytes(row["body"]))
        request, decision = unpack_decision(bytes(row["record"]), snapshot)
    else:
        request = msgspec.json.decode(row["request"], type=RouteRequest)
    attempts = tuple(_attempt(one, snapshot) for one in _attempts.decode(row["tried"]))
    outcome = Outcome(
        request=request,
        key_id=row["key_id"],
        decision=decision,
        attempts=attempts,
        status=row["status"],
        usage=Usage(
            input_tokens=int(row["input_tokens"]),
            output_tokens=int(row["output_tokens"]),
            cached_input_tokens=int(row["cached_input_tokens"]),
            cache_write_tokens=int(row["cache_write_tokens"]),
            reasoning_tokens=int(row["reasoning_tokens"]),
            units=int(row["units"] or 0),
        ),
        usage_source=row["usage_source"],
        cost_usd_nanos=row["cost_usd_nanos"],
        reserved_usd_nanos=int(row["reserved_usd_nanos"]),
        at_unix_s=row["at_unix_s"],
        first_content_s=row["first_content_s"],
        total_s=row["total_s"],
        winner=_winner(row, attempts),
        model_served=row["model_served"],
        finish=row["finish"],
        error=row["error"],
        error_detail=row["error_detail"],
        output_tokens_clamp=row["output_tokens_clamp"],
    )
    return Record(outcome, snapshot)


def _winner(row: Row, attempts: Sequence[Attempt]) -> Candidate | None:
    """Give the candidate that answered: it is one of those that were tried."""
    named = (row["account_id"], row["model"])
    tried = (attempt.candidate for attempt in reversed(attempts))
    return next((one for one in tried if (one.account_id, one.model) == named), None)


def _tried(attempt: Attempt) -> _Tried:
    candidate = attempt.candidate
    return _Tried(
        attempt.number,
        candidate.provider,
        candidate.account_id,
        candidate.model,
        candidate.dialect,
        attempt.started_s,
        attempt.ended_s,
        attempt.first_byte_s,
        attempt.failure,
        _text(attempt.detail) or "",
        attempt.provider_status,
        _text(attempt.model_served),
        attempt.swapped,
    )


def _attempt(one: _Tried, snapshot: Snapshot | None) -> Attempt:
    named = (one.account_id, one.model)
    known = () if snapshot is None else snapshot.candidates
    found = (candidate for candidate in known if (candidate.account_id, candidate.model) == named)
    candidate = next(found, None)
    return Attempt(
        number=one.number,
        candidate=candidate or Candidate(one.account_id, one.provider, one.model, one.dialect),
        started_s=one.started_s,
        ended_s=one.ended_s,
        first_byte_s=one.first_byte_s,
        failure=one.failure,
        detail=one.detail,
        provider_status=one.provider_status,
        model_served=one.model_served,
        swapped=one.swapped,
    )


def _text(text: str | None) -> str | None:
    """Give a client's or provider's text so that a database takes it: PostgreSQL has no NUL."""
    if text is None or text.isprintable():
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
