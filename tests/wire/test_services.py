"""Forms and adapters against whatever may come: a value or a named refusal, never anything else."""

import itertools
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniroute.routing.errors import BadRequest, UpstreamFailure
from omniroute.routing.wire.services.form import form_in, form_of
from omniroute.routing.wire.services.reading import ENDPOINTS, asked_of, operation_of
from omniroute.routing.wire.services.sounds import seconds_max
from omniroute.routing.wire.services.steps import Asked, Got, Made, Passed, Pause, Sent
from omniroute.routing.wire.services.table import ADAPTERS, AdapterName

TYPE = b"multipart/form-data; boundary=edge"
HEAD = b'--edge\r\ncontent-disposition: form-data; name="%b"'
FORM = b"".join(
    (
        HEAD % b"model",
        b"\r\n\r\nprovider/a\r\n",
        HEAD % b"file",
        b'; filename="secret.wav"\r\ncontent-type: audio/wav\r\n\r\n',
        b"\r\n--edg\x00\r\n\r\nbytes\r\n",
        HEAD % b"include[]",
        b"\r\n\r\none\r\n",
        HEAD % b"include[]",
        b"\r\n\r\ntwo\r\n--edge--\r\n",
    )
)
KINDS: dict[str, tuple[AdapterName, ...]] = {
    "embeddings": ("gemini-embed", "cohere-embed", "openai"),
    "moderations": ("openai",),
    "rerank": ("rerank", "rerank-voyage", "rerank-nvidia", "rerank-deepinfra", "openai"),
    "images/generations": ("hyperbolic-image", "sdwebui-image", "comfyui-image", "openai"),
    "audio/speech": (
        *("inworld", "hyperbolic-speech", "minimax-speech", "elevenlabs", "cartesia", "playht"),
        *("deepgram-speak", "coqui", "openai"),
    ),
    "audio/transcriptions": ("deepgram-listen", "assemblyai", "openai"),
    "videos/generations": ("minimax-video", "comfyui-video", "sdwebui-video"),
    "music/generations": ("minimax-music", "comfyui-music"),
}
PAIRS = [(path, name) for path, names in KINDS.items() for name in names]
SOUNDS = "audio/transcriptions"
FIELDS = {
    "model": "m",
    "input": "a text",
    "prompt": "a prompt",
    "query": "a query",
    "documents": ["one", "two"],
}
WORDS = st.sampled_from(
    [
        *("data", "results", "rankings", "scores", "images", "embeddings", "values", "float"),
        *("audio", "audioContent", "status", "id", "upload_url", "words", "channels", "text"),
        *("alternatives", "transcript", "metadata", "duration", "error", "index", "logit"),
        *("relevance_score", "outputs", "filename", "prompt_id", "p1", "base_resp", "file"),
        *("status_code", "task_id", "file_id", "download_url", "meta", "billed_units", "usage"),
        *("completed", "Success", "queued", "n", "dimensions", "stream"),
    ]
)
ODD_NAMES = st.sampled_from(
    [
        *("dimensions", "n", "speed", "size", "seed", "steps", "duration", "top_n", "language"),
        *("voice", "response_format", "input_type", "lyrics", "encoding_format", "user"),
    ]
)


def written(value: object) -> bytes:
    return json.dumps(value).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(), inner, max_size=6)
    ),
    max_leaves=8,
)
ANSWERS = st.lists(
    st.dictionaries(WORDS, JSON, max_size=4).map(written) | st.binary(max_size=40),
    min_size=1,
    max_size=3,
)


def test_a_form_is_read_by_its_places() -> None:
    form = form_of(FORM, TYPE)
    file = form.file()

    assert form.texts() == {"model": "provider/a", "include[]": ["one", "two"]}
    assert file is not None
    assert (bytes(file.data), file.content_type) == (b"\r\n--edg\x00\r\n\r\nbytes", "audio/wav")


@given(model=st.text(max_size=30))
def test_a_form_changes_in_the_models_name_alone(model: str) -> None:
    before = form_in(FORM)
    after = form_in(before.with_text("model", model))

    assert after.texts() == {**before.texts(), "model": model}
    files = before.file(), after.file()
    assert files[0] is not None
    assert files[1] is not None
    assert bytes(files[0].data) == bytes(files[1].data)


def test_a_form_without_a_model_gets_one() -> None:
    body = FORM[FORM.index(HEAD % b"file") :]

    assert form_in(form_in(body).with_text("model", "m")).texts()["model"] == "m"


@given(
    cuts=st.lists(st.tuples(st.integers(0, len(FORM)), st.integers(0, 40), st.binary(max_size=8)))
)
def test_a_broken_form_is_read_or_refused(cuts: list[tuple[int, int, bytes]]) -> None:
    body = FORM
    for at, size, instead in cuts:
        body = body[:at] + instead + body[at + size :]

    for endpoint in ENDPOINTS:
        try:
            _, operation = operation_of(endpoint, body, TYPE)
            asked = asked_of(operation, "m")
        except BadRequest:
            continue
        assert asked.fields["model"] == "m"


@settings(max_examples=60)
@given(body=st.dictionaries(st.sampled_from(list(FIELDS)) | WORDS, JSON).map(written))
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.path)
def test_any_json_is_an_operation_or_a_bad_request(endpoint: object, body: bytes) -> None:
    assert endpoint in ENDPOINTS
    found = next(one for one in ENDPOINTS if one is endpoint)
    try:
        target, operation = operation_of(found, body, b"application/json")
    except BadRequest:
        return
    features = operation.features
    assert target
    assert features.units_max >= 1
    assert features.input_tokens <= features.input_tokens_max


@pytest.mark.parametrize(("path", "name"), PAIRS)
@settings(max_examples=40)
@given(answers=ANSWERS, html=st.booleans())
def test_an_adapter_makes_of_any_answer_an_answer_or_a_failure(
    path: str, name: AdapterName, answers: list[bytes], html: bool
) -> None:
    asked = Asked(path, "m", orjson.dumps(FIELDS), fields=FIELDS)
    if path.startswith("audio/tr"):
        file = form_in(FORM).file()
        asked = Asked(path, "m", FORM, form_in(FORM).content_type, {"model": "m"}, file)
    headers = {b"content-type": b"text/html" if html else b"application/json"}
    steps = ADAPTERS[name](asked)

    try:
        step = next(steps)
        for body in itertools.islice(itertools.cycle(answers), 30):
            assert isinstance(step, Sent | Pause)
            assert isinstance(step, Pause) or step.path.startswith("/")
            step = steps.send(Got(body, headers))
    except StopIteration as ended:
        made = ended.value
    except (UpstreamFailure, BadRequest):
        return
    else:
        return
    assert isinstance(made, Made | Passed)


@pytest.mark.parametrize(("path", "name"), [one for one in PAIRS if one[0] != SOUNDS])
@settings(max_examples=40)
@given(odd=st.dictionaries(ODD_NAMES, JSON | st.just(10**30) | st.just(-1e300), min_size=1))
def test_whatever_a_client_says_is_sent_or_refused(
    path: str, name: AdapterName, odd: dict[str, object]
) -> None:
    endpoint = next(one for one in ENDPOINTS if one.path == path)

    try:
        _, operation = operation_of(endpoint, written({**FIELDS, **odd}), b"")
        step = next(ADAPTERS[name](asked_of(operation, "m")))
    except StopIteration as ended:
        made = ended.value
        assert isinstance(made, Passed)
        step = made.sent
    except (UpstreamFailure, BadRequest):
        return
    assert isinstance(step, Sent)
    assert step.path.startswith("/")
    assert "/../" not in step.path


def test_every_adapter_is_tried() -> None:
    assert {name for _, name in PAIRS} == set(ADAPTERS)


@given(sound=st.binary(max_size=100))
def test_a_sound_lasts_a_second_at_least(sound: bytes) -> None:
    assert seconds_max(memoryview(sound)) >= 1


def test_a_wav_says_how_long_a_second_is() -> None:
    head = b"RIFF....WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0"

    assert seconds_max(memoryview(head + bytes(32_000 - len(head)))) == 2
    assert seconds_max(memoryview(bytes(32_000))) == 43
