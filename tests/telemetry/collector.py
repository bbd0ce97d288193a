"""A collector of OpenTelemetry on loopback, and what it was sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.canaries.plugin import look


@dataclass(frozen=True)
class Told:
    """A span as it arrived."""

    name: str
    trace: str
    span: str
    parent: str
    kind: int
    failed: bool
    began_s: float
    ended_s: float
    about: dict[str, Any]


@dataclass
class Collector:
    """What was sent to it."""

    url: str = ""
    bodies: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    @property
    def spans(self) -> list[Told]:
        """All spans, in the order of their beginning."""
        found = []
        for path, body in self.bodies:
            if path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        found += [_told(span) for span in scope.spans]
        return sorted(found, key=lambda one: one.began_s)

    @property
    def metrics(self) -> dict[str, list[dict[str, Any]]]:
        """The attributes of each point, by the metric's name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for path, body in self.bodies:
            if path == "/v1/metrics":
                for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    for scope in resource.scope_metrics:
                        for metric in scope.metrics:
                            points = metric.histogram.data_points
                            found.setdefault(metric.name, []).extend(
                                _about(point.attributes) | {"count": point.count, "sum": point.sum}
                                for point in points
                            )
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector; what it was sent is looked through for secrets at its end."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.bodies.append((self.path, body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        for path, body in collector.bodies:
            look(f"what was sent to a collector at {path}", body)


def _told(span: Any) -> Told:
    return Told(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        span.status.code == 2,
        span.start_time_unix_nano / 1e9,
        span.end_time_unix_nano / 1e9,
        _about(span.attributes),
    )


def _about(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)
