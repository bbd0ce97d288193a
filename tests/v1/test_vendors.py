"""Each vendor's own shape: a small server wears what its documentation describes, and is asked
through the whole gateway as OpenAI would be. The adapters' docstrings name the pages."""

import base64
from pathlib import Path
from typing import Any

import pytest

from omniroute.routing.catalog.providers import ALL_PROVIDERS, PROVIDERS, provider_named
from omniroute.routing.catalog.services import SERVICES
from omniroute.routing.wire.services import assemblyai, comfyui, minimax
from omniroute.routing.wire.services.table import ADAPTERS

from .vendors import KEY, Heard, Shop, Told, Vendor, shop, told

pytestmark = pytest.mark.anyio

SOUND = b"\x00\x01some sound"
MP3 = Told(SOUND, "audio/mpeg")
SPEECH = {"input": "hello there", "voice": "some-voice"}
SCORES = [0.1, 0.9]
RANKED = {"query": "q", "documents": ["a", {"text": "b"}], "return_documents": True}


async def speak(here: Shop, model: str, **more: object) -> Any:
    return await here.ask("audio/speech", model=model, **SPEECH, **more)


async def write(here: Shop, model: str, **more: str) -> Any:
    return await here.here.client.post(
        "/v1/audio/transcriptions",
        files={"file": ("a.mp3", SOUND, "audio/mpeg")},
        data={"model": model, **more},
    )


async def test_elevenlabs_speaks_with_the_voice_in_its_path(tmp_path: Path) -> None:
    async with shop(tmp_path, "elevenlabs", lambda heard: MP3) as here:
        answer = await speak(here, "elevenlabs/eleven_v3", speed=1.1, instructions="gently")

    assert (answer.content, answer.headers["content-type"]) == (SOUND, "audio/mpeg")
    assert here.last.path == "/v1/text-to-speech/some-voice?output_format=mp3_44100_128"
    assert here.last.headers["xi-api-key"] == KEY
    assert "authorization" not in here.last.headers
    assert here.last.json() == {
        "text": "hello there",
        "model_id": "eleven_v3",
        "voice_settings": {"speed": 1.1},
    }
    assert answer.headers["x-omniroute-dropped"] == "instructions"


async def test_a_voices_name_cannot_lead_to_another_path(tmp_path: Path) -> None:
    async with shop(tmp_path, "elevenlabs", lambda heard: MP3) as here:
        await here.ask("audio/speech", model="elevenlabs/eleven_v3", input="x", voice="../user?a=b")

    assert here.last.path.startswith("/v1/text-to-speech/..%2Fuser%3Fa%3Db?")


async def test_cartesia_is_told_its_version_and_the_container(tmp_path: Path) -> None:
    async with shop(tmp_path, "cartesia", lambda heard: Told(SOUND, "audio/wav")) as here:
        answer = await speak(here, "cartesia/sonic-3", response_format="wav")

    assert answer.content == SOUND
    assert here.last.path == "/tts/bytes"
    assert here.last.headers["x-api-key"] == KEY
    assert here.last.headers["cartesia-version"] == "2024-06-10"
    asked = here.last.json()
    assert (asked["model_id"], asked["transcript"]) == ("sonic-3", "hello there")
    assert asked["voice"] == {"mode": "id", "id": "some-voice"}
    assert asked["output_format"]["container"] == "wav"


async def test_playht_is_told_the_engine_and_the_format(tmp_path: Path) -> None:
    async with shop(tmp_path, "playht", lambda heard: MP3) as here:
        answer = await speak(here, "playht/PlayDialog", speed=0.9)

    assert answer.content == SOUND
    assert here.last.path == "/api/v2/tts/stream"
    assert here.last.headers["authorization"] == KEY
    asked = here.last.json()
    assert (asked["voice_engine"], asked["voice"]) == ("PlayDialog", "some-voice")
    assert (asked["output_format"], asked["speed"]) == ("mp3", 0.9)


async def test_inworlds_base64_becomes_bytes(tmp_path: Path) -> None:
    def inworld(heard: Heard) -> Told:
        return told(audioContent=base64.b64encode(SOUND).decode())

    async with shop(tmp_path, "inworld", inworld) as here:
        answer = await speak(here, "inworld/inworld-tts-2", speed=1.2)

    assert (answer.content, answer.headers["content-type"]) == (SOUND, "audio/mpeg")
    assert here.last.path == "/tts/v1/voice"
    assert here.last.headers["authorization"] == f"Basic {KEY}"
    asked = here.last.json()
    assert (asked["voiceId"], asked["modelId"]) == ("some-voice", "inworld-tts-2")
    assert asked["audioConfig"]["speakingRate"] == 1.2


@pytest.mark.parametrize("content", ["", "not base64!", None])
async def test_a_sound_that_cannot_be_decoded_is_a_failure(
    tmp_path: Path, content: str | None
) -> None:
    async with shop(tmp_path, "inworld", lambda heard: told(audioContent=content)) as here:
        answer = await speak(here, "inworld/inworld-tts-2")

    assert answer.status_code == 502


async def test_deepgrams_voice_is_its_model(tmp_path: Path) -> None:
    async with shop(tmp_path, "deepgram", lambda heard: MP3) as here:
        answer = await speak(here, "deepgram/aura-2-thalia-en")

    assert answer.content == SOUND
    assert here.last.path == "/v1/speak?model=aura-2-thalia-en&encoding=mp3"
    assert here.last.headers["authorization"] == f"Token {KEY}"
    assert here.last.json() == {"text": "hello there"}


async def test_hyperbolic_speaks_and_draws_in_base64(tmp_path: Path) -> None:
    packed = base64.b64encode(SOUND).decode()

    def hyperbolic(heard: Heard) -> Told:
        return told(audio=packed, images=[{"image": packed, "index": 0}])

    async with shop(tmp_path, "hyperbolic", hyperbolic) as here:
        spoken = await speak(here, "hyperbolic/melo-tts")
        drawn = await here.ask(
            "images/generations", model="hyperbolic/SDXL1.0-base", prompt="x", size="512x768"
        )

    assert spoken.content == SOUND
    assert drawn.json()["data"] == [{"b64_json": packed}]
    assert [one.path for one in here.heard] == ["/v1/audio/generation", "/v1/image/generation"]
    assert (here.last.json()["width"], here.last.json()["height"]) == (512, 768)


async def test_coqui_is_asked_by_its_query(tmp_path: Path) -> None:
    async with shop(tmp_path, "coqui", lambda heard: Told(SOUND, "audio/wav"), key=None) as here:
        answer = await speak(here, "coqui/any")

    assert answer.headers["content-type"] == "audio/wav"
    assert (here.last.method, here.last.path) == (
        "GET",
        "/api/tts?text=hello+there&speaker_id=some-voice",
    )


async def test_a_format_that_a_vendor_has_not_is_a_400_that_names_those_it_has(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path, "cartesia", lambda heard: MP3) as here:
        answer = await speak(here, "cartesia/sonic-3", response_format="opus")

    assert answer.status_code == 400
    assert "mp3, wav, pcm" in answer.json()["error"]["message"]
    assert here.heard == []


WORDS = [{"word": "hello", "start": 0.5, "end": 1.0}, {"word": "there", "start": 1.0, "end": 9.5}]
LISTENED = {
    "metadata": {"duration": 9.5},
    "results": {
        "channels": [
            {
                "detected_language": "en",
                "alternatives": [{"transcript": "hello there", "words": WORDS}],
            }
        ]
    },
}


async def test_deepgram_gets_the_sound_itself_and_is_written_as_openai_would(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path, "deepgram", lambda heard: told(**LISTENED)) as here:
        plain = await write(here, "deepgram/nova-3", prompt="names")
        srt = await write(here, "deepgram/nova-3", response_format="srt")
        vtt = await write(here, "deepgram/nova-3", response_format="vtt", language="en")
        text = await write(here, "deepgram/nova-3", response_format="text")
        long = await write(here, "deepgram/nova-3", response_format="verbose_json")

    assert plain.json() == {"text": "hello there", "usage": {"type": "duration", "seconds": 10}}
    assert plain.headers["x-omniroute-dropped"] == "prompt"
    assert srt.text == (
        "1\n00:00:00,500 --> 00:00:01,000\nhello\n\n2\n00:00:01,000 --> 00:00:09,500\nthere\n"
    )
    assert vtt.text.startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.000\nhello\n")
    assert text.text == "hello there\n"
    assert (long.json()["duration"], long.json()["language"]) == (9.5, "en")
    assert here.heard[0].body == SOUND
    assert here.heard[0].headers["content-type"] == "audio/mpeg"
    assert here.heard[0].path == "/v1/listen?model=nova-3&smart_format=true&detect_language=true"
    assert here.heard[2].path.endswith("&language=en")


async def test_a_vendor_that_writes_down_does_not_translate(tmp_path: Path) -> None:
    async with shop(tmp_path, "deepgram", lambda heard: told(**LISTENED)) as here:
        answer = await here.here.client.post(
            "/v1/audio/translations",
            files={"file": ("a.mp3", SOUND, "audio/mpeg")},
            data={"model": "deepgram/nova-3"},
        )

    assert answer.status_code == 400
    assert here.heard == []


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once: the vendors here are done at the second look."""
    for module in (assemblyai, comfyui, minimax):
        monkeypatch.setattr(module, "POLL_S", 0.0)


def assembly(*states: dict[str, object]) -> Vendor:
    left = list(states)

    def answer(heard: Heard) -> Told:
        if heard.path == "/v2/upload":
            return told(upload_url="https://cdn.example/upload/1")
        if heard.method == "POST":
            return told(id="job/1", status="queued")
        return told(id="job/1", **left.pop(0))

    return answer


@pytest.mark.usefixtures("no_waits")
async def test_assemblyai_gets_the_sound_an_order_and_questions(tmp_path: Path) -> None:
    done = {
        "status": "completed",
        "text": "hello",
        "audio_duration": 3,
        "words": [{"text": "hello", "start": 250, "end": 2500}],
        "error": None,
    }

    async with shop(tmp_path, "assemblyai", assembly({"status": "processing"}, done)) as here:
        answer = await write(here, "assemblyai/universal-2", response_format="verbose_json")

    assert answer.json()["text"] == "hello"
    assert answer.json()["segments"][0]["start"] == 0.25
    assert [(one.method, one.path) for one in here.heard] == [
        ("POST", "/v2/upload"),
        ("POST", "/v2/transcript"),
        ("GET", "/v2/transcript/job%2F1"),
        ("GET", "/v2/transcript/job%2F1"),
    ]
    assert here.heard[0].body == SOUND
    assert here.heard[0].headers["authorization"] == KEY
    assert here.heard[1].json()["speech_models"] == ["universal-2"]
    assert here.heard[1].json()["audio_url"] == "https://cdn.example/upload/1"


@pytest.mark.usefixtures("no_waits")
async def test_work_that_fails_at_the_vendor_is_a_failure_of_the_candidate(
    tmp_path: Path,
) -> None:
    failed: dict[str, object] = {"status": "error", "error": "no speech"}

    async with shop(tmp_path, "assemblyai", assembly(failed)) as here:
        answer = await write(here, "assemblyai/universal-2")

    assert answer.status_code == 502
    assert "no speech" in answer.json()["error"]["message"]


RERANKERS: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "cohere",
        "rerank-v3.5",
        "/v2/rerank",
        {
            "id": "r1",
            "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
            "meta": {"billed_units": {"search_units": 1}},
        },
    ),
    (
        "voyage-ai",
        "rerank-2.5",
        "/v1/rerank",
        {
            "data": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
            "usage": {"total_tokens": 8},
        },
    ),
    (
        "jina-ai",
        "jina-reranker-v3",
        "/v1/rerank",
        {
            "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
            "usage": {"total_tokens": 8},
        },
    ),
    (
        "nvidia",
        "nvidia/nv-rerankqa-mistral-4b-v3",
        "/v1/ranking",
        {"rankings": [{"index": 1, "logit": 2.2}, {"index": 0, "logit": -1000.0}]},
    ),
    (
        "deepinfra",
        "Qwen/Qwen3-Reranker-8B",
        "/v1/inference/Qwen/Qwen3-Reranker-8B",
        {"scores": SCORES, "input_tokens": 8},
    ),
]


@pytest.mark.parametrize(("provider", "model", "path", "reply"), RERANKERS)
async def test_documents_are_ranked_by_each_vendor(
    tmp_path: Path, provider: str, model: str, path: str, reply: dict[str, Any]
) -> None:
    async with shop(tmp_path, provider, lambda heard: told(**reply)) as here:
        answer = await here.ask("rerank", model=f"{provider}/{model}", **RANKED)
        top = await here.ask("rerank", model=f"{provider}/{model}", top_n=1, **RANKED)

    results = answer.json()["results"]
    assert [one["index"] for one in results] == [1, 0]
    assert results[0]["document"] == {"text": "b"}
    assert results[0]["relevance_score"] == pytest.approx(0.9, abs=0.01)
    assert 0 <= results[1]["relevance_score"] < 0.2
    assert len(top.json()["results"]) == 1
    assert here.last.path == path
    assert "return_documents" not in here.last.json()


async def test_a_search_is_paid_as_cohere_counts_it(tmp_path: Path) -> None:
    async with shop(tmp_path, "cohere", lambda heard: told(**RERANKERS[0][3])) as here:
        answer = await here.ask("rerank", model="cohere/rerank-v3.5", top_n=1, **RANKED)

    assert here.last.json()["top_n"] == 1
    assert here.last.json()["documents"] == ["a", "b"]
    assert answer.headers["x-omniroute-cost-usd"] == "0.002000000"


@pytest.mark.parametrize(
    "reply", [{"results": []}, {"results": [{"index": 7, "relevance_score": 1}]}, {"results": [1]}]
)
async def test_a_ranking_of_other_documents_is_a_failure(
    tmp_path: Path, reply: dict[str, object]
) -> None:
    async with shop(tmp_path, "cohere", lambda heard: told(**reply)) as here:
        answer = await here.ask("rerank", model="cohere/rerank-v3.5", **RANKED)

    assert answer.status_code == 502


async def test_stable_diffusion_webui_draws_and_films(tmp_path: Path) -> None:
    async with shop(tmp_path, "sdwebui", lambda heard: told(images=["QUFB"]), key=None) as here:
        drawn = await here.ask(
            "images/generations", model="sdwebui/sdxl", prompt="a", size="640x480", steps=7
        )
        linked = await here.ask(
            "images/generations", model="sdwebui/sdxl", prompt="a", response_format="url"
        )
        filmed = await here.ask("videos/generations", model="sdwebui/sdxl", prompt="a")

    assert drawn.json()["data"] == [{"b64_json": "QUFB"}]
    assert linked.json()["data"] == [{"url": "data:image/png;base64,QUFB"}]
    assert filmed.json()["data"] == [{"b64_json": "QUFB", "format": "gif"}]
    first, _, last = (one.json() for one in here.heard)
    assert here.heard[0].path == "/sdapi/v1/txt2img"
    assert (first["width"], first["height"], first["steps"]) == (640, 480, 7)
    assert first["override_settings"] == {"sd_model_checkpoint": "sdxl"}
    assert "AnimateDiff" in last["alwayson_scripts"]
    # A server on one's own machine is free, which is known.
    assert drawn.headers["x-omniroute-cost-usd"] == "0.000000000"


def comfy(kind: str, name: str) -> Vendor:
    looks = iter([{}, {"p1": {"outputs": {"9": {kind: [{"filename": name, "type": "output"}]}}}}])

    def answer(heard: Heard) -> Told:
        if heard.path == "/prompt":
            return told(prompt_id="p1", number=1, node_errors={})
        if heard.path == "/history/p1":
            return told(**next(looks))
        return Told(SOUND, "application/octet-stream")

    return answer


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    ("path", "kind", "name", "row"),
    [
        ("images/generations", "images", "a.png", {"b64_json": base64.b64encode(SOUND).decode()}),
        (
            "videos/generations",
            "images",
            "a.webp",
            {"b64_json": base64.b64encode(SOUND).decode(), "format": "webp"},
        ),
        (
            "music/generations",
            "audio",
            "a.flac",
            {"b64_json": base64.b64encode(SOUND).decode(), "format": "flac"},
        ),
    ],
)
async def test_comfyui_is_given_a_workflow_and_asked_until_it_is_done(
    tmp_path: Path, path: str, kind: str, name: str, row: dict[str, str]
) -> None:
    async with shop(tmp_path, "comfyui", comfy(kind, name), key=None) as here:
        answer = await here.ask(path, model="comfyui/some.safetensors", prompt="a cat")

    assert answer.json()["data"] == [row], answer.text
    assert [one.path for one in here.heard] == [
        "/prompt",
        "/history/p1",
        "/history/p1",
        f"/view?filename={name}&subfolder=&type=output",
    ]
    nodes = here.heard[0].json()["prompt"]
    assert nodes["4"]["inputs"] == {"ckpt_name": "some.safetensors"}
    assert nodes["6"]["inputs"]["text"] == "a cat"


GOOD = {"status_code": 0, "status_msg": "success"}


async def test_minimaxs_hexadecimal_becomes_bytes(tmp_path: Path) -> None:
    def vendor(heard: Heard) -> Told:
        return told(data={"audio": SOUND.hex(), "status": 2}, base_resp=GOOD)

    async with shop(tmp_path, "minimax", vendor) as here:
        answer = await speak(here, "minimax/speech-2.8-hd")

    assert answer.content == SOUND
    assert here.last.path == "/v1/t2a_v2"
    assert here.last.headers["authorization"] == f"Bearer {KEY}"
    assert here.last.json()["voice_setting"] == {"voice_id": "some-voice"}


@pytest.mark.parametrize(("code", "status"), [(1002, 429), (1026, 400), (2013, 400), (1000, 502)])
async def test_minimaxs_errors_inside_a_200_have_their_kind(
    tmp_path: Path, code: int, status: int
) -> None:
    refused = {"status_code": code, "status_msg": "no"}

    async with shop(tmp_path, "minimax", lambda heard: told(base_resp=refused)) as here:
        answer = await speak(here, "minimax/speech-2.8-hd")

    assert answer.status_code == status


@pytest.mark.usefixtures("no_waits")
async def test_minimax_films_by_an_order_that_is_asked_after(tmp_path: Path) -> None:
    states = iter(["Queueing", "Success"])

    def vendor(heard: Heard) -> Told:
        if heard.method == "POST":
            return told(task_id="t1", base_resp=GOOD)
        if heard.path.startswith("/v1/query"):
            return told(status=next(states), file_id="f1", base_resp=GOOD)
        return told(file={"download_url": "https://cdn.example/a.mp4"}, base_resp=GOOD)

    async with shop(tmp_path, "minimax", vendor) as here:
        answer = await here.ask(
            "videos/generations", model="minimax/MiniMax-Hailuo-02", prompt="a cat", duration=6
        )

    assert answer.json()["data"] == [{"url": "https://cdn.example/a.mp4", "format": "mp4"}]
    assert here.heard[0].json()["duration"] == 6
    assert here.heard[1].path == "/v1/query/video_generation?task_id=t1"
    assert here.last.path == "/v1/files/retrieve?file_id=f1"


async def test_minimax_makes_music(tmp_path: Path) -> None:
    def vendor(heard: Heard) -> Told:
        return told(data={"audio": "https://cdn.example/a.mp3", "status": 2}, base_resp=GOOD)

    async with shop(tmp_path, "minimax", vendor) as here:
        answer = await here.ask(
            "music/generations", model="minimax/music-2.6", prompt="calm", lyrics="la"
        )

    assert answer.json()["data"][0]["url"] == "https://cdn.example/a.mp3"
    assert here.last.json()["lyrics"] == "la"


async def test_an_account_is_tested_by_the_cheapest_thing_it_does(tmp_path: Path) -> None:
    async with shop(tmp_path, "elevenlabs", lambda heard: MP3) as here:
        good = await here.here.client.post("/api/providers/elevenlabs/test")
    async with shop(tmp_path / "b", "assemblyai", lambda heard: MP3) as there:
        dear = await there.here.client.post("/api/providers/assemblyai/test")

    assert good.json()["ok"] is True, good.text
    assert here.last.json()["text"] == "ping"
    assert (dear.status_code, there.heard) == (400, [])


async def test_a_provider_without_chats_is_asked_for_none(tmp_path: Path) -> None:
    chat = {"messages": [{"role": "user", "content": "hi"}]}

    async with shop(tmp_path, "elevenlabs", lambda heard: MP3) as here:
        auto = await here.ask("chat/completions", model="auto", **chat)
        named = await here.ask("chat/completions", model="elevenlabs/some-new-voice", **chat)
        spoken = await speak(here, "elevenlabs/some-new-voice")

    assert (auto.status_code, named.status_code, spoken.status_code) == (404, 400, 200)
    assert len(here.heard) == 1


def test_every_row_names_a_provider_and_an_adapter_there_is() -> None:
    for row in SERVICES:
        assert provider_named(row.provider) is not None, row.provider
        assert row.adapter in ADAPTERS
    places = [(row.provider, row.kind) for row in SERVICES]
    assert len(places) == len(set(places))
    assert {row.adapter for row in SERVICES} == set(ADAPTERS)


def test_no_name_or_variable_stands_at_two_providers() -> None:
    names = [name for one in ALL_PROVIDERS for name in (one.name, *one.aliases)]
    # One vendor may have a row for each dialect that it speaks, as Bedrock does.
    owned = {(name, one.name.split("-")[0]) for one in ALL_PROVIDERS for name in one.variables}

    assert len(names) == len(set(names))
    assert len(owned) == len({name for name, _ in owned})
    assert len(ALL_PROVIDERS) > len(PROVIDERS)
