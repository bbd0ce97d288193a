"""OpenTelemetry: what a collector is told, and that traces go on from clients to providers."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.tracing import read_traceparent, traceparent
from tests.fakes import combo
from tests.upstream.servers import ANSWER, Exchange, whole
from tests.v1.mounted import mounted
from tests.v1.whole import client, opened

from .collector import Collector, collecting

pytestmark = pytest.mark.anyio

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ASKED = f"00-{TRACE}-{SPAN}-01"
NOT_SAMPLED = f"00-{TRACE}-{SPAN}-00"
SERVER, CLIENT, INTERNAL = 2, 3, 1
HELLO = [{"role": "user", "content": "my diary"}]
CHAT = {"model": "sim/fast@latency=0", "messages": HELLO}
MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


def on(collector: Collector) -> dict[str, str]:
    return {"OMNIROUTE_OTEL": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}


class Provider:
    """Notes the traceparents that it is sent; fails the first time."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []

    async def __call__(self, exchange: Exchange) -> None:
        head = exchange.head.decode("latin-1").lower()
        found = [one for one in head.split("\r\n") if one.startswith("traceparent: ")]
        self.heard.append(found[0].removeprefix("traceparent: ") if found else None)
        if len(self.heard) == 1:
            body = b'{"error":{"message":"overloaded","type":"server_error"}}'
            await exchange.send(whole(body, status="503 Service Unavailable"))
        else:
            await exchange.send(whole(ANSWER))


async def test_a_clients_trace_goes_on_through_the_request_and_each_call_to_the_provider(
    tmp_path: Path,
) -> None:
    provider, began_s = Provider(), time.time()
    with collecting() as collector:
        ends = [("openai_chat", provider), ("openai_chat", provider)]
        async with mounted(tmp_path, *ends, **on(collector)) as here:  # type: ignore[arg-type]
            configs = here.composed.parts.storage.configs
            await configs.put_combo(combo("both", "one/m", "two/m"), actor="test")
            answer = await here.ask("openai_chat", "both", traceparent=ASKED)
        spans = [span for span in collector.spans if span.trace == TRACE]

    assert answer.status_code == 200
    request, first, second = spans
    assert (request.parent, request.kind, request.name) == (SPAN, SERVER, "chat m")
    assert (first.parent, second.parent) == (request.span, request.span)
    assert (first.kind, first.failed, second.failed) == (CLIENT, True, False)
    assert provider.heard == [f"00-{TRACE}-{one.span}-01" for one in (first, second)]
    assert request.about["omniroute.request_id"] == answer.headers["x-request-id"]
    assert request.about["gen_ai.usage.input_tokens"] == 3
    assert (first.about["error.type"], first.about["http.response.status_code"]) == (
        "overloaded",
        503,
    )
    assert second.about["gen_ai.provider.name"] == "two"
    assert began_s <= request.began_s <= first.began_s <= first.ended_s <= second.began_s
    assert second.ended_s <= request.ended_s + 0.001
    assert "diary" not in str(collector.bodies)


async def test_a_trace_that_its_client_does_not_sample_goes_on_unseen(tmp_path: Path) -> None:
    provider = Provider()
    provider.heard.append(None)
    with collecting() as collector:
        async with mounted(tmp_path, ("openai_chat", provider), **on(collector)) as here:
            await here.ask("openai_chat", traceparent=NOT_SAMPLED)

    assert collector.spans == []
    assert provider.heard[1] is not None
    assert (provider.heard[1][:35], provider.heard[1][-3:]) == (f"00-{TRACE}", "-00")


async def test_without_a_clients_trace_each_request_begins_one(tmp_path: Path) -> None:
    with collecting() as collector:
        async with opened(tmp_path, **on(collector)) as gateway, client(gateway) as http:
            for _ in range(2):
                await http.post("/v1/chat/completions", json=CHAT)
        requests = [span for span in collector.spans if span.kind == SERVER]

    assert len({span.trace for span in requests}) == 2
    assert {span.parent for span in requests} == {""}


async def test_a_tool_call_is_a_span_around_the_request_that_it_makes(tmp_path: Path) -> None:
    call = {"name": "omniroute_route_request", "arguments": CHAT}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    variables = {"OMNIROUTE_WORKERS": "2"}
    with collecting() as collector:
        async with (
            opened(tmp_path, **on(collector), **variables) as gateway,
            client(gateway) as http,
        ):
            answer = await http.post("/mcp", json=body, headers={**MCP, "traceparent": ASKED})
        spans = {span.name: span for span in collector.spans if span.kind != CLIENT}

    tool = spans["execute_tool omniroute_route_request"]
    request = spans["chat fast@latency=0"]
    assert answer.status_code == 200
    assert (tool.trace, tool.parent) == (TRACE, SPAN)
    assert (request.trace, request.parent) == (TRACE, tool.span)
    assert request.about["omniroute.door"] == "mcp"


async def test_a_task_is_a_span_around_the_request_that_it_makes(tmp_path: Path) -> None:
    params = {
        "skill": "smart-routing",
        "messages": HELLO,
        "metadata": {"model": "sim/fast@latency=0"},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}
    with collecting() as collector:
        async with opened(tmp_path, **on(collector)) as gateway, client(gateway) as http:
            await http.post("/a2a", json=body, headers={"traceparent": ASKED})
        spans = {span.name: span for span in collector.spans if span.kind != CLIENT}

    task, request = spans["invoke_agent smart-routing"], spans["chat fast@latency=0"]
    assert (task.trace, task.parent) == (TRACE, SPAN)
    assert (request.trace, request.parent) == (TRACE, task.span)
    assert task.about["omniroute.state"] == "completed"


async def test_metrics_follow_the_conventions_for_generative_ai(tmp_path: Path) -> None:
    with collecting() as collector:
        async with opened(tmp_path, **on(collector)) as gateway, client(gateway) as http:
            answer = await http.post("/v1/chat/completions", json=CHAT)
            await http.post("/v1/chat/completions", json={**CHAT, "model": "nobody/knows"})
        metrics, usage = collector.metrics, answer.json()["usage"]

    tokens = {one["gen_ai.token.type"]: one["sum"] for one in metrics["gen_ai.client.token.usage"]}
    assert tokens == {"input": usage["prompt_tokens"], "output": usage["completion_tokens"]}
    (call,) = metrics["gen_ai.client.operation.duration"]
    assert (call["gen_ai.provider.name"], call["gen_ai.operation.name"]) == ("sim", "chat")
    served = {
        one.get("error.type"): one["count"] for one in metrics["gen_ai.server.request.duration"]
    }
    assert served == {None: 1, "model_not_found": 1}
    assert metrics["gen_ai.server.time_to_first_token"][0]["count"] == 1


async def test_a_collector_that_is_not_there_fails_no_request(tmp_path: Path) -> None:
    variables = {"OMNIROUTE_OTEL": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    async with opened(tmp_path, **variables) as gateway, client(gateway) as http:
        answer = await http.post("/v1/chat/completions", json=CHAT)

    assert answer.status_code == 200


async def test_off_no_provider_is_sent_a_trace(tmp_path: Path) -> None:
    provider = Provider()
    provider.heard.append(None)
    async with mounted(tmp_path, ("openai_chat", provider)) as here:
        await here.ask("openai_chat", traceparent=ASKED)

    assert provider.heard == [None, None]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01\n00",
    ],
)
def test_what_is_no_traceparent_begins_no_trace(value: str) -> None:
    assert read_traceparent(value) is None


def test_a_traceparent_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert read_traceparent(f"01-{TRACE}-{SPAN}-03-more") == (TRACE, SPAN, True)


@given(trace=st.integers(1, 2**128 - 1), span=st.integers(1, 2**64 - 1), sampled=st.booleans())
def test_a_traceparent_reads_as_it_was_written(trace: int, span: int, *, sampled: bool) -> None:
    written = traceparent(f"{trace:032x}", f"{span:016x}", sampled=sampled)

    assert read_traceparent(written) == (f"{trace:032x}", f"{span:016x}", sampled)
