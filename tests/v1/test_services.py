"""What is neither chat nor vector, through the whole gateway, with the simulator behind it."""

import base64
import gzip
import io
import wave
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from omniroute.routing.wire.services.reading import ENDPOINTS
from omniroute.server.api.openapi import document

from .mounted import Mounted, mounted
from .vendors import Heard, Told, shop, told

pytestmark = pytest.mark.anyio

SOUND = (
    b"RIFF\x24\x80\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00"
)
SOUND += b"\x02\x00\x10\x00data\x00\x80\x00\x00" + bytes(32_768)
"""About two seconds: 16,000 bytes are one."""


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Mounted]:
    async with mounted(tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(here: Mounted) -> AsyncIterator[openai.AsyncOpenAI]:
    base = f"{here.client.base_url}/v1"
    async with openai.AsyncOpenAI(
        base_url=base, api_key="sk-fake", max_retries=0, timeout=10
    ) as opened:
        yield opened


async def test_the_openai_sdk_has_a_text_judged(client: openai.AsyncOpenAI) -> None:
    judged = await client.moderations.create(
        model="sim/moderation", input=["a calm text", "a text on violence"]
    )

    assert [one.flagged for one in judged.results] == [False, True]
    assert judged.results[1].categories.violence is True


async def test_a_moderation_without_a_model_asks_for_openais_own(tmp_path: Path) -> None:
    def vendor(heard: Heard) -> Told:
        return told(id="modr-1", model="omni-moderation-latest", results=[])

    async with shop(tmp_path, "openai", vendor) as here:
        answer = await here.ask("moderations", input="a text")

    assert answer.status_code == 200, answer.text
    assert here.last.path == "/v1/moderations"
    assert here.last.json() == {"model": "omni-moderation-latest", "input": "a text"}


async def test_documents_are_ranked_by_the_words_they_share(here: Mounted) -> None:
    answer = await here.client.post(
        "/v1/rerank",
        json={
            "model": "sim/rerank",
            "query": "red apples",
            "documents": ["blue sky", {"text": "red apples are sweet"}, "red car"],
            "top_n": 2,
            "return_documents": True,
        },
    )

    results = answer.json()["results"]
    assert [one["index"] for one in results] == [1, 2]
    assert results[0]["document"] == {"text": "red apples are sweet"}
    # One search, at the simulator's price.
    assert answer.headers["x-omniroute-cost-usd"] == "0.002000000"


async def test_the_openai_sdk_gets_pictures(client: openai.AsyncOpenAI) -> None:
    made = await client.images.generate(model="sim/image", prompt="a red square", n=2)

    assert made.data is not None
    pictures = [base64.b64decode(one.b64_json or "") for one in made.data]
    assert all(one.startswith(b"\x89PNG") and b"simulated" in one for one in pictures)
    assert pictures[0] != pictures[1]
    rows = pictures[0][pictures[0].index(b"IDAT") + 4 :]
    assert len(zlib.decompressobj().decompress(rows)) == 16 * (1 + 16 * 3)


async def test_a_picture_is_changed_by_a_form(client: openai.AsyncOpenAI) -> None:
    made = await client.images.edit(
        model="sim/image", prompt="bluer", image=("a.png", b"\x89PNG...", "image/png")
    )

    assert made.data is not None
    assert len(made.data) == 1


async def test_the_openai_sdk_hears_speech(client: openai.AsyncOpenAI) -> None:
    spoken = await client.audio.speech.create(
        model="sim/speech", voice="alloy", input="hello there", response_format="wav"
    )

    with wave.open(io.BytesIO(spoken.content)) as sound:
        assert sound.getframerate() == 8_000
        assert sound.getnframes() > 0
    assert spoken.response.headers["content-type"] == "audio/wav"


async def test_the_openai_sdk_has_a_sound_written_down(client: openai.AsyncOpenAI) -> None:
    sound = ("secret-name.wav", SOUND, "audio/wav")

    plain = await client.audio.transcriptions.create(model="sim/transcription", file=sound)
    long = await client.audio.transcriptions.create(
        model="sim/transcription", file=sound, response_format="verbose_json"
    )
    text: Any = await client.audio.transcriptions.create(
        model="sim/transcription", file=sound, response_format="srt"
    )
    # The SDK calls the method old; the endpoint is not.
    with pytest.warns(DeprecationWarning, match="deprecated"):
        other = await client.audio.translations.create(model="sim/transcription", file=sound)

    assert plain.text == f"[simulated by sim/transcription] {len(SOUND)} bytes were heard."
    assert long.duration == 3.0
    assert "00:00:00,000 --> 00:00:03,000" in text
    assert other.text == plain.text


@pytest.mark.parametrize(("path", "form"), [("videos", "gif"), ("music", "wav")])
async def test_films_and_music_are_made(here: Mounted, path: str, form: str) -> None:
    answer = await here.client.post(
        f"/v1/{path}/generations",
        json={
            "model": f"sim/{path.removesuffix('s') if path == 'videos' else path}",
            "prompt": "x",
        },
    )

    row = answer.json()["data"][0]
    assert row["format"] == form
    assert base64.b64decode(row["b64_json"])[:3] in (b"GIF", b"RIF")


def test_each_endpoint_stands_in_the_openapi_document() -> None:
    paths = document((), version="1")["paths"]

    assert {f"/v1/{one.path}" for one in ENDPOINTS} <= {
        path for path, methods in paths.items() if "post" in methods
    }


@pytest.mark.parametrize("path", ["/embeddings", "/v1/v1/embeddings", "/v1beta/openai/embeddings"])
async def test_a_path_that_is_nearly_right_is_answered(here: Mounted, path: str) -> None:
    answer = await here.client.post(path, json={"model": "sim/embed", "input": "one"})

    assert answer.status_code == 200, answer.text


async def test_a_body_may_come_as_gzip(here: Mounted) -> None:
    body = gzip.compress(b'{"model": "sim/embed", "input": "one"}')

    answer = await here.client.post(
        "/v1/embeddings", content=body, headers={"content-encoding": "gzip"}
    )

    assert answer.status_code == 200, answer.text


async def test_one_provider_answers_below_its_name(here: Mounted) -> None:
    answer = await here.client.post(
        "/v1/providers/sim/images/generations", json={"model": "image", "prompt": "x"}
    )

    assert answer.headers["x-omniroute-provider"] == "sim"


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.path)
async def test_each_endpoint_lists_its_models_and_refuses_in_openais_words(
    here: Mounted, endpoint: Any
) -> None:
    listed = (await here.client.get(f"/v1/{endpoint.path}")).json()
    refused = await here.client.post(f"/v1/{endpoint.path}", content=b"[]")

    assert [one["id"].partition("/")[0] for one in listed["data"]] == ["sim"]
    assert endpoint.kind in listed["data"][0]["capabilities"]
    assert refused.status_code == 400
    assert refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("rerank", {"model": "sim/rerank", "query": "a"}, "documents"),
        ("rerank", {"model": "sim/rerank", "query": "a", "documents": [1]}, "documents"),
        ("rerank", {"model": "sim/rerank", "documents": ["a"]}, "query"),
        ("moderations", {"model": "sim/moderation", "input": []}, "input"),
        ("images/generations", {"model": "sim/image"}, "prompt"),
        ("images/generations", {"model": "sim/image", "prompt": "a", "n": 11}, "n"),
        ("images/generations", {"model": "sim/image", "prompt": "a", "n": "two"}, "n"),
        ("audio/speech", {"model": "sim/speech", "input": ""}, "input"),
        ("videos/generations", {"model": "sim/video"}, "prompt"),
    ],
)
async def test_a_body_that_asks_for_too_little_or_too_much_names_the_field(
    here: Mounted, path: str, body: dict[str, object], field: str
) -> None:
    answer = await here.client.post(f"/v1/{path}", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"model": "sim/transcription"}'),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"hello"),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nno end"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nunnamed\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nsim/x\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nbroken',
        ),
    ],
)
async def test_a_form_that_is_none_is_a_400(here: Mounted, content_type: str, body: bytes) -> None:
    answer = await here.client.post(
        "/v1/audio/transcriptions", content=body, headers={"content-type": content_type}
    )

    assert answer.status_code == 400


async def test_json_endpoints_take_no_forms(here: Mounted) -> None:
    answer = await here.client.post("/v1/audio/speech", files={"file": b"x"})

    assert answer.status_code == 400
    assert "takes JSON" in answer.json()["error"]["message"]


def form(heard: Heard) -> dict[str, tuple[str, bytes]]:
    """Give the parts of a form that a vendor got: content type and bytes by name."""
    boundary = heard.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    found: dict[str, tuple[str, bytes]] = {}
    for part in heard.body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        kind = head.lower().partition(b"content-type: ")[2].partition(b"\r\n")[0].decode()
        found[name] = (kind, value)
    return found


async def test_a_form_goes_on_as_it_is_with_the_models_name_in_its_place(tmp_path: Path) -> None:
    def vendor(heard: Heard) -> Told:
        return told(text="hello", usage={"type": "duration", "seconds": 3})

    sound = bytes(range(256)) * 40
    async with shop(tmp_path, "openai", vendor) as here:
        answer = await here.here.client.post(
            "/v1/audio/transcriptions",
            files={"file": ("a.mp3", sound, "audio/mpeg")},
            data={"model": "openai/whisper-1", "language": "de"},
        )

    assert answer.json()["text"] == "hello"
    parts = form(here.last)
    assert parts["file"] == ("audio/mpeg", sound)
    assert parts["model"] == ("", b"whisper-1")
    assert parts["language"] == ("", b"de")
    # Three seconds at $0.006 a minute.
    assert answer.headers["x-omniroute-cost-usd"] == "0.000300000"


async def test_a_text_answer_keeps_its_type(tmp_path: Path) -> None:
    def vendor(heard: Heard) -> Told:
        return Told(b"WEBVTT\n\n", "text/vtt; charset=utf-8")

    async with shop(tmp_path, "openai", vendor) as here:
        answer = await here.here.client.post(
            "/v1/audio/transcriptions",
            files={"file": ("a.mp3", b"x" * 10, "audio/mpeg")},
            data={"model": "openai/whisper-1", "response_format": "vtt"},
        )

    assert answer.text == "WEBVTT\n\n"
    assert answer.headers["content-type"] == "text/vtt; charset=utf-8"


async def test_a_web_page_is_no_transcript_and_no_sound(tmp_path: Path) -> None:
    page = Told(b"<html>wrong address</html>", "text/html")

    async with shop(tmp_path, "openai", lambda heard: page) as here:
        written = await here.here.client.post(
            "/v1/audio/transcriptions",
            files={"file": ("a.mp3", b"x", "audio/mpeg")},
            data={"model": "openai/whisper-1"},
        )
        spoken = await here.ask("audio/speech", model="openai/tts-1", input="hi", voice="a")

    assert (written.status_code, spoken.status_code) == (502, 502)


async def test_a_sound_goes_out_as_it_comes_and_is_paid_by_its_characters(tmp_path: Path) -> None:
    sound = bytes(range(256)) * 1000

    async with shop(tmp_path, "openai", lambda heard: Told(sound, "audio/mpeg")) as here:
        answer = await here.ask("audio/speech", model="openai/tts-1", input="x" * 100, voice="a")
        told_of = await here.here.client.get(f"/api/explain/{answer.headers['x-request-id']}")

    assert answer.content == sound
    assert answer.headers["content-type"] == "audio/mpeg"
    assert here.last.json() == {"model": "tts-1", "input": "x" * 100, "voice": "a"}
    # A hundred characters at $15 a million.
    assert told_of.json()["request"]["cost_usd_nanos"] == 1_500_000
    assert told_of.json()["usage"]["units"] == 100
    assert "xxx" not in told_of.text


async def test_a_sound_that_breaks_off_reaches_the_client_as_broken_off(tmp_path: Path) -> None:
    half = Told(b"half a sound", "audio/mpeg", breaks_off=True)

    async with shop(tmp_path, "openai", lambda heard: half) as here:
        with pytest.raises(httpx.RemoteProtocolError):
            await here.ask("audio/speech", model="openai/tts-1", input="hi", voice="a")


async def test_a_speaker_that_fails_before_its_first_byte_is_replaced(tmp_path: Path) -> None:
    answers = iter([Told(b'{"error":{"message":"down"}}', status=500), Told(b"ok", "audio/mpeg")])

    async with shop(tmp_path, "openai", lambda heard: next(answers)) as here:
        targets = [{"target": "openai/tts-1"}, {"target": "openai/tts-1-hd"}]
        await here.here.client.post("/api/combos", json={"name": "voices", "models": targets})
        answer = await here.ask("audio/speech", model="voices", input="hi", voice="a")

    assert answer.content == b"ok"
    assert answer.headers["x-omniroute-attempts"] == "2"


async def test_a_vendors_own_refusal_of_a_request_reaches_the_client(tmp_path: Path) -> None:
    error = {"error": {"message": "your prompt was refused", "code": "moderation_blocked"}}

    async with shop(tmp_path, "openai", lambda heard: Told(told(**error).body, status=400)) as here:
        answer = await here.ask("images/generations", model="openai/gpt-image-1", prompt="x")

    assert answer.status_code == 400
    assert answer.json() == error


async def test_pictures_that_are_paid_by_tokens_cost_what_their_usage_says(tmp_path: Path) -> None:
    usage = {"input_tokens": 10, "output_tokens": 1000, "total_tokens": 1010}

    def vendor(heard: Heard) -> Told:
        return told(created=1, data=[{"b64_json": "AAAA"}], usage=usage)

    async with shop(tmp_path, "openai", vendor) as here:
        answer = await here.ask("images/generations", model="openai/gpt-image-1", prompt="x")

    # $5 and $40 a million.
    assert answer.headers["x-omniroute-cost-usd"] == "0.040050000"


async def test_a_model_without_a_known_price_passes_no_budget(tmp_path: Path) -> None:
    """As for chats: an unknown price is unknown and never 0."""

    def vendor(heard: Heard) -> Told:
        return told(data=[{"url": "https://pictures.example/a.png"}])

    async with shop(tmp_path, "xai", vendor) as here:
        free = await here.ask("images/generations", model="xai/grok-imagine-image", prompt="x")
        limited = await here.here.client.post(
            "/v1/images/generations",
            json={"model": "xai/grok-imagine-image", "prompt": "x"},
            headers={"x-omniroute-budget": "1"},
        )

    assert free.status_code == 200
    assert "x-omniroute-cost-usd" not in free.headers
    assert limited.status_code == 402
