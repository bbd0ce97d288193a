"""GET /metrics: the figures of the whole gateway, for Prometheus."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..telemetry.exposition import CONTENT_TYPE, Labels, Page, tell
from ..telemetry.shared import Live, SharedFigures
from .rows import Row

PATH = "/metrics"


def rows(gateway: Gateway, shared: SharedFigures) -> tuple[Row, ...]:
    """Give the route."""

    async def metrics(request: Request, caller: Caller) -> Response:
        counted, lives = await shared.gather()
        page = Page()
        _tell_gateway(page, gateway, caller)
        _tell_lives(page, lives)
        tell(page, counted)
        return Response(page.text(), media_type=CONTENT_TYPE)

    return (Row("GET", PATH, "read:health", "The gateway's figures, for Prometheus", metrics),)


def _tell_gateway(page: Page, gateway: Gateway, caller: Caller) -> None:
    health = gateway.view.health(caller)
    words = "1, with the version that runs."
    page.figure("omniroute_build_info", "gauge", words, [({"version": health.version}, 1)])
    words = "How long the gateway has run."
    page.figure("omniroute_uptime_seconds", "gauge", words, [({}, f"{health.uptime_s:.3f}")])
    circuits: dict[tuple[str, str], int] = {}
    for circuit in health.circuits:
        key = (circuit.provider, circuit.state.lower())
        circuits[key] = circuits.get(key, 0) + 1
    page.figure(
        "omniroute_circuits",
        "gauge",
        "Circuit breakers of accounts and models, by provider and state.",
        [
            ({"provider": provider, "state": state}, count)
            for (provider, state), count in sorted(circuits.items())
        ],
    )
    resting: dict[str, int] = {}
    for rest in health.cooldowns:
        resting[rest.provider] = resting.get(rest.provider, 0) + 1
    page.figure(
        "omniroute_cooldowns",
        "gauge",
        "Accounts and models that rest, by provider.",
        [({"provider": provider}, count) for provider, count in sorted(resting.items())],
    )


def _tell_lives(page: Page, lives: Sequence[Live]) -> None:
    def gauge(name: str, words: str, values: Sequence[tuple[Live, int | float | None]]) -> None:
        page.figure(
            name,
            "counter" if name.endswith("_total") else "gauge",
            words,
            [
                (_of(live), f"{value:.3f}" if isinstance(value, float) else value)
                for live, value in values
                if value is not None
            ],
        )

    page.figure("omniroute_workers", "gauge", "Processes that answer.", [({}, len(lives))])
    gauge(
        "omniroute_requests_in_flight",
        "Requests that are being answered now.",
        [(one, one.busy) for one in lives],
    )
    gauge(
        "omniroute_streams_in_flight",
        "Streams that are being sent now, on connections of its own.",
        [(one, one.streams) for one in lives],
    )
    gauge(
        "omniroute_outcomes_waiting",
        "Requests that are over and not stored yet.",
        [(one, one.waiting) for one in lives],
    )
    gauge(
        "omniroute_outcomes_given_up_total",
        "Requests whose record could not be kept.",
        [(one, one.given_up) for one in lives],
    )
    gauge(
        "omniroute_process_cpu_seconds_total",
        "Processor time of a process.",
        [(one, one.cpu_s) for one in lives],
    )
    gauge(
        "omniroute_process_resident_memory_bytes",
        "Memory that a process holds.",
        [(one, one.resident_bytes) for one in lives],
    )
    gauge(
        "omniroute_memory_short",
        "1 while new requests are refused as memory is short, else 0.",
        [(one, int(one.is_short)) for one in lives],
    )
    gauge(
        "omniroute_process_open_fds",
        "Files and sockets that a process has open.",
        [(one, one.descriptors) for one in lives],
    )


def _of(live: Live) -> Labels:
    return {"process": str(live.process_id)}
