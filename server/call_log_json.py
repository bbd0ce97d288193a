"""What the documented call log and history speak, as values; see management.py.

The names are those that OmniRoute documents: in camel case, times in ISO 8601 and milliseconds,
money in dollars. A row is one request; its attempts are in the row of its id. Prompts and
answers are kept of keys alone that wish it: of others `requestBody` and `responseBody` are null,
and so they are for anybody but an administrator.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from .management_usage import NANOS, moment
from .redacting import redacted
from .store.call_log import Minute
from .store.database import Row
from .wording import Words

OK, CLIENT_GONE, REFUSED, FAILED = 200, 499, 403, 502
_BY_CODE = {
    "invalid_api_key": 401,
    "budget_exceeded": 402,
    "insufficient_scope": 403,
    "model_not_found": 404,
    "not_found": 404,
    "rate_limit_exceeded": 429,
    "no_candidate": 503,
    "storage_unavailable": 503,
    "loop_detected": 508,
    "bad_request": 400,
    "unsupported_feature": 400,
    "request_too_large": 413,
}
"""Statuses of errors; what a provider's failure was answered with depends on the door."""


class TokensJson(Struct, frozen=True, rename="camel"):
    """The tokens of a request; cached and written ones are a part of `in`, reasoning of `out`."""

    into: int = msgspec.field(name="in")
    out: int
    cache_read: int
    cache_write: int
    reasoning: int


class TriedJson(Struct, frozen=True, rename="camel"):
    """One call to a provider; `started` and `duration` are milliseconds from the first call on."""

    number: int
    provider: str
    model: str
    connection_id: str
    started: int
    duration: int
    error: str | None
    detail: str
    provider_status: int | None
    model_served: str | None


class LoggedJson(Struct, frozen=True, rename="camel"):
    """One request. `cost` is null where the price was unknown, `repricedCost` before a repricing.

    `status` is the HTTP status it was answered with, 502 for a provider's failure of any kind.
    """

    id: str
    timestamp: str
    status: int
    outcome: str
    door: str
    request_type: str
    stream: bool
    requested_model: str
    model: str | None
    model_served: str | None
    provider: str | None
    account: str | None
    connection_id: str | None
    duration: int
    first_token: int | None
    tokens: TokensJson
    cost: float | None
    repriced_cost: float | None
    target_format: str | None
    api_key_id: str
    api_key_name: str | None
    combo_name: str | None
    session_id: str | None
    attempts: int
    simulated: bool
    error: str | None
    error_detail: str | None


class LoggedDetailJson(Struct, frozen=True, rename="camel"):
    """One request with its calls, and what was asked and answered where its key has it kept.

    A body is JSON as it was sent, without credentials; a streamed answer is the whole one that it
    adds up to. Of what is too long it is text: the beginning and the end.
    """

    request: LoggedJson
    tried: tuple[TriedJson, ...]
    request_body: Any
    response_body: Any
    has_request_body: bool
    has_response_body: bool


class HistoryPartJson(Struct, frozen=True, rename="camel"):
    """Requests that have something in common; `cost` adds up the known ones."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


class ActiveJson(Struct, frozen=True, rename="camel"):
    """Calls under way to one account."""

    connection_id: str
    provider: str | None
    count: int


class PendingJson(Struct, frozen=True, rename="camel"):
    """Calls under way, by account."""

    by_account: dict[str, int]


class HistoryJson(Struct, frozen=True, rename="camel"):
    """What was used since the beginning of the record, and in the last ten minutes."""

    total_requests: int
    total_prompt_tokens: int
    total_completion_tokens: int
    total_cost: float
    by_provider: dict[str, HistoryPartJson]
    by_model: dict[str, HistoryPartJson]
    by_account: dict[str, HistoryPartJson]
    by_api_key: dict[str, HistoryPartJson]
    last10_minutes: tuple[HistoryPartJson, ...] = msgspec.field(name="last10Minutes")
    pending: PendingJson
    active_requests: tuple[ActiveJson, ...]


class _Tried(Struct):
    number: int
    provider: str
    account_id: str
    model: str
    dialect: str
    started_s: float
    ended_s: float
    failure: str | None = None
    detail: str = ""
    provider_status: int | None = None
    model_served: str | None = None


_tried = msgspec.json.Decoder(tuple[_Tried, ...])


def logged_json(row: Row, keys: Mapping[str, str], accounts: Mapping[str, str]) -> LoggedJson:
    """Give one request; `keys` and `accounts` are names by id."""
    calls = _tried.decode(row["tried"])
    account_id = row["account_id"]
    return LoggedJson(
        id=row["request_id"],
        timestamp=moment(row["at_unix_s"]),
        status=_status(row["status"], row["error"]),
        outcome=row["status"],
        door=row["door"],
        request_type=row["kind"],
        stream=bool(row["stream"]),
        requested_model=row["target"],
        model=row["model"],
        model_served=row["model_served"],
        provider=row["provider"],
        account=None if account_id is None else accounts.get(account_id, account_id),
        connection_id=account_id,
        duration=round(row["total_s"] * 1000),
        first_token=_ms(row["first_content_s"]),
        tokens=TokensJson(
            int(row["input_tokens"]),
            int(row["output_tokens"]),
            int(row["cached_input_tokens"]),
            int(row["cache_write_tokens"]),
            int(row["reasoning_tokens"]),
        ),
        cost=_dollars(row["cost_usd_nanos"]),
        repriced_cost=_dollars(row["repriced_usd_nanos"]),
        target_format=calls[-1].dialect if calls else None,
        api_key_id=row["key_id"],
        api_key_name=keys.get(row["key_id"]),
        combo_name=row["combo"],
        session_id=row["session_id"],
        attempts=int(row["attempts"]),
        simulated=bool(row["simulated"]),
        error=row["error"],
        error_detail=redacted(row["error_detail"]) if row["error"] else None,
    )


def detail_json(
    row: Row, keys: Mapping[str, str], accounts: Mapping[str, str], words: Words | None
) -> LoggedDetailJson:
    """Give one request with its calls, and what was kept of its words."""
    calls = _tried.decode(row["tried"])
    first_s = calls[0].started_s if calls else 0.0
    tried = tuple(
        TriedJson(
            number=one.number,
            provider=one.provider,
            model=one.model,
            connection_id=one.account_id,
            started=round((one.started_s - first_s) * 1000),
            duration=round((one.ended_s - one.started_s) * 1000),
            error=one.failure,
            detail=redacted(one.detail),
            provider_status=one.provider_status,
            model_served=one.model_served,
        )
        for one in calls
    )
    return LoggedDetailJson(
        logged_json(row, keys, accounts),
        tried,
        request_body=None if words is None else words.asked,
        response_body=None if words is None else words.answered,
        has_request_body=words is not None,
        has_response_body=words is not None and words.answered is not None,
    )


def line_of(one: LoggedJson) -> str:
    """Give a request as one line of text, as OmniRoute's request log has it."""
    who = f"{one.provider}/{one.model}" if one.provider else "-"
    parts = (
        one.timestamp,
        one.api_key_name or one.api_key_id,
        one.requested_model,
        who,
        str(one.status),
        f"{one.duration} ms",
        f"in {one.tokens.into}",
        f"out {one.tokens.out}",
        "cost unknown" if one.cost is None else f"${one.cost:.6f}",
    )
    return " | ".join(" ".join(part.split()) for part in parts)


def last_minutes(found: Mapping[int, Minute], number: int) -> tuple[HistoryPartJson, ...]:
    """Give the last minutes, the oldest first; those in which nothing was asked, too."""
    nothing = Minute(0, 0, 0, 0, 0)
    rows = (found.get(ago, nothing) for ago in reversed(range(number)))
    return tuple(
        HistoryPartJson(
            one.requests, one.input_tokens, one.output_tokens, one.cost_usd_nanos / NANOS
        )
        for one in rows
    )


def _status(status: str, error: str | None) -> int:
    if status == "answered":
        return OK
    if status == "client_gone":
        return CLIENT_GONE
    return _BY_CODE.get(error or "", REFUSED if status == "refused" else FAILED)


def _dollars(nanos: int | None) -> float | None:
    return None if nanos is None else int(nanos) / NANOS


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
