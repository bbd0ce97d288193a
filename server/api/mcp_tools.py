"""What OmniRoute documents of each tool beside its schema: its phase, and where else it is done.

Source of the phases: OmniRoute's reference, section 1.3 (version 2.3.10). The endpoints are ours.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Documented:
    """One tool, as documented.

    Attributes:
        phase: 1 is essential, 2 advanced.
        endpoints: "METHOD path" of what does or shows the same over HTTP.
    """

    name: str
    phase: int
    endpoints: tuple[str, ...] = ()


DOCUMENTED = (
    Documented("omniroute_get_health", 1, ("GET /api/status", "GET /api/resilience")),
    Documented("omniroute_list_combos", 1, ("GET /api/combos",)),
    Documented("omniroute_get_combo_metrics", 1, ("GET /api/usage/analytics",)),
    Documented("omniroute_switch_combo", 1, ("POST /api/combos/{name}/switch",)),
    Documented("omniroute_check_quota", 1, ("GET /api/resilience",)),
    Documented("omniroute_route_request", 1, ("POST /v1/chat/completions",)),
    Documented("omniroute_cost_report", 1, ("GET /api/usage/analytics",)),
    Documented("omniroute_list_models_catalog", 1, ("GET /v1/models",)),
    Documented("omniroute_simulate_route", 2, ("POST /api/simulate",)),
    Documented("omniroute_set_budget_guard", 2, ("POST /api/budgets",)),
    Documented("omniroute_set_resilience_profile", 2, ("PUT /api/resilience",)),
    Documented("omniroute_test_combo", 2, ("POST /api/combos/{name}/test",)),
    Documented("omniroute_get_provider_metrics", 2, ("GET /api/usage/analytics",)),
    Documented("omniroute_best_combo_for_task", 2, ("GET /api/combos", "GET /api/fitness")),
    Documented("omniroute_explain_route", 2, ("GET /api/explain/{request_id}",)),
    Documented("omniroute_get_session_snapshot", 2, ("GET /api/usage/analytics",)),
)
