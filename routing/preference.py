"""What users say of how `auto` chooses: what their own autos prefer, and how fit models are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .errors import BadRequest

Policy = Literal["utility", "classic-6f"]
ProfileName = Literal["conservative", "balanced", "aggressive"]
"""How soon a provider is given up (health/profiles.py has the numbers)."""

MODES_OF: Mapping[Policy, tuple[str, ...]] = {
    "utility": ("balanced", "coding", "fast", "cheap", "smart", "offline", "reliable"),
    "classic-6f": (
        "classic-6f",
        "ship-fast",
        "cost-saver",
        "quality-first",
        "offline-friendly",
    ),
}
"""The vectors of preferences of each policy by name, its usual one first."""

MODE_NAMES: Mapping[str, str] = {
    **{mode: mode for modes in MODES_OF.values() for mode in modes},
    "quality": "smart",
}
"""What a client may call the modes, for one request."""

EXPLORED = 0.05
"""The documented probability with which any candidate, all alike, is first."""


@dataclass(frozen=True, slots=True)
class Factors:
    """Six figures of one candidate of policy classic-6f, 0 to 1, or the weights of them."""

    quota: float
    health: float
    cost: float
    latency: float
    fitness: float
    stability: float

    def weighed(self, weights: "Factors") -> float:
        """Give the score."""
        return (
            weights.quota * self.quota
            + weights.health * self.health
            + weights.cost * self.cost
            + weights.latency * self.latency
            + weights.fitness * self.fitness
            + weights.stability * self.stability
        )


@dataclass(frozen=True, slots=True)
class Preference:
    """How one user-made auto chooses.

    Attributes:
        mode: one of MODES_OF; None is the gateway's own, or the policy's usual one.
        weights: of policy classic-6f, in the place of a mode's.
        explored: the probability with which any candidate, all alike, is first.
        cost_usd_nanos_max: what a request is expected to cost at most: a dearer candidate comes
            last, and where all are dearer the cheapest comes first. It never refuses.
    """

    policy: Policy = "utility"
    mode: str | None = None
    weights: Factors | None = None
    explored: float = EXPLORED
    cost_usd_nanos_max: int | None = None

    def wishing(self, mode: str) -> "Preference":
        """Give the preference for one request that wishes for another mode."""
        policy: Policy = "classic-6f" if mode in MODES_OF["classic-6f"] else "utility"
        return replace(self, policy=policy, mode=mode, weights=None)

    def mode_among(self, configured: str) -> str:
        """Give the mode in force where the gateway's own is `configured`."""
        modes = MODES_OF[self.policy]
        if self.mode is not None:
            return self.mode
        return configured if configured in modes and self.policy == "utility" else modes[0]


@dataclass(frozen=True, slots=True)
class FitnessRule:
    """How fit the models are whose name holds `pattern`, for one kind of task; "" for every one."""

    pattern: str
    kind: str
    fitness: float


def mode_named(name: str) -> str:
    """Give the mode that a client names for one request.

    Raises:
        BadRequest: there is none of that name; says which there are.
    """
    mode = MODE_NAMES.get(name.strip().lower())
    if mode is None:
        raise BadRequest(
            f"no mode is named {name[:40]!r}; x-omniroute-mode is one of {', '.join(MODE_NAMES)}",
            field="x-omniroute-mode",
        )
    return mode
