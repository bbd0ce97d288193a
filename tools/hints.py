"""What to call next after an error: a tool that tells more, or finds what would work.

The errors of the engine say what stood in the way and what a person can do; an agent that has
only these tools is told which of them helps. Only a tool that the caller's key may call is
named, and none where the error names one already.
"""

from collections.abc import Mapping

from omniroute.routing.access import ADMIN
from omniroute.routing.model import Caller

from .table import TABLE

_ATTEMPTS = (("omniroute_explain_route", "tells how each attempt failed, by its requestId"),)
HINTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "model_not_found": (
        ("omniroute_list_models_catalog", "lists every name that can be asked for"),
        ("omniroute_list_combos", "lists the combos"),
    ),
    "no_candidate": (
        ("omniroute_check_quota", "tells who rests and until when"),
        ("omniroute_get_health", "tells who rests and until when"),
        ("omniroute_simulate_route", "tells whether another model or combo could answer"),
    ),
    "all_candidates_failed": _ATTEMPTS,
    "upstream_error": _ATTEMPTS,
    "rate_limit_exceeded": (
        ("omniroute_check_quota", "tells which providers have room, once the key may ask again"),
    ),
    "budget_exceeded": (
        ("omniroute_best_combo_for_task", "finds a combo within a budgetConstraint"),
        ("omniroute_simulate_route", "tells what each candidate may cost"),
        ("omniroute_cost_report", "tells what was spent"),
    ),
}
"""By the code of an error, the tools that help and what they do, the most helpful first."""
PREFIX = "omniroute_"
_SCOPES = {tool.name: tool.scope for tool in TABLE}


def hinted(words: str, code: str, caller: Caller) -> str:
    """Give an error's words with the tool that helps, where there is one for this caller."""
    if PREFIX in words:
        return words
    for tool, does in HINTS.get(code, ()):
        if _SCOPES[tool] in caller.scopes or ADMIN in caller.scopes:
            return f"{words}; {tool} {does}"
    return words
