"""Each dialect's own address: what a client of the vendor sends is answered in its own words."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniroute.routing.model import Dialect
from tests.upstream.servers import SSE_HEAD, Exchange, chunked

from .mounted import BODIES, HELLO, Mounted, mounted

pytestmark = pytest.mark.anyio

SAID = "[simulated by sim/fast] You said: hello there"
FAST = "sim/fast@latency=0"
PARTS = {"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Mounted]:
    async with mounted(tmp_path) as opened:
        yield opened


def events(text: str) -> list[str]:
    lines = text.splitlines()
    return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]


async def test_an_anthropic_client_is_answered_with_a_message(here: Mounted) -> None:
    """DEFECT of the reference, 4.2 and 6.1: whole answers were converted to OpenAI's shape."""
    whole = await here.ask("anthropic", FAST)
    streamed = await here.ask("anthropic", FAST, stream=True)

    assert (whole.status_code, whole.json()["type"]) == (200, "message")
    assert whole.json()["content"][0]["text"] == SAID
    assert streamed.text.startswith("event: message_start\n")
    assert json.loads(events(streamed.text)[-1]) == {"type": "message_stop"}


async def test_a_responses_client_is_answered_with_a_response(here: Mounted) -> None:
    """DEFECT of the reference, 4.2: a whole answer was not rebuilt into a Responses object."""
    whole = await here.ask("openai_responses", FAST)
    streamed = await here.ask("openai_responses", FAST, stream=True)

    assert (whole.status_code, whole.json()["object"]) == (200, "response")
    assert whole.json()["output"][-1]["content"][0]["text"] == SAID
    last = json.loads(events(streamed.text)[-1])
    assert last["type"] == "response.completed"
    assert last["response"]["output"][-1]["content"][0]["text"] == SAID


@pytest.mark.parametrize(
    ("dialect", "begins"), [("openai_responses", "resp_"), ("anthropic", "msg_")]
)
async def test_ids_of_answers_begin_as_the_vendors_do(
    here: Mounted, dialect: Dialect, begins: str
) -> None:
    whole = await here.ask(dialect, FAST)

    assert whole.json()["id"] == begins + whole.headers["x-request-id"].removeprefix("req_")


async def test_a_gemini_client_is_answered_with_candidates(here: Mounted) -> None:
    """DEFECT of the reference, 4.2 and 6.1: /v1beta answered in the shape of OpenAI."""
    whole = await here.ask("gemini", FAST)
    streamed = await here.ask("gemini", FAST, stream=True)

    assert whole.json()["candidates"][0]["content"]["parts"][0]["text"] == SAID
    assert streamed.headers["content-type"].startswith("text/event-stream")
    chunks = [json.loads(event) for event in events(streamed.text)]
    parts = [part for one in chunks for part in one["candidates"][0]["content"].get("parts", [])]
    assert "".join(part.get("text", "") for part in parts) == SAID


async def test_a_gemini_stream_without_alt_sse_is_one_json_array(here: Mounted) -> None:
    path = f"/v1beta/models/{FAST}:streamGenerateContent"

    streamed = await here.client.post(path, json=PARTS)

    assert streamed.headers["content-type"].startswith("application/json")
    chunks = streamed.json()
    parts = [part for one in chunks for part in one["candidates"][0]["content"].get("parts", [])]
    assert "".join(part.get("text", "") for part in parts) == SAID
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


async def test_a_gemini_array_ends_with_the_error_that_broke_it_off(here: Mounted) -> None:
    path = "/v1beta/models/sim/fast@fault=hang_up,after=2,latency=0:streamGenerateContent"

    streamed = await here.client.post(path, json=PARTS)

    *chunks, last = streamed.json()
    assert len(chunks) >= 1
    assert last["error"]["status"]


@pytest.mark.parametrize(
    "name",
    [
        "sim/fast@latency=0",
        "sim%2Ffast%40latency%3D0",
        "models%2Fsim%2Ffast%40latency%3D0",
    ],
)
async def test_a_model_in_the_path_may_hold_slashes_plain_or_encoded(
    here: Mounted, name: str
) -> None:
    answer = await here.client.post(f"/v1beta/models/{name}:generateContent", json=PARTS)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-omniroute-model"].startswith("fast")


async def test_a_model_whose_name_holds_a_colon_is_found_in_a_path(here: Mounted) -> None:
    answer = await here.client.post("/v1beta/models/llama3:8b:generateContent", json=PARTS)

    assert answer.status_code == 404
    assert "llama3:8b" in answer.json()["error"]["message"]


async def test_a_method_that_models_do_not_have_is_a_404_that_names_those_there_are(
    here: Mounted,
) -> None:
    answer = await here.client.post("/v1beta/models/sim/fast:predict", json=PARTS)

    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert ":streamGenerateContent" in answer.json()["error"]["message"]


@pytest.mark.parametrize("dialect", BODIES)
async def test_the_endpoint_decides_the_dialect_and_no_field_of_the_body(
    here: Mounted, dialect: Dialect
) -> None:
    """DEFECT of the reference, 6.2: a chat with max_tokens was taken for Anthropic's."""
    body = {"model": FAST, "messages": HELLO, "max_tokens": 50, "system": "be brief"}

    answer = await here.client.post("/v1/chat/completions", json={**BODIES[dialect], **body})

    assert answer.json()["object"] == "chat.completion"


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_gemini_providers_events_leave_as_an_array_however_they_were_cut(
    size: int, tmp_path: Path
) -> None:
    said = [
        {"candidates": [{"content": {"parts": [{"text": word}]}}], "x": "a\n]"} for word in "ab"
    ]
    last = {"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]}
    events = b"".join(b"data: %b\r\n\r\n" % json.dumps(one).encode() for one in (*said, last))

    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD)
        for at in range(0, len(events), size):
            await exchange.send(chunked(events[at : at + size]))
        await exchange.send(b"0\r\n\r\n")

    async with mounted(tmp_path, ("gemini", script)) as here:
        answer = await here.client.post("/v1beta/models/one/m:streamGenerateContent", json=PARTS)

    assert answer.json() == [*said, last]


async def test_one_name_for_two_gemini_models_is_no_repetition(here: Mounted) -> None:
    """The model stands in the path: the bodies alone are the same."""
    headers = {"idempotency-key": "one-name"}

    first = await here.client.post(
        f"/v1beta/models/{FAST}:generateContent", json=PARTS, headers=headers
    )
    other = await here.client.post(
        "/v1beta/models/sim/smart@latency=0:generateContent", json=PARTS, headers=headers
    )

    assert (first.status_code, other.status_code) == (200, 422)
