"""The MCP tools, one row each: what it is called, who may call it, what it takes and gives.

Names, arguments and results are those that OmniRoute documents; further fields are ours.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from . import (
    advice,
    explanations,
    metrics,
    quotas,
    reads,
    routes,
    simulations,
    trials,
    usage,
    writes,
)
from .invocation import Invocation
from .shapes import Arguments, Result

Takes = TypeVar("Takes", bound=Arguments)
Gives = TypeVar("Gives", bound=Result)


@dataclass(frozen=True, slots=True)
class Tool(Generic[Takes, Gives]):
    """One MCP tool.

    Attributes:
        scope: what a key must carry to see and to call it; the gateway asks for it again.
        description: what a model reads when it chooses a tool.
        changes: it does more than read: it calls a provider, or changes a setting.
        replaces: what it sets takes the place of what was set before (MCP's destructive hint);
            other changes only add.
        repeatable: called again with the same arguments it changes nothing more.
        open_world: it reaches services outside of the gateway.
    """

    name: str
    scope: str
    title: str
    description: str
    takes: type[Takes]
    gives: type[Gives]
    run: Callable[[Invocation, Takes], Awaitable[Gives]]
    changes: bool = False
    replaces: bool = False
    repeatable: bool = False
    open_world: bool = False


TABLE: tuple[Tool[Any, Any], ...] = (
    Tool(
        name="omniroute_get_health",
        scope="read:health",
        title="Gateway health",
        description=(
            "Tell how the gateway is: uptime, version, memory, circuit breakers with recent "
            "failures, and which providers rest because of a rate limit. Use it when requests "
            "fail or are slow, before you blame a model; omniroute_check_quota tells what is left "
            "at each account."
        ),
        takes=reads.NoArguments,
        gives=reads.Health,
        run=reads.get_health,
    ),
    Tool(
        name="omniroute_list_combos",
        scope="read:combos",
        title="List combos",
        description=(
            "List the combos: named, ordered lists of models with a routing strategy and "
            "fallbacks. A combo's name can be given to omniroute_route_request instead of a "
            "model. With includeMetrics also requests, success rate, latency and cost of the "
            "last 30 days. omniroute_best_combo_for_task chooses one for you."
        ),
        takes=reads.ListCombos,
        gives=reads.Combos,
        run=reads.list_combos,
    ),
    Tool(
        name="omniroute_get_combo_metrics",
        scope="read:combos",
        title="Combo metrics",
        description=(
            "Tell how one combo has done: requests, success rate, times (mean, median, 95 and 99 "
            "percent), cost, fallbacks, and how each provider it called has answered, with the "
            "last error of each. Use it to judge whether a combo's order is right."
        ),
        takes=metrics.ComboMetricsAsked,
        gives=metrics.ComboMeasured,
        run=metrics.get_combo_metrics,
    ),
    Tool(
        name="omniroute_switch_combo",
        scope="write:combos",
        title="Switch a combo on or off",
        description=(
            "Switch one combo on or off for every client of the gateway, at once and over "
            "restarts. One that is off is not found when it is asked for and not listed as a "
            "model; its models and settings stay as they are. omniroute_list_combos tells which "
            "are enabled."
        ),
        takes=writes.SwitchCombo,
        gives=writes.ComboSwitched,
        run=writes.switch_combo,
        changes=True,
        replaces=True,
        repeatable=True,
    ),
    Tool(
        name="omniroute_cost_report",
        scope="read:usage",
        title="Cost report",
        description=(
            "Tell what this key's requests cost in this session, or in the last day, week or "
            "month: dollars and tokens in all, by provider and by model, and what is left of its "
            "budgets. Use it before and after expensive work."
        ),
        takes=usage.CostReport,
        gives=usage.Costs,
        run=usage.cost_report,
    ),
    Tool(
        name="omniroute_list_models_catalog",
        scope="read:models",
        title="List models",
        description=(
            "List every name that can be asked for: combos, the gateway's own names such as "
            "auto, and each provider's models, with capabilities, price per million tokens, "
            "context size and whether it could answer now. Filter by provider or capability."
        ),
        takes=reads.ListModels,
        gives=reads.Catalog,
        run=reads.list_models_catalog,
    ),
    Tool(
        name="omniroute_best_combo_for_task",
        scope="read:models",
        title="Best combo for a task",
        description=(
            "Recommend the combo that suits a kind of task best right now, by how fit its models "
            "are, what they cost, how fast and reliable they have been, within a budget and a "
            "time for one request. Gives alternatives with their trade-offs and why others are "
            "out. Calls no provider."
        ),
        takes=advice.BestCombo,
        gives=advice.Recommendation,
        run=advice.best_combo_for_task,
    ),
    Tool(
        name="omniroute_check_quota",
        scope="read:quota",
        title="Check provider quotas",
        description=(
            "Tell for each provider account what is left of its rate limits and when they are "
            "full again, who rests after a refusal, and whether its credential still works. "
            "Figures are what the providers told with their answers; null means not known. Calls "
            "no provider."
        ),
        takes=quotas.CheckQuota,
        gives=quotas.Quotas,
        run=quotas.check_quota,
    ),
    Tool(
        name="omniroute_route_request",
        scope="write:route",
        title="Ask a model",
        description=(
            "Send a conversation to a model or combo and give its answer. The gateway picks "
            "the provider, falls back to the next one when it fails, and tells which one "
            "answered, why, how long it took and what it cost. budget sets a hard ceiling in "
            "US dollars before anything is sent. This spends real tokens."
        ),
        takes=routes.RouteChat,
        gives=routes.Routed,
        run=routes.route_request,
        changes=True,
        open_world=True,
    ),
    Tool(
        name="omniroute_simulate_route",
        scope="write:route",
        title="Simulate routing",
        description=(
            "Say who would answer a request and who would be asked next, with probability, "
            "estimated cost and health of each candidate, and why others are left out. Calls "
            "no provider and costs nothing. Use it to compare models or combos before asking."
        ),
        takes=simulations.Simulate,
        gives=simulations.Simulation,
        run=simulations.simulate_route,
    ),
    Tool(
        name="omniroute_test_combo",
        scope="write:route",
        title="Test a combo",
        description=(
            "Ask every model of a combo the same short question at the same time and tell who "
            "answers, how fast and for how much, and why others fail. Real calls that cost real "
            "tokens, at most 50 of answer each. To compare without calling anyone use "
            "omniroute_simulate_route."
        ),
        takes=trials.TestCombo,
        gives=trials.Trials,
        run=trials.test_combo,
        changes=True,
        open_world=True,
    ),
    Tool(
        name="omniroute_get_provider_metrics",
        scope="read:health",
        title="Provider metrics",
        description=(
            "Tell how one provider has answered this key's calls: success and error rate, times "
            "(mean, median, 95 and 99 percent; to the first token, too), its last error, its "
            "circuit breaker and what is left of its limits now. Use it when one provider seems "
            "slow or failing; omniroute_get_health looks at all."
        ),
        takes=metrics.ProviderMetrics,
        gives=metrics.ProviderMeasured,
        run=metrics.get_provider_metrics,
    ),
    Tool(
        name="omniroute_explain_route",
        scope="read:usage",
        title="Explain a routing decision",
        description=(
            "Tell the whole story of one earlier request by its id (requestId of an answer or "
            "error, or its x-request-id header): which provider and model answered, the verdict "
            "on every candidate, each attempt and how it failed, cost and time. Use it when an "
            "answer failed, was slow or dear. Only requests of your own key are found."
        ),
        takes=explanations.Explain,
        gives=explanations.Explanation,
        run=explanations.explain_route,
    ),
    Tool(
        name="omniroute_set_budget_guard",
        scope="write:config",
        title="Set a budget guard",
        description=(
            "Bound what this key may spend from its next request on, through every door: block "
            "refuses what cannot be paid, degrade moves to cheap or free models, alert only "
            "warns. Setting it again replaces it. It stands beside budgets that others set, and "
            "survives restarts. For one request alone give omniroute_route_request a budget."
        ),
        takes=writes.SetBudgetGuard,
        gives=writes.BudgetGuard,
        run=writes.set_budget_guard,
        changes=True,
        # With `restart` each call forgets again what was spent, so it is not repeatable.
        replaces=True,
    ),
    Tool(
        name="omniroute_set_resilience_profile",
        scope="write:config",
        title="Set the resilience profile",
        description=(
            "Say how soon a failing provider is given up and tried again: aggressive, balanced or "
            "conservative. It holds for the whole gateway and all of its clients, at once, also "
            "for circuits that are open and limits that run, and is kept over restarts."
        ),
        takes=writes.SetResilienceProfile,
        gives=writes.ResilienceSet,
        run=writes.set_resilience_profile,
        changes=True,
        replaces=True,
        repeatable=True,
    ),
    Tool(
        name="omniroute_get_session_snapshot",
        scope="read:usage",
        title="Session snapshot",
        description=(
            "Tell this session at a glance: when it began, requests, cost, tokens, the models and "
            "providers used most, errors, fallbacks, and how the budget guard stands. Costs "
            "nothing; use it to see where you are."
        ),
        takes=reads.NoArguments,
        gives=usage.Snapshot,
        run=usage.get_session_snapshot,
    ),
)
