"""OpenAI's own Python SDK: what is no chat."""

import base64
import io
from collections.abc import Iterator

import openai
import pytest

from tests.processes import RunningGateway

from .upstreams import PNG, one_gateway

pytestmark = one_gateway

PNG_BEGINS = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def client(here: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{here.url}/v1", api_key="sk-fake", max_retries=0, timeout=20
    ) as opened:
        yield opened


@pytest.mark.parametrize("model", ["sim/embed", "openai_chat/embed"])
def test_embeddings_are_the_same_as_numbers_and_packed(client: openai.OpenAI, model: str) -> None:
    packed = client.embeddings.create(model=model, input=["one", "two"], dimensions=64)
    plain = client.embeddings.create(
        model=model, input=["one", "two"], dimensions=64, encoding_format="float"
    )

    assert [len(one.embedding) for one in packed.data] == [64, 64]
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, rel=1e-5)
    assert packed.usage.total_tokens > 0


def test_a_text_is_judged(client: openai.OpenAI) -> None:
    answer = client.moderations.create(model="sim/moderation", input=["hello there", "goodbye"])

    assert [one.flagged for one in answer.results] == [False, False]


def test_a_picture_is_made(client: openai.OpenAI) -> None:
    answer = client.images.generate(
        model="sim/image", prompt="a red square", response_format="b64_json"
    )

    assert answer.data is not None
    assert base64.b64decode(answer.data[0].b64_json or "").startswith(PNG_BEGINS)


def test_a_picture_is_changed(client: openai.OpenAI) -> None:
    picture = io.BytesIO(base64.b64decode(PNG))
    picture.name = "one.png"

    answer = client.images.edit(
        model="sim/image", image=picture, prompt="make it blue", response_format="b64_json"
    )

    assert answer.data is not None
    assert base64.b64decode(answer.data[0].b64_json or "").startswith(PNG_BEGINS)


def test_a_text_is_spoken_and_streamed(client: openai.OpenAI) -> None:
    whole = client.audio.speech.create(
        model="sim/speech", input="hello there", voice="alloy", response_format="wav"
    )
    with client.audio.speech.with_streaming_response.create(
        model="sim/speech", input="hello there", voice="alloy", response_format="wav"
    ) as streamed:
        pieces = b"".join(streamed.iter_bytes())

    assert whole.content.startswith(b"RIFF")
    assert pieces == whole.content


def test_what_is_said_is_written_down(client: openai.OpenAI) -> None:
    sound = client.audio.speech.create(
        model="sim/speech", input="hello there", voice="alloy", response_format="wav"
    )

    heard = client.audio.transcriptions.create(
        model="sim/transcription", file=("said.wav", sound.content, "audio/wav")
    )

    assert heard.text


def test_older_completions_are_answered_as_such(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="anthropic/fast", prompt="hello there")
    stream = client.completions.create(model="anthropic/fast", prompt="hello there", stream=True)
    streamed = "".join(chunk.choices[0].text for chunk in stream if chunk.choices)

    assert whole.object == "text_completion"
    assert whole.choices[0].text == streamed == "[simulated by sim/fast] You said: hello there"
