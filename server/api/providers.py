"""Accounts at providers: list, show, add, change, remove, and a short real call to one."""

import uuid
from collections.abc import Callable, Mapping
from functools import partial

from msgspec import structs
from starlette.requests import Request

from omniroute.routing.catalog.resolve import models_of
from omniroute.routing.conversation import Chat, Message, Text
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BadRequest, NotFound, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Account, Call, Caller, Candidate, Operation
from omniroute.routing.ports import Upstream
from omniroute.routing.wire.operations import operation_of_chat
from omniroute.routing.wire.services.probing import probe_of

from ..account_edits import changed_account, wish_of, wished_account
from ..management import (
    AccountJson,
    AccountsJson,
    AccountWish,
    TestJson,
    account_json,
)
from .editing import Thing
from .pages import Lists
from .queries import Query
from .rows import Row, body_as, named, patched

PATH = "/api/providers"
ONE = f"{PATH}/{{account}}"
LISTED = Lists(
    "providers",
    lambda one: (one.provider, one.account_id),
    (
        Query("provider", str, "only accounts at this provider"),
        Query("source", str, "only accounts from there: database, environment, probe, builtin"),
        Query("enabled", bool, "only accounts that are, or are not"),
    ),
)
TEST_TEXT = "Reply with the single word: pong"
TEST_OUTPUT_TOKENS = 16


def rows(
    gateway: Gateway,
    upstream: Upstream,
    *,
    environment: Mapping[str, str],
    own_urls: tuple[str, ...],
) -> tuple[Row, ...]:
    """Give the routes.

    Args:
        gateway: reads and changes the configuration.
        upstream: what a test call goes through: no health and no budget are touched.
        environment: where accounts of source "environment" have their keys from.
        own_urls: where this gateway is reached: no account may point there.
    """

    def shown(account: Account) -> AccountJson:
        return account_json(account, environment, seed=gateway.view.configs.current().seed)

    async def list_all(request: Request, caller: Caller) -> AccountsJson:
        accounts = gateway.view.configs.current().accounts
        return AccountsJson(tuple(shown(one) for one in accounts))

    async def add(request: Request, caller: Caller) -> AccountJson:
        wish = await body_as(request, AccountWish)
        account_id = f"account-{uuid.uuid4().hex[:12]}"
        account = wished_account(wish, account_id=account_id, own_urls=own_urls)
        await gateway.control.put_account(account, caller)
        return shown(account)

    async def test(request: Request, caller: Caller) -> TestJson:
        account = find_account(gateway, request.path_params["account"])
        return await try_account(gateway, upstream, account, request.query_params.get("model", ""))

    return (
        Row("GET", PATH, "admin", "List accounts at providers", list_all, lists=LISTED),
        Row("POST", PATH, "admin", "Add an account", add, 201, AccountWish),
        Row(
            *("POST", f"{ONE}/test", "admin", "Call an account once", test),
            query=(Query("model", str, "the model to call; the account's first without"),),
        ),
        *_rows_of_one(gateway, shown, own_urls),
    )


def _rows_of_one(
    gateway: Gateway, shown: Callable[[Account], AccountJson], own_urls: tuple[str, ...]
) -> tuple[Row, ...]:
    async def show(request: Request, caller: Caller) -> AccountJson:
        return shown(find_account(gateway, request.path_params["account"]))

    async def change(request: Request, caller: Caller) -> AccountJson:
        before = find_account(gateway, request.path_params["account"])
        _refuse_found(before)
        wish, names = await patched(request, wish_of(before)), await named(request)
        account = changed_account(before, wish, names=names, own_urls=own_urls)
        await gateway.control.put_account(account, caller)
        return shown(account)

    async def remove(request: Request, caller: Caller) -> None:
        account = find_account(gateway, request.path_params["account"])
        _refuse_found(account)
        await gateway.control.remove_account(account.account_id, caller)

    thing = Thing(show)
    changing = partial(Row, handle=change, body=AccountWish, merges=True, thing=thing)
    return (
        Row("GET", ONE, "admin", "One account", show, thing=thing),
        changing("PUT", ONE, "admin", "Change an account"),
        changing("PATCH", ONE, "admin", "Change an account"),
        Row("DELETE", ONE, "admin", "Remove an account", remove, 204, thing=thing),
    )


def _refuse_found(account: Account) -> None:
    if account.source != "database":
        raise BadRequest(
            f"{account.provider} was found ({account.source}), it is not stored: unset its "
            "variable or stop its server"
        )


def find_account(gateway: Gateway, wanted: str) -> Account:
    """Give an account by its id, its name or its provider when it has only one.

    Raises:
        NotFound: there is none.
        BadRequest: the provider has several.
    """
    accounts = gateway.view.configs.current().accounts
    for account in accounts:
        if wanted == account.account_id or (account.name and wanted == account.name):
            return account
    found = [one for one in accounts if one.provider == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(one.account_id for one in found)
        raise BadRequest(f"{wanted} has several accounts, name one: {ids}")
    raise NotFound(f"no account is named {wanted!r}; `omniroute providers list` shows them")


async def try_account(
    gateway: Gateway, upstream: Upstream, account: Account, model: str
) -> TestJson:
    """Ask one model of the account for a word, and tell how it went."""
    view, clock = gateway.view, gateway.view.clock
    wanted, operation = _asked(gateway, account, model)
    candidate = Candidate(
        account_id=account.account_id,
        provider=account.provider,
        model=wanted,
        dialect=account.dialect,
        facts=view.facts_in_force(account.provider, wanted),
        simulated=account.simulated,
        local=account.local,
    )
    limits = structs.replace(
        gateway.route.preparer.limits, total_s=gateway.route.preparer.limits.idle_s
    )
    call = Call(new_request_id(), 1, candidate, account, operation, limits)
    began_s = clock.now()
    try:
        answer = await upstream.open(call)
        try:
            async for _ in answer:
                pass
        finally:
            answer.close()
    except RoutingError as error:
        return TestJson(ok=False, model=wanted, error=str(error))
    return TestJson(ok=True, model=wanted, latency_ms=round((clock.now() - began_s) * 1000))


def _asked(gateway: Gateway, account: Account, model: str) -> tuple[str, Operation]:
    """Give the model that is asked, the account's first one for chats if it can be, and for what.

    Raises:
        BadRequest: the account lists none, or asking it costs too much.
    """
    known = (model,) if model else models_of(account)
    if not known:
        raise BadRequest("this account lists no models: name one with ?model=", field="model")
    for wanted in known:
        if "chat" in gateway.view.facts(account.provider, wanted).capabilities:
            chat = Chat(
                (Message("user", (Text(TEST_TEXT),)),), output_tokens_max=TEST_OUTPUT_TOKENS
            )
            return wanted, operation_of_chat(chat, target=wanted)
    for wanted in known:
        for kind in gateway.view.facts(account.provider, wanted).capabilities:
            operation = probe_of(kind, wanted)
            if operation is not None:
                return wanted, operation
    raise BadRequest(
        f"{known[0]} is not asked for a test, which would cost as much as the real thing",
        field="model",
    )
