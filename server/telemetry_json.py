"""What `/api/telemetry/summary` speaks, as values; see management.py. Times are milliseconds."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from omniroute.routing.usage import place_of


class PhaseJson(Struct, frozen=True):
    """How long one phase took; null where it was never there."""

    count: int
    p50: float | None
    p95: float | None
    avg: float | None


class TelemetryJson(Struct, frozen=True, rename="camel"):
    """How long the requests of the window took, to the end of their streams.

    Percentiles are of the nearest rank; null without a request.
    """

    window_ms: int
    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    phase_breakdown: dict[str, PhaseJson]


def telemetry_json(
    window_ms: int, totals: Sequence[float], phases: Mapping[str, Sequence[float]]
) -> TelemetryJson:
    """Give the summary of times in seconds."""
    whole = sorted(totals)
    return TelemetryJson(
        window_ms=window_ms,
        count=len(whole),
        p50=_percentile(whole, 50),
        p95=_percentile(whole, 95),
        p99=_percentile(whole, 99),
        phase_breakdown={name: _phase(sorted(times)) for name, times in phases.items()},
    )


def _phase(times: Sequence[float]) -> PhaseJson:
    mean = round(sum(times) / len(times) * 1000, 3) if times else None
    return PhaseJson(len(times), _percentile(times, 50), _percentile(times, 95), mean)


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    if not ordered:
        return None
    return round(ordered[place_of(percent, len(ordered)) - 1] * 1000, 3)
