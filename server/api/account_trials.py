"""Trials in the documented shapes: of a key before it is kept, of accounts, of a combo."""

import asyncio
from collections.abc import Sequence
from typing import assert_never

from starlette.requests import Request

from omniroute.routing.catalog.providers import provider_named
from omniroute.routing.errors import BadRequest, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Account, Caller
from omniroute.routing.ports import Upstream
from omniroute.routing.trials import Question, Trial, plan_trials, try_models

from ..accounts import AccountEntry, make_account
from ..management import TestJson
from ..management_usage import moment
from ..trials_json import (
    BatchJson,
    BatchMode,
    BatchSummaryJson,
    BatchWish,
    ComboTestJson,
    ComboTestWish,
    TriedAccountJson,
    TriedModelJson,
    ValidateWish,
    ValidJson,
)
from .providers import try_account
from .rows import Row, body_as

AT_ONCE = 5
TRIAL_S_MAX = 30.0
ACCOUNTS_MAX = 100
"""Accounts tried by one call."""


def rows(gateway: Gateway, upstream: Upstream, *, own_urls: tuple[str, ...]) -> tuple[Row, ...]:
    """Give the routes.

    Args:
        gateway: reads the configuration.
        upstream: what a call goes through: no health and no budget are touched.
        own_urls: where this gateway is reached: no account may point there.
    """

    async def validate(request: Request, caller: Caller) -> ValidJson:
        wish = await body_as(request, ValidateWish)
        entry = AccountEntry(wish.provider, base_url=wish.base_url, key=wish.api_key or None)
        account = make_account(entry, own_urls=own_urls)
        tried = await _timed(gateway, upstream, account, wish.model)
        return ValidJson(tried.ok, tried.error or None)

    async def batch(request: Request, caller: Caller) -> BatchJson:
        return await _batch(gateway, upstream, await body_as(request, BatchWish))

    async def combo(request: Request, caller: Caller) -> ComboTestJson:
        wish = await body_as(request, ComboTestWish)
        return await _combo(gateway, wish.combo_name, caller)

    return (
        Row(
            *("POST", "/api/providers/validate", "admin", "Try a key without keeping it"),
            validate,
            body=ValidateWish,
        ),
        Row(
            *("POST", "/api/providers/test-batch", "admin", "Call several accounts once"),
            batch,
            body=BatchWish,
        ),
        Row(
            *("POST", "/api/combos/test", "write:route", "Call each model of a combo once", combo),
            body=ComboTestWish,
        ),
    )


async def _timed(gateway: Gateway, upstream: Upstream, account: Account, model: str) -> TestJson:
    try:
        async with asyncio.timeout(TRIAL_S_MAX):
            return await try_account(gateway, upstream, account, model)
    except TimeoutError:
        return TestJson(ok=False, error=f"no answer within {TRIAL_S_MAX:g} s")
    except RoutingError as error:
        return TestJson(ok=False, error=str(error))


async def _batch(gateway: Gateway, upstream: Upstream, wish: BatchWish) -> BatchJson:
    view, room = gateway.view, asyncio.Semaphore(AT_ONCE)

    async def one(account: Account) -> TriedAccountJson:
        async with room:
            tried = await _timed(gateway, upstream, account, "")
            return _tried(account, tried, moment(view.clock.unix()))

    meant = _meant(view.configs.current().accounts, wish)
    results = tuple(await asyncio.gather(*map(one, meant)))
    passed = sum(one.valid for one in results)
    return BatchJson(
        mode=wish.mode,
        provider_id=wish.provider_id,
        results=results,
        tested_at=moment(view.clock.unix()),
        summary=BatchSummaryJson(len(results), passed, len(results) - passed),
    )


async def _combo(gateway: Gateway, name: str, caller: Caller) -> ComboTestJson:
    plan = plan_trials(gateway.route, name, Question())
    trials: dict[str, Trial] = {}

    async def told(trial: Trial) -> None:
        trials[trial.model] = trial

    await try_models(gateway.route, plan, caller, told)
    results = tuple(_model(trials[name]) for name in plan.models)
    combos = gateway.view.configs.current().combos
    return ComboTestJson(
        combo_name=plan.combo,
        strategy=next(one.strategy for one in combos if one.name == plan.combo),
        resolved_by=next((one.model for one in results if one.status == "ok"), None),
        results=results,
        tested_at=moment(gateway.view.clock.unix()),
    )


def _meant(accounts: Sequence[Account], wish: BatchWish) -> list[Account]:
    """Give the enabled accounts that a batch is about.

    Raises:
        BadRequest: of mode provider without one, or more than ACCOUNTS_MAX.
    """
    if wish.mode == "provider" and not wish.provider_id:
        raise BadRequest("mode provider needs providerId", field="providerId")
    known = provider_named(wish.provider_id or "")
    provider = wish.provider_id if known is None else known.name
    found = [
        one
        for one in accounts
        if one.enabled and not one.simulated and _is_meant(one, wish.mode, provider)
    ]
    if len(found) > ACCOUNTS_MAX:
        raise BadRequest(
            f"these are {len(found)} accounts, of at most {ACCOUNTS_MAX}: name a provider"
        )
    return found


def _is_meant(account: Account, mode: BatchMode, provider: str | None) -> bool:
    """Whether an account is of a kind; there are none by OAuth."""
    match mode:
        case "all":
            return True
        case "provider":
            return account.provider == provider
        case "apikey":
            return account.credential is not None
        case "free":
            return account.credential is None
        case "compatible":
            return provider_named(account.provider) is None
        case "oauth":
            return False
        case _:
            assert_never(mode)


def _tried(account: Account, tried: TestJson, at: str) -> TriedAccountJson:
    return TriedAccountJson(
        provider=account.provider,
        connection_id=account.account_id,
        connection_name=account.name or account.provider,
        valid=tried.ok,
        model=tried.model,
        latency_ms=tried.latency_ms if tried.ok else None,
        error=tried.error or None,
        tested_at=at,
    )


def _model(trial: Trial) -> TriedModelJson:
    return TriedModelJson(
        model=trial.model,
        status="ok" if trial.ok else "error",
        error=trial.error or None,
        latency_ms=round(trial.total_s * 1000),
        request_id=trial.request_id,
    )
