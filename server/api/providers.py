"""Accounts at providers: list, add, remove, and a short real call to one."""

import uuid
from collections.abc import Mapping

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

from ..accounts import AccountEntry, make_account
from ..management import (
    AccountJson,
    AccountsJson,
    AccountWish,
    TestJson,
    account_json,
)
from .rows import Row, body_as

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

    async def list_all(request: Request, caller: Caller) -> AccountsJson:
        accounts = gateway.view.configs.current().accounts
        return AccountsJson(tuple(account_json(one, environment) for one in accounts))

    async def add(request: Request, caller: Caller) -> AccountJson:
        wish = await body_as(request, AccountWish)
        entry = AccountEntry(
            provider=wish.provider,
            base_url=wish.base_url,
            dialect=wish.dialect,
            key=wish.key,
            name=wish.name,
            models=wish.models,
            headers=tuple(wish.headers.items()),
            proxy=wish.proxy,
            http2=wish.http2,
        )
        account = make_account(
            entry, account_id=f"account-{uuid.uuid4().hex[:12]}", own_urls=own_urls
        )
        await gateway.control.put_account(account, caller)
        return account_json(account, environment)

    async def remove(request: Request, caller: Caller) -> None:
        account = find_account(gateway, request.path_params["account"])
        if account.source != "database":
            raise BadRequest(
                f"{account.provider} was found ({account.source}), it is not stored: unset its "
                "variable or stop its server"
            )
        await gateway.control.remove_account(account.account_id, caller)

    async def test(request: Request, caller: Caller) -> TestJson:
        account = find_account(gateway, request.path_params["account"])
        return await try_account(gateway, upstream, account, request.query_params.get("model", ""))

    return (
        Row("GET", "/api/providers", "admin", "List accounts at providers", list_all),
        Row("POST", "/api/providers", "admin", "Add an account", add, 201),
        Row("DELETE", "/api/providers/{account}", "admin", "Remove an account", remove, 204),
        Row("POST", "/api/providers/{account}/test", "admin", "Call an account once", test),
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
        facts=view.facts(account.provider, wanted),
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
