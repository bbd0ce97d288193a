"""The call log and the history in the documented shapes: what was asked, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request

from omniroute.routing.access import ADMIN
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.usage import Dimension, Selection, UsageRow

from ..call_log_json import (
    ActiveJson,
    HistoryJson,
    HistoryPartJson,
    LoggedDetailJson,
    LoggedJson,
    PendingJson,
    detail_json,
    last_minutes,
    line_of,
    logged_json,
)
from ..management_usage import NANOS
from ..storage import Storage
from ..store.call_log import ROWS_MAX, STATUS_NAMES, Filters, call_log, logged, minutes
from .pages import CURSOR, cursor_of, tell_next
from .queries import WINDOW, Query, count, flag_in, moment_in
from .rows import Row, number

LOG_PATH = "/api/usage/call-logs"
LINES = 200
ROWS = 100
MINUTES = 10
MS_MAX = 86_400_000
_FILTERS = (
    Query("status", str, f"one of {', '.join(STATUS_NAMES)}"),
    Query("model", str, "asked for, or that answered"),
    Query("provider", str, "that answered"),
    Query("account", str, "the id or the name of the account that answered"),
    Query("apiKey", str, "the id or the name of a key"),
    Query("combo", str, "that was asked for"),
    Query("search", str, "a part of an id, a name or an error"),
    Query("answeredBy", str, "provider/model of who answered"),
    Query("error", str, "the class of the error"),
    *WINDOW,
    Query("cached", bool, "whether a part of the prompt was in the provider's cache"),
    Query("priced", bool, "whether the cost is known"),
    Query("minMs", count(0, MS_MAX), "took at least so many milliseconds"),
    Query("minFirstMs", count(0, MS_MAX), "the first content took at least so many"),
    Query("without", Literal["provider", "combo"], "nobody answered; no combo was named"),
    Query("before", str, "the id of a request: only older ones, for the next page"),
    Query("limit", count(1, ROWS_MAX), f"how many; {ROWS} unless said"),
    CURSOR,
)


@dataclass(frozen=True, slots=True)
class _Log:
    gateway: Gateway
    storage: Storage

    async def rows(self, caller: Caller, filters: Filters, limit: int) -> tuple[LoggedJson, ...]:
        """Give requests of the caller's own key, and of all for admin."""
        await self._gathered()
        keys, accounts = self.names()
        found = await call_log(self.storage.database, filters, limit)
        return tuple(logged_json(row, keys, accounts) for row in found)

    async def one(self, caller: Caller, request_id: str) -> LoggedDetailJson:
        """Give one request.

        Raises:
            NotFound: none has that id, or it is another key's.
        """
        await self._gathered()
        row = await logged(self.storage.database, request_id, _owner(caller))
        if row is None:
            raise NotFound(f"no request {request_id[:80]!r} is on record for this key")
        words = None
        if ADMIN in caller.scopes:
            words = await self.storage.contents.find(request_id)
        return detail_json(row, *self.names(), words)

    def names(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Give the names of keys and of accounts, by their ids."""
        keys = {one.key_id: one.terms.name for one in self.storage.keys.all()}
        config = self.storage.configs.current()
        return keys, {one.account_id: one.name or one.provider for one in config.accounts}

    async def _gathered(self) -> None:
        await self.storage.ledger.flush()
        await self.storage.ledger.gather()


def rows(gateway: Gateway, storage: Storage) -> tuple[Row, ...]:
    """Give the routes."""
    log = _Log(gateway, storage)

    async def listed(request: Request, caller: Caller) -> tuple[LoggedJson, ...]:
        limit = number(request, "limit", ROWS, least=1, most=ROWS_MAX)
        found = await log.rows(caller, _filters(request, caller, log), limit)
        if len(found) == limit:
            tell_next(request, (found[-1].id,))
        return found

    async def one(request: Request, caller: Caller) -> LoggedDetailJson:
        return await log.one(caller, request.path_params["request_id"])

    async def lines(request: Request, caller: Caller) -> tuple[str, ...]:
        found = await log.rows(caller, _filters(request, caller, log), LINES)
        return tuple(map(line_of, found))

    async def history(request: Request, caller: Caller) -> HistoryJson:
        return await _history(gateway, storage, caller)

    return (
        Row("GET", LOG_PATH, "read:usage", "Requests on record", listed, query=_FILTERS),
        Row("GET", f"{LOG_PATH}/{{request_id}}", "read:usage", "One of them", one),
        Row("GET", "/api/usage/logs", "read:usage", "The newest requests as lines", lines),
        Row("GET", "/api/usage/request-logs", "read:usage", "The same", lines),
        Row("GET", "/api/usage/history", "read:usage", "What was used on record", history),
    )


def _filters(request: Request, caller: Caller, log: _Log) -> Filters:
    query = request.query_params
    status = query.get("status") or None
    if status is not None and status not in STATUS_NAMES:
        raise BadRequest(f"status is one of {', '.join(STATUS_NAMES)}", field="status")
    keys, accounts = log.names()
    named, account = query.get("apiKey") or None, query.get("account") or None
    key_ids = None if named is None else _ids(named, keys)
    owner, after = _owner(caller), cursor_of(request, tuple[str])
    if owner is not None:
        key_ids = (owner,) if key_ids is None or owner in key_ids else ()
    return Filters(
        key_ids=key_ids,
        status=status,
        model=query.get("model") or None,
        provider=query.get("provider") or None,
        account_ids=None if account is None else _ids(account, accounts),
        combo=query.get("combo") or None,
        search=query.get("search") or None,
        answered_by=query.get("answeredBy") or None,
        error=query.get("error") or None,
        since_unix_s=moment_in(request, "since"),
        until_unix_s=moment_in(request, "until"),
        cached=flag_in(request, "cached"),
        priced=flag_in(request, "priced"),
        total_s_min=_seconds(request, "minMs"),
        first_content_s_min=_seconds(request, "minFirstMs"),
        without=query.get("without") or None,
        before=after[0] if after is not None else query.get("before") or None,
    )


def _seconds(request: Request, name: str) -> float | None:
    text = request.query_params.get(name, "")
    return int(text) / 1000 if text else None


def _ids(named: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Give the ids of a name, with what may be an id itself before them."""
    return (named, *(one for one, name in names.items() if name == named))


def _owner(caller: Caller) -> str | None:
    return None if ADMIN in caller.scopes else caller.key_id


async def _history(gateway: Gateway, storage: Storage, caller: Caller) -> HistoryJson:
    view, database = gateway.view, storage.database
    every: tuple[Dimension, ...] = ("provider", "model", "account", "key")
    usage = await view.usage.report(caller, Selection(0.0), every)
    now_unix_s, owner = view.clock.unix(), _owner(caller)
    recent = await minutes(database, now_unix_s=now_unix_s, number=MINUTES, key_id=owner)
    providers = {one.account_id: one.provider for one in view.configs.current().accounts}
    calls = {name: calls for name, (calls, _) in gateway.route.loads.by_account().items() if calls}
    # Others' calls are not this key's to see.
    active = calls if owner is None else {}
    total = usage.whole.total
    parts = {one: {row.name or "none": _part(row) for row in usage.by[one]} for one in every}
    return HistoryJson(
        total_requests=total.requests,
        total_prompt_tokens=total.input_tokens,
        total_completion_tokens=total.output_tokens,
        total_cost=total.cost_usd_nanos / NANOS,
        by_provider=parts["provider"],
        by_model=parts["model"],
        by_account=parts["account"],
        by_api_key=parts["key"],
        last10_minutes=last_minutes({one.ago: one for one in recent}, MINUTES),
        pending=PendingJson(active),
        active_requests=tuple(
            ActiveJson(one, providers.get(one), count) for one, count in active.items()
        ),
    )


def _part(row: UsageRow) -> HistoryPartJson:
    total = row.total
    return HistoryPartJson(
        total.requests, total.input_tokens, total.output_tokens, total.cost_usd_nanos / NANOS
    )
