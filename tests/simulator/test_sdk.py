"""The official openai SDK against the simulator's HTTP server."""

import base64
import math
import struct
from collections.abc import AsyncIterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.responses import FunctionToolParam

from omniroute.server.simulator.simulator import Simulator

from .raw import parse

pytestmark = pytest.mark.anyio

WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}},
            "required": ["city", "unit"],
        },
    },
}
WEATHER_FLAT: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    "strict": False,
}
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello there"}]


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{simulator.url}/v1", api_key="sk-fake", max_retries=0, timeout=10
    ) as client:
        yield client


async def test_a_chat_is_answered(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="fast", messages=HELLO)

    assert answer.choices[0].message.content == "[simulated by sim/fast] You said: hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 12)


async def test_a_streamed_chat_says_the_same(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="fast", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    texts = [one.choices[0].delta.content or "" for one in chunks if one.choices]
    assert "".join(texts) == "[simulated by sim/fast] You said: hello there"
    assert len([text for text in texts if text]) == 7
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 15


async def test_a_stream_has_no_usage_unless_it_is_asked_for(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="fast", messages=HELLO, stream=True)

    assert [chunk.usage async for chunk in stream if chunk.usage] == []


async def test_a_smart_model_thinks_first(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="smart", messages=HELLO)

    message = answer.choices[0].message
    assert message.to_dict()["reasoning_content"] == (
        "The user said 2 words and offers 0 tools. I will answer by rule."
    )
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 16


async def test_a_tool_that_is_named_is_called_and_its_result_quoted(
    client: openai.AsyncOpenAI,
) -> None:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": "please get_weather for me"}
    ]

    asked = await client.chat.completions.create(model="fast", messages=messages, tools=[WEATHER])
    calls = asked.choices[0].message.tool_calls
    assert calls is not None
    call = calls[0]
    assert call.type == "function"
    made: ChatCompletionMessageParam = {
        "role": "assistant",
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
        ],
    }
    result: ChatCompletionMessageParam = {
        "role": "tool",
        "tool_call_id": call.id,
        "content": "sunny, 20 degrees",
    }
    told = await client.chat.completions.create(
        model="fast",
        messages=[*messages, made, result],
        tools=[WEATHER],
    )

    assert asked.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert parse(call.function.arguments) == {"city": "simulated", "unit": "celsius"}
    assert told.choices[0].message.content == (
        "[simulated by sim/fast] The tool answered: sunny, 20 degrees"
    )


async def test_a_streamed_tool_call_joins_to_the_same_arguments(
    client: openai.AsyncOpenAI,
) -> None:
    stream = await client.chat.completions.create(
        model="fast",
        messages=[{"role": "user", "content": "use a tool"}],
        tools=[WEATHER],
        stream=True,
    )
    deltas = [call async for chunk in stream for call in chunk.choices[0].delta.tool_calls or ()]

    arguments = "".join(one.function.arguments or "" for one in deltas if one.function is not None)
    assert len(deltas) > 2
    assert deltas[0].id is not None
    assert [one.id for one in deltas[1:]] == [None] * (len(deltas) - 1)
    assert parse(arguments) == {"city": "simulated", "unit": "celsius"}


async def test_a_stream_helper_of_the_sdk_folds_the_answer(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="smart", messages=HELLO) as stream:
        answer = await stream.get_final_completion()

    assert (answer.choices[0].message.content or "").startswith("[simulated by sim/smart]")


async def test_a_response_is_answered_with_its_items(client: openai.AsyncOpenAI) -> None:
    answer = await client.responses.create(
        model="smart", input="hello", reasoning={"summary": "auto"}
    )

    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output_text.startswith("[simulated by sim/smart] You said: hello")
    assert answer.status == "completed"


async def test_a_streamed_response_folds_to_the_whole_one(client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(
        model="fast", input="please get_weather", tools=[WEATHER_FLAT]
    ) as stream:
        kinds = [event.type async for event in stream]
        answer = await stream.get_final_response()

    call = answer.output[0]
    assert call.type == "function_call"
    assert (call.name, parse(call.arguments)) == ("get_weather", {"n": 1})
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


async def test_a_response_that_is_too_long_is_incomplete(client: openai.AsyncOpenAI) -> None:
    answer = await client.responses.create(model="fast", input="hello", max_output_tokens=3)

    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.output_text == "[simulated b"


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("rate_limited", openai.RateLimitError),
        ("bad_key", openai.AuthenticationError),
        ("forbidden", openai.PermissionDeniedError),
        ("model_gone", openai.NotFoundError),
        ("context_too_long", openai.BadRequestError),
        ("server_error", openai.InternalServerError),
        ("overloaded", openai.InternalServerError),
        ("connection_refused", openai.APIConnectionError),
        ("hang_up", openai.APIConnectionError),
    ],
)
async def test_faults_raise_the_sdks_own_errors(
    client: openai.AsyncOpenAI, fault: str, raised: type[openai.APIError]
) -> None:
    with pytest.raises(raised):
        await client.chat.completions.create(model=f"fast@fault={fault}", messages=HELLO)


async def test_a_key_that_is_known_to_be_bad_is_refused(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="sk-fake-bad").models.list()


async def test_an_error_event_inside_a_stream_raises(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="fast@fault=error_later", messages=HELLO, stream=True
    )

    with pytest.raises(openai.APIError, match="overloaded"):
        _ = [chunk async for chunk in stream]


async def test_models_are_listed_and_found(client: openai.AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]
    found = await client.models.retrieve("sim/fast")

    assert listed[:4] == ["fast", "smart", "cheap", "embed"]
    assert listed[4:] == [
        *("moderation", "rerank", "image", "speech", "transcription", "video", "music")
    ]
    assert found.id == "sim/fast"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("slow")


async def test_embeddings_are_unit_vectors_of_the_text_alone(client: openai.AsyncOpenAI) -> None:
    answer = await client.embeddings.create(
        model="embed", input=["one", "two", "one"], dimensions=64, encoding_format="float"
    )
    packed = await client.embeddings.create(
        model="embed", input="one", dimensions=64, encoding_format="base64"
    )

    one, two, again = (row.embedding for row in answer.data)
    assert one == again
    assert len(one) == 64
    assert math.isclose(sum(value * value for value in one), 1.0)
    assert abs(sum(a * b for a, b in zip(one, two, strict=True))) < 0.5
    written = packed.data[0].embedding
    assert isinstance(written, str)
    unpacked = struct.unpack("<64f", base64.b64decode(written))
    assert unpacked == pytest.approx(one, rel=1e-5)
    assert answer.usage.prompt_tokens == 3


async def test_answers_fit_the_schema_that_is_asked_for(client: openai.AsyncOpenAI) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"rating": {"type": "integer", "minimum": 3}},
        "required": ["rating"],
    }
    answer = await client.chat.completions.create(
        model="fast",
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "r", "schema": schema}},
    )

    assert parse(answer.choices[0].message.content or "") == {"rating": 3}
