"""The gates: why a candidate must not be tried. The only source of probability zero.

Each gate looks at one candidate and gives a reason code with its numbers in words, or None
to keep it. They run in the order of GATES and the first refusal counts. All that they read
is in the request, the candidate and its state: no clock, no configuration.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..accounting.clamp import least_bound
from ..catalog.names import name_allowed
from ..model import Candidate, RouteRequest
from ..moment import CandidateState
from ..wire.bounds import context_tokens_needed

Refusal = tuple[str, str]
_AUDIO = ("speech", "transcription")
Gate = Callable[[RouteRequest, Candidate, CandidateState], Refusal | None]


def gates_of(request: RouteRequest) -> tuple[Gate, ...]:
    """Give the gates that a request can meet at all: most ask for nothing unusual."""
    features = request.operation.features
    passed = (
        None if request.allowed else _allowed,
        None if features.tools or features.images else _capable,
        None if request.spend_usd_nanos_max is not None else _affordable,
    )
    return tuple(gate for gate in GATES if gate not in passed)


def judge(
    request: RouteRequest,
    candidate: Candidate,
    state: CandidateState,
    gates: Sequence[Gate] | None = None,
) -> Refusal | None:
    """Give the first gate's refusal, None when the candidate may be tried.

    `gates` are those of gates_of, worked out once for many candidates.
    """
    for gate in GATES if gates is None else gates:
        refusal = gate(request, candidate, state)
        if refusal is not None:
            return refusal
    return None


def with_early_probes(
    request: RouteRequest,
    pairs: Sequence[tuple[Candidate, CandidateState]],
    refusals: Sequence[Refusal | None],
) -> list[Refusal | None]:
    """Give the refusals, without those of open circuits that may be probed early.

    Only where no candidate is left: then an open circuit whose early probe is due is judged as
    if it were closed, so that a provider which is back is found in seconds.
    """
    if None in refusals:
        return list(refusals)
    return [
        judge(request, candidate, replace(state, open_until_s=0.0))
        if refusal is not None and refusal[0] == "circuit_open" and _probe_due(request, state)
        else refusal
        for (candidate, state), refusal in zip(pairs, refusals, strict=True)
    ]


def _probe_due(request: RouteRequest, state: CandidateState) -> bool:
    return not state.probing and request.at_s >= state.probe_from_s > 0.0


def _allowed(request: RouteRequest, candidate: Candidate, state: CandidateState) -> Refusal | None:
    if name_allowed(request.allowed, request.target, candidate.name, candidate.model):
        return None
    return "not_allowed", "the key's model list does not hold it"


def _kind(request: RouteRequest, candidate: Candidate, state: CandidateState) -> Refusal | None:
    kind, capabilities = request.operation.kind, candidate.facts.capabilities
    if kind in capabilities or (kind in _AUDIO and "audio" in capabilities):
        return None
    return "wrong_kind", f"it does not do {kind}"


def _capable(request: RouteRequest, candidate: Candidate, state: CandidateState) -> Refusal | None:
    features, facts = request.operation.features, candidate.facts
    if features.tools and facts.tools is False:
        return "no_tools", "the request has tools and the model takes none"
    if features.images and facts.images is False:
        return "no_images", "the request has images and the model reads none"
    return None


def _fits(request: RouteRequest, candidate: Candidate, state: CandidateState) -> Refusal | None:
    room = candidate.facts.context_tokens_max
    operation = request.operation
    # What is no chat has inputs of their own, each with a room of its own.
    if room is None or operation.kind != "chat":
        return None
    # Anthropic's clients must name a bound, and name the longest that they know of.
    is_meant = candidate.dialect == operation.dialect and operation.dialect != "anthropic"
    needed = context_tokens_needed(operation.features, is_meant=is_meant)
    if needed <= room:
        return None
    return "context_too_long", f"about {needed} tokens are needed and its context holds {room}"


def _circuit(request: RouteRequest, candidate: Candidate, state: CandidateState) -> Refusal | None:
    if not state.open_until_s:
        return None
    if request.at_s < state.open_until_s:
        wait_s = state.open_until_s - request.at_s
        return "circuit_open", f"its circuit is open, next try in {wait_s:.0f} s"
    if state.probing:
        return "circuit_probing", "its circuit is half open and a probe is under way"
    return None


def _cooled(request: RouteRequest, candidate: Candidate, state: CandidateState) -> Refusal | None:
    if request.at_s >= state.cooldown_until_s:
        return None
    wait_s = state.cooldown_until_s - request.at_s
    return "cooling_down", f"{state.cooldown_reason}, next try in {wait_s:.0f} s"


def _affordable(
    request: RouteRequest, candidate: Candidate, state: CandidateState
) -> Refusal | None:
    limit = request.spend_usd_nanos_max
    if limit is None:
        return None
    if candidate.facts.price is None:
        return "unknown_price", "a budget applies and its price is unknown; set one to use it"
    # A longer answer is clamped to what the ceiling pays, see accounting/clamp.py.
    bound = least_bound(candidate, request.operation.features).usd_nanos
    if bound <= limit:
        return None
    return "over_budget", (
        f"it may cost ${bound / 1e9:.6f} even with a short answer and ${limit / 1e9:.6f} is left"
    )


GATES: tuple[Gate, ...] = (_allowed, _kind, _capable, _fits, _circuit, _cooled, _affordable)
