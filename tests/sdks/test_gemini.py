"""Google's own Python SDK: generate, stream and tools, over providers of every dialect."""

from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from tests.processes import RunningGateway

from .conftest import Faulty
from .upstreams import PNG, SAID, UPSTREAMS, one_gateway, over_all_upstreams

pytestmark = one_gateway

CITY = types.Schema(
    type=types.Type.OBJECT,
    properties={"city": types.Schema(type=types.Type.STRING)},
    required=["city"],
)
TOOLS = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name=name, description="What it is there.", parameters=CITY)
        for name in ("get_weather", "get_time")
    ]
)
BOTH = "please get_weather and get_time"


class Weather(BaseModel):
    city: str
    degrees: int


@pytest.fixture
def client(here: RunningGateway) -> Iterator[genai.Client]:
    with genai.Client(
        api_key="sk-fake",
        http_options=types.HttpOptions(
            base_url=here.url, timeout=20_000, retry_options=types.HttpRetryOptions(attempts=1)
        ),
    ) as opened:
        yield opened


def ask(client: genai.Client, model: str, said: Any, **config: Any) -> Any:
    return client.models.generate_content(
        model=model, contents=said, config=types.GenerateContentConfig(**config)
    )


@over_all_upstreams
def test_content_is_generated_with_usage_and_a_reason(client: genai.Client, upstream: str) -> None:
    answer = ask(client, f"{upstream}/fast", "hello there", system_instruction="Be kind.")

    assert answer.text == SAID
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    assert answer.usage_metadata.prompt_token_count > 0
    assert answer.usage_metadata.total_token_count == (
        answer.usage_metadata.prompt_token_count + answer.usage_metadata.candidates_token_count
    )


@over_all_upstreams
def test_a_stream_says_the_same_as_the_whole(client: genai.Client, upstream: str) -> None:
    chunks = list(
        client.models.generate_content_stream(model=f"{upstream}/fast", contents="hello there")
    )

    said = [chunk.text or "" for chunk in chunks]
    assert "".join(said) == SAID
    assert len([text for text in said if text]) > 2
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP
    assert chunks[-1].usage_metadata is not None
    assert chunks[-1].usage_metadata.candidates_token_count


@over_all_upstreams
def test_functions_are_called_and_their_results_answered(
    client: genai.Client, upstream: str
) -> None:
    asked = ask(client, f"{upstream}/fast", BOTH, tools=[TOOLS])
    results = [
        types.Part.from_function_response(name=one.name, response={"result": f"result {at}"})
        for at, one in enumerate(asked.function_calls)
    ]
    for part, call in zip(results, asked.function_calls, strict=True):
        assert part.function_response is not None
        part.function_response.id = call.id
    told = ask(
        client,
        f"{upstream}/fast",
        [
            types.UserContent(BOTH),
            asked.candidates[0].content,
            types.Content(role="user", parts=results),
        ],
        tools=[TOOLS],
    )

    assert [(one.name, one.args) for one in asked.function_calls] == [
        ("get_weather", {"city": "simulated"}),
        ("get_time", {"city": "simulated"}),
    ]
    assert told.text.startswith("[simulated by sim/fast] The tool answered: ")
    assert "result 0" in told.text
    assert "result 1" in told.text


@over_all_upstreams
def test_streamed_function_calls_are_the_whole_ones(client: genai.Client, upstream: str) -> None:
    chunks = client.models.generate_content_stream(
        model=f"{upstream}/fast",
        contents=BOTH,
        config=types.GenerateContentConfig(tools=[TOOLS]),
    )

    calls = [call for chunk in chunks for call in chunk.function_calls or ()]
    assert [(one.name, one.args) for one in calls] == [
        ("get_weather", {"city": "simulated"}),
        ("get_time", {"city": "simulated"}),
    ]


@over_all_upstreams
def test_a_python_function_is_called_by_the_sdk_itself(client: genai.Client, upstream: str) -> None:
    asked: list[str] = []

    def get_weather(city: str) -> str:
        """Give the weather of a city."""
        asked.append(city)
        return "sunny"

    answer = ask(client, f"{upstream}/fast", "please get_weather", tools=[get_weather])

    assert asked == ["simulated"]
    assert "sunny" in answer.text


@over_all_upstreams
@pytest.mark.parametrize("mode", ["ANY", "NONE", "AUTO", "named"])
def test_the_choice_of_functions_is_kept_to(client: genai.Client, upstream: str, mode: str) -> None:
    named = {"mode": "ANY", "allowed_function_names": ["get_time"]}
    choice = named if mode == "named" else {"mode": mode}

    answer = ask(
        client,
        f"{upstream}/fast",
        "hello there",
        tools=[TOOLS],
        tool_config={"function_calling_config": choice},
    )

    expected = {"ANY": ["get_weather"], "NONE": [], "AUTO": [], "named": ["get_time"]}
    assert [one.name for one in answer.function_calls or ()] == expected[mode]


@over_all_upstreams
def test_an_answer_is_parsed_into_the_shape_that_was_asked_for(
    client: genai.Client, upstream: str
) -> None:
    answer = ask(
        client,
        f"{upstream}/fast",
        "hello there",
        response_mime_type="application/json",
        response_schema=Weather,
    )

    assert answer.parsed == Weather(city="simulated", degrees=1)


@over_all_upstreams
def test_a_bound_on_the_answer_ends_it_with_max_tokens(client: genai.Client, upstream: str) -> None:
    answer = ask(client, f"{upstream}/fast", "hello there", max_output_tokens=3)

    assert answer.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert answer.text == SAID[:12]


@over_all_upstreams
def test_an_image_is_taken_beside_text(client: genai.Client, upstream: str) -> None:
    image = types.Part(inline_data=types.Blob(data=PNG, mime_type="image/png"))  # type: ignore[arg-type]

    answer = ask(client, f"{upstream}/fast", [image, "hello there"])

    assert answer.text == SAID


@pytest.mark.parametrize("upstream", ["gemini", "anthropic", "openai_chat"])
def test_thoughts_are_shown_when_they_are_asked_for(client: genai.Client, upstream: str) -> None:
    answer = ask(
        client,
        f"{upstream}/smart",
        "hello there",
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2000),
    )

    thoughts = [part.text for part in answer.candidates[0].content.parts if part.thought]
    assert thoughts
    assert thoughts[0].startswith("The user said 2 words")
    assert answer.text.startswith("[simulated by sim/smart]")


@over_all_upstreams
def test_a_chat_keeps_its_turns(client: genai.Client, upstream: str) -> None:
    chat = client.chats.create(model=f"{upstream}/fast")

    first = chat.send_message("hello there")
    second = "".join(chunk.text or "" for chunk in chat.send_message_stream("hello again"))

    assert first.text == SAID
    assert second == "[simulated by sim/fast] You said: hello again"


@over_all_upstreams
def test_tokens_are_counted_before_anything_is_sent(client: genai.Client, upstream: str) -> None:
    short = client.models.count_tokens(model=f"{upstream}/fast", contents="hello there")
    more = client.models.count_tokens(model=f"{upstream}/fast", contents="hello there " * 20)

    assert short.total_tokens is not None
    assert more.total_tokens is not None
    assert 0 < short.total_tokens < more.total_tokens


@over_all_upstreams
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("rate_limited", "RESOURCE_EXHAUSTED"),
        ("context_too_long", "INVALID_ARGUMENT"),
        ("overloaded", "UNAVAILABLE"),
    ],
)
def test_what_a_provider_refuses_is_raised_as_the_sdks_own_error(
    client: genai.Client,
    faulty: Faulty,
    upstream: str,
    fault: str,
    status: str,
) -> None:
    with pytest.raises(errors.APIError) as refused:
        ask(client, faulty(upstream, fault), "hello there")

    assert refused.value.status == status
    assert isinstance(refused.value, errors.ServerError) == (fault == "overloaded")


@over_all_upstreams
@pytest.mark.parametrize("fault", ["error_later", "hang_up"])
def test_a_stream_that_breaks_off_raises(
    client: genai.Client, faulty: Faulty, upstream: str, fault: str
) -> None:
    stream = client.models.generate_content_stream(
        model=faulty(upstream, fault), contents="hello there"
    )

    with pytest.raises(errors.APIError):
        list(stream)


def test_models_are_listed_and_found_by_name(client: genai.Client) -> None:
    listed = {one.name for one in client.models.list()}
    found = client.models.get(model="anthropic/fast")

    assert {f"models/{upstream}/fast" for upstream in UPSTREAMS} <= listed
    assert found.name == "models/anthropic/fast"


@pytest.mark.anyio
async def test_the_asynchronous_client_is_answered_the_same(here: RunningGateway) -> None:
    options = types.HttpOptions(base_url=here.url, timeout=20_000)
    async with genai.Client(api_key="sk-fake", http_options=options).aio as client:
        stream = await client.models.generate_content_stream(
            model="openai_chat/fast", contents="hello there"
        )
        said = [chunk.text or "" async for chunk in stream]

    assert "".join(said) == SAID


def test_the_beta_of_the_interface_is_answered_as_well(here: RunningGateway) -> None:
    options = types.HttpOptions(base_url=here.url, api_version="v1beta", timeout=20_000)
    with genai.Client(api_key="sk-fake", http_options=options) as client:
        answer = ask(client, "anthropic/fast", "hello there")
        listed = {one.name for one in client.models.list()}

    assert answer.text == SAID
    assert "models/anthropic/fast" in listed


@pytest.mark.parametrize("model", ["sim/embed", "openai_chat/embed"])
def test_contents_are_embedded(client: genai.Client, model: str) -> None:
    answer = client.models.embed_content(
        model=model,
        contents=["one", "two"],
        config=types.EmbedContentConfig(output_dimensionality=64),
    )

    assert answer.embeddings is not None
    assert [len(one.values or ()) for one in answer.embeddings] == [64, 64]
    assert answer.embeddings[0].values != answer.embeddings[1].values
