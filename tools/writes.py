"""Tools that change settings: a key's spending, a combo's switch, the resilience profile."""

from typing import Annotated, Literal

from msgspec import Meta

from omniroute.routing.catalog.resolve import ATTEMPTS_MAX
from omniroute.routing.errors import BadRequest
from omniroute.routing.guard import Action, GuardTerms, Tier
from omniroute.routing.health.profiles import Profile
from omniroute.routing.preference import ProfileName
from omniroute.routing.prepare import Patience

from .invocation import Invocation
from .routes import BUDGET_USD_MAX, ComboNamed, nanos
from .shapes import Arguments, Result
from .units import milliseconds

WARNS_BELOW_PERCENT = 20
"""The share of a guard that is left when its status is `warning`."""


class SetBudgetGuard(Arguments, frozen=True):
    """What omniroute_set_budget_guard takes."""

    max_cost: Annotated[
        float,
        Meta(gt=0, le=BUDGET_USD_MAX, description="US dollars that may be spent under it."),
    ]
    action: Annotated[
        Action,
        Meta(
            description="What happens when it cannot pay: block refuses before any provider is "
            "called, degrade keeps to cheaper models once 80 % is spent, alert only warns."
        ),
    ]
    degrade_to_tier: Annotated[Tier, Meta(description="Whom degrade keeps to.")] = "cheap"
    restart: Annotated[
        bool,
        Meta(description="Count from now on; else what was spent under the guard so far stays."),
    ] = False


class BudgetGuard(Result, frozen=True):
    """What omniroute_set_budget_guard gives."""

    session_id: Annotated[
        str, Meta(description="What is guarded: the key that called, with all its requests.")
    ]
    budget_total: Annotated[float, Meta(description="US dollars.")]
    budget_spent: Annotated[float, Meta(description="US dollars spent under the guard.")]
    budget_remaining: Annotated[float, Meta(description="US dollars that can still be set aside.")]
    budget_held: Annotated[float, Meta(description="US dollars set aside for requests under way.")]
    action: Action
    degrade_to_tier: Annotated[Tier | None, Meta(description="null: the action is another one.")]
    status: Annotated[
        Literal["active", "warning", "exceeded"],
        Meta(description="warning: less than 20 % is left; exceeded: nothing is."),
    ]
    budget_id: Annotated[str, Meta(description="Its id among the budgets.")]


async def set_budget_guard(call: Invocation, arguments: SetBudgetGuard) -> BudgetGuard:
    """Run omniroute_set_budget_guard.

    Raises:
        BadRequest: the cost is less than a nano-dollar.
    """
    cap = nanos(arguments.max_cost)
    if not cap:
        raise BadRequest("maxCost is at least 0.000000001 US dollars", field="maxCost")
    terms = GuardTerms(cap, arguments.action, arguments.degrade_to_tier)
    guard = await call.gateway.control.set_budget_guard(
        terms, call.caller, restart=arguments.restart
    )
    spent, held = guard.spent_usd_nanos, guard.held_usd_nanos
    left = max(0, cap - spent - held)
    return BudgetGuard(
        session_id=guard.owner,
        budget_total=cap / 1e9,
        budget_spent=spent / 1e9,
        budget_remaining=left / 1e9,
        budget_held=held / 1e9,
        action=terms.action,
        degrade_to_tier=terms.tier if terms.action == "degrade" else None,
        status=guard_status(cap, left),
        budget_id=guard.budget_id,
    )


def guard_status(cap: int, left: int) -> Literal["active", "warning", "exceeded"]:
    """Give how a guard stands."""
    if left == 0:
        return "exceeded"
    return "warning" if left * 100 < cap * WARNS_BELOW_PERCENT else "active"


class SetResilienceProfile(Arguments, frozen=True):
    """What omniroute_set_resilience_profile takes."""

    profile: Annotated[
        ProfileName,
        Meta(
            description="aggressive gives a provider up after 3 failures and is back after 15 s, "
            "balanced after 5 and 30 s, conservative after 8 and 60 s."
        ),
    ]


class SwitchCombo(Arguments, frozen=True):
    """What omniroute_switch_combo takes."""

    combo_id: ComboNamed
    active: Annotated[
        bool, Meta(description="true: it can be asked for; false: it is switched off.")
    ]


class SwitchedCombo(Result, frozen=True):
    """The combo as it is now."""

    id: str
    name: str
    enabled: bool


class ComboSwitched(Result, frozen=True):
    """What omniroute_switch_combo gives."""

    success: bool
    combo: SwitchedCombo


async def switch_combo(call: Invocation, arguments: SwitchCombo) -> ComboSwitched:
    """Run omniroute_switch_combo.

    Raises:
        NotFound: no combo has that name or id.
    """
    combo = await call.gateway.control.switch_combo(
        arguments.combo_id, call.caller, active=arguments.active
    )
    return ComboSwitched(True, SwitchedCombo(combo.combo_id, combo.name, combo.active))


class ResilienceSettings(Result, frozen=True):
    """The numbers in force."""

    circuit_breaker_threshold: Annotated[
        int, Meta(description="Failures in a row that open a circuit.")
    ]
    retry_count: Annotated[
        int, Meta(description="Further calls of one candidate, where its combo says nothing.")
    ]
    timeout_ms: Annotated[
        int, Meta(description="For a whole request, where its combo says nothing.")
    ]
    fallback_depth: Annotated[
        int, Meta(description="Candidates tried, where its combo says nothing.")
    ]
    circuit_breaker_reset_ms: Annotated[
        int, Meta(description="How long a circuit stays open the first time.")
    ]
    transient_cooldown_ms: Annotated[int, Meta(description="The base of an overload's rest.")]
    rate_limit_cooldown_ms: Annotated[
        int, Meta(description="The base of a rate limit's rest where the provider gives no hint.")
    ]
    max_backoff_level: Annotated[int, Meta(description="How often a base is doubled at most.")]
    requests_per_minute: Annotated[
        int, Meta(description="For an account that refused for its rate and tells no limit.")
    ]
    min_time_between_requests_ms: Annotated[int, Meta(description="For such an account.")]
    concurrent_requests: Annotated[int, Meta(description="For such an account.")]


class ResilienceSet(Result, frozen=True):
    """What omniroute_set_resilience_profile gives."""

    applied: bool
    profile: ProfileName
    settings: ResilienceSettings


async def set_resilience_profile(
    call: Invocation, arguments: SetResilienceProfile
) -> ResilienceSet:
    """Run omniroute_set_resilience_profile."""
    profile = await call.gateway.control.set_resilience_profile(arguments.profile, call.caller)
    return ResilienceSet(applied=True, profile=profile.name, settings=_settings(call, profile))


def _settings(call: Invocation, profile: Profile) -> ResilienceSettings:
    return ResilienceSettings(
        circuit_breaker_threshold=profile.failures_max,
        retry_count=Patience().retries,
        timeout_ms=milliseconds(call.gateway.route.preparer.limits.total_s),
        fallback_depth=ATTEMPTS_MAX,
        circuit_breaker_reset_ms=milliseconds(profile.open_s),
        transient_cooldown_ms=milliseconds(profile.transient_s),
        rate_limit_cooldown_ms=milliseconds(profile.rate_limit_s),
        max_backoff_level=profile.level_max,
        requests_per_minute=profile.requests_per_minute_max,
        min_time_between_requests_ms=milliseconds(profile.gap_s_min),
        concurrent_requests=profile.concurrency_max,
    )
