"""OpenTelemetry: spans and metrics of what is done, by the conventions for generative AI.

Spans are made when their subject is over, of what is on record of it; nothing is measured on its
way for them. A request is a span, each of its calls to providers a span in it; a call of an MCP
tool and an A2A task are spans around the requests that they make. A trace that a client sends
(`traceparent`) goes on here and at the provider. Prompts and answers are in none of it.

The SDK is imported when tracing is on, and not before; where it sends to and what it samples is
told to it by its own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER, ...).

Source: OpenTelemetry, "Semantic conventions for generative AI spans" and "... metrics"
(opentelemetry.io/docs/specs/semconv/gen-ai, version 1.41, read 2026-11).
"""

import os
from collections.abc import Mapping
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from omniroute.a2a.tasks import TaskRow
from omniroute.routing.conversation import Usage
from omniroute.routing.model import Attempt, Outcome
from omniroute.routing.tracing import (
    ASKED_BY,
    NO_SPAN,
    attempt_name,
    is_sampled,
    read_traceparent,
    span_id,
    span_of,
    trace_of,
    traceparent,
)
from omniroute.tools.audit import UNKNOWN_TOOL, ToolCall

from .figures import NAME, OTHER, Figures

SERVICE = "omniroute"
FLUSH_MS = 5_000
"""How long the end of a gateway waits for what is still to be sent."""
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROVIDERS = {
    "azure-openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""Providers that the conventions call otherwise."""
OPERATIONS = {"embed": "embeddings", "embedding": "embeddings"}
"""Kinds of requests that the conventions call otherwise; they let others keep their names."""
FAILED = frozenset({"failed", "rejected", "refused"})
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(4**power) for power in range(14))
"""Buckets that the conventions advise."""

Attributes = dict[str, Any]


class Tracing:
    """Tells OpenTelemetry of requests, tool calls and tasks.

    Args:
        environment: where the endpoint is named.
        run: names this run of this process.
    """

    def __init__(self, environment: Mapping[str, str], *, version: str, run: str) -> None:
        told: Attributes = {"service.version": version, "service.instance.id": run}
        if not os.environ.get("OTEL_SERVICE_NAME"):
            told["service.name"] = SERVICE
        self._resource = Resource.create(told)
        self._scope = InstrumentationScope(SERVICE, version)
        base = environment.get(ENDPOINT, "").rstrip("/")
        self._spans = BatchSpanProcessor(
            OTLPSpanExporter(endpoint=f"{base}/v1/traces" if base else None)
        )
        self._sampler = TracerProvider(shutdown_on_exit=False).sampler
        exporter = OTLPMetricExporter(endpoint=f"{base}/v1/metrics" if base else None)
        self._meters = MeterProvider(
            [PeriodicExportingMetricReader(exporter)], self._resource, shutdown_on_exit=False
        )
        meter = self._meters.get_meter(SERVICE, version)

        def histogram(name: str, unit: str, words: str, bounds: tuple[float, ...]) -> Any:
            return meter.create_histogram(
                name, unit, words, explicit_bucket_boundaries_advisory=bounds
            )

        self._durations = histogram(
            "gen_ai.client.operation.duration", "s", "Calls to providers.", SECONDS
        )
        self._served = histogram(
            "gen_ai.server.request.duration", "s", "Requests, to the end of their answer.", SECONDS
        )
        self._first = histogram(
            "gen_ai.server.time_to_first_token", "s", "Requests, to their first content.", SECONDS
        )
        self._tokens = histogram(
            "gen_ai.client.token.usage", "{token}", "Tokens of requests.", TOKENS
        )
        # Only for its bounded names of models.
        self._names = Figures()

    def asked(self, header: str | None, name: str) -> str:
        """Give the traceparent that a request is answered in.

        Args:
            header: the client's traceparent, None where it sent none.
            name: of the request, for a trace that begins with it: 32 hex digits.
        """
        found = None if header is None else read_traceparent(header)
        if found is not None:
            trace, span, sampled = found
            return traceparent(trace, span, sampled=sampled)
        decided = self._sampler.should_sample(None, int(name, 16), "request")
        return traceparent(name, NO_SPAN, sampled=decided.decision is Decision.RECORD_AND_SAMPLE)

    def outcome(self, outcome: Outcome) -> None:
        """Tell of a request that is over."""
        self._measure(outcome)
        parent = outcome.request.trace
        if parent is None or not is_sampled(parent):
            return
        request = outcome.request
        began_s = outcome.at_unix_s
        operation = _operation(outcome)
        model = outcome.winner.model if outcome.winner is not None else None
        own = span_id(request.request_id)
        attributes = _told(outcome)
        self._end(
            f"{operation} {model}" if model else operation,
            (trace_of(parent), own, span_of(parent)),
            (began_s, began_s + outcome.total_s),
            attributes,
            kind=SpanKind.SERVER,
        )
        for attempt in outcome.attempts:
            self._attempt(outcome, attempt, parent, own)

    def tool_call(self, call: ToolCall) -> None:
        """Tell of a call of a tool that is over, from where it is recorded."""
        asked_by = ASKED_BY.get()
        if asked_by is None or not is_sampled(asked_by.traceparent):
            return
        own = span_id(call.call_id)
        here = span_of(asked_by.traceparent)
        # A call that was refused before it began has no span around what it does.
        parent = span_of(asked_by.before) if here == own and asked_by.before else here
        tool = OTHER if call.error == UNKNOWN_TOOL else call.tool
        attributes: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.call.id": call.call_id,
            "omniroute.outcome": call.outcome,
        }
        if call.error is not None:
            attributes["error.type"] = call.error
        times = (call.at_unix_s, call.at_unix_s + call.duration_ms / 1000)
        names = (trace_of(asked_by.traceparent), own, parent)
        self._end(f"execute_tool {tool}", names, times, attributes, kind=SpanKind.INTERNAL)

    def task(self, task: TaskRow) -> None:
        """Tell of a task that came to its end, from where that is stored."""
        asked_by = ASKED_BY.get()
        own = span_id(f"{task.task_id}/{task.attempt}")
        if asked_by is None or not is_sampled(asked_by.traceparent):
            return
        if span_of(asked_by.traceparent) != own:
            # Another request has ended it: its trace is not the task's.
            return
        attributes: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": task.skill,
            "omniroute.task_id": task.task_id,
            "omniroute.state": task.state,
        }
        if task.state in FAILED:
            attributes["error.type"] = task.state
        names = (trace_of(asked_by.traceparent), own, span_of(asked_by.before or ""))
        times = (task.created_unix_s, task.updated_unix_s)
        self._end(f"invoke_agent {task.skill}", names, times, attributes, kind=SpanKind.INTERNAL)

    def close(self) -> None:
        """Send what is left; may take FLUSH_MS."""
        self._spans.force_flush(FLUSH_MS)
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        self._meters.shutdown(FLUSH_MS)

    def _attempt(self, outcome: Outcome, attempt: Attempt, parent: str, own: str) -> None:
        request, candidate = outcome.request, attempt.candidate
        offset_s = outcome.at_unix_s - request.at_s
        operation = _operation(outcome)
        attributes: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": _provider(candidate.provider),
            "gen_ai.request.model": candidate.model,
            "gen_ai.request.stream": request.operation.features.stream,
            "omniroute.attempt": attempt.number,
            "omniroute.account_id": candidate.account_id,
        }
        if attempt.model_served is not None:
            attributes["gen_ai.response.model"] = attempt.model_served
        if attempt.first_byte_s is not None:
            attributes["gen_ai.response.time_to_first_chunk"] = attempt.first_byte_s
        if attempt.provider_status:
            attributes["http.response.status_code"] = attempt.provider_status
        if attempt.failure is not None:
            attributes["error.type"] = attempt.failure
        elif outcome.winner is candidate or outcome.winner == candidate:
            attributes |= _usage(outcome.usage)
        names = (trace_of(parent), span_id(attempt_name(request.request_id, attempt.number)), own)
        times = (attempt.started_s + offset_s, attempt.ended_s + offset_s)
        name = f"{operation} {candidate.model}"
        self._end(name, names, times, attributes, kind=SpanKind.CLIENT)

    def _end(
        self,
        name: str,
        names: tuple[str, str, str],
        times_s: tuple[float, float],
        attributes: Attributes,
        *,
        kind: SpanKind,
    ) -> None:
        """Hand over a span that is over; `names` are those of its trace, its own, its parent's."""
        trace, own, parent = names
        flags = TraceFlags(TraceFlags.SAMPLED)
        around = None
        if parent and parent != NO_SPAN:
            around = SpanContext(int(trace, 16), int(parent, 16), True, flags)
        failed = "error.type" in attributes
        self._spans.on_end(
            ReadableSpan(
                name,
                SpanContext(int(trace, 16), int(own, 16), False, flags),
                around,
                self._resource,
                attributes,
                kind=kind,
                status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
                start_time=int(times_s[0] * 1e9),
                end_time=int(times_s[1] * 1e9),
                instrumentation_scope=self._scope,
            )
        )

    def _measure(self, outcome: Outcome) -> None:
        provider, model = self._names.named(outcome.winner)
        about: Attributes = {"gen_ai.operation.name": _operation(outcome)}
        if provider:
            about |= {"gen_ai.provider.name": _provider(provider), "gen_ai.request.model": model}
        if outcome.error is not None:
            about["error.type"] = outcome.error
        self._served.record(outcome.total_s, about)
        if outcome.first_content_s is not None:
            self._first.record(outcome.first_content_s, about)
        for attempt in outcome.attempts:
            provider, model = self._names.named(attempt.candidate)
            called = {
                "gen_ai.operation.name": about["gen_ai.operation.name"],
                "gen_ai.provider.name": _provider(provider),
                "gen_ai.request.model": model,
            }
            if attempt.failure is not None:
                called["error.type"] = attempt.failure
            self._durations.record(attempt.ended_s - attempt.started_s, called)
        if outcome.winner is not None:
            usage = outcome.usage
            for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
                self._tokens.record(count, {**about, "gen_ai.token.type": kind})


def _operation(outcome: Outcome) -> str:
    kind = outcome.request.operation.kind
    return OPERATIONS.get(kind, kind)


def _provider(provider: str) -> str:
    return PROVIDERS.get(provider, provider)


def _told(outcome: Outcome) -> Attributes:
    request, winner, decision = outcome.request, outcome.winner, outcome.decision
    told: Attributes = {
        "gen_ai.operation.name": _operation(outcome),
        "gen_ai.request.stream": request.operation.features.stream,
        "omniroute.request_id": request.request_id,
        "omniroute.door": request.door,
        "omniroute.status": outcome.status,
        "omniroute.attempts": len(outcome.attempts),
    }
    if NAME.fullmatch(request.target):
        told["gen_ai.request.model"] = request.target
    if decision is not None and decision.combo is not None:
        told["omniroute.combo"] = decision.combo
    if outcome.cost_usd_nanos is not None:
        told["omniroute.cost_usd_nanos"] = outcome.cost_usd_nanos
    if winner is not None:
        told["gen_ai.provider.name"] = _provider(winner.provider)
        told["gen_ai.response.model"] = outcome.model_served or winner.model
        told |= _usage(outcome.usage)
    if outcome.finish is not None:
        told["gen_ai.response.finish_reasons"] = (outcome.finish,)
    if outcome.error is not None:
        told["error.type"] = outcome.error
    return told


def _usage(usage: Usage) -> Attributes:
    told: Attributes = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
    }
    if usage.cached_input_tokens:
        told["gen_ai.usage.cache_read.input_tokens"] = usage.cached_input_tokens
    if usage.cache_write_tokens:
        told["gen_ai.usage.cache_creation.input_tokens"] = usage.cache_write_tokens
    return told
