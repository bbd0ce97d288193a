"""OpenAI's own shape, which most providers share: the body goes on as it is.

Source: OpenAI API reference (embeddings, moderations, images, audio), by OpenAI's own SDK 3.54,
which speaks it in the tests; for rerank, which OpenAI does not have, Cohere's API reference v2,
which the others follow, as it is known.
"""

import base64
import struct
from collections.abc import Mapping

import msgspec
import orjson
from msgspec import structs

from ...conversation import Usage
from ...errors import UpstreamFailure
from ..counting import count
from .steps import JSON_TYPE, Asked, Got, Made, Passed, Sent, Steps

_UNITS_BY_LENGTH = ("images/generations", "images/edits", "videos/generations")


def passed_on(asked: Asked) -> Steps:
    """Pass a request on below its own path, and its answer back."""
    sent = Sent(f"/{asked.endpoint}", asked.body, asked.content_type)
    if asked.endpoint == "audio/speech":
        return Passed(sent, spoken(asked))
    if asked.fields.get("stream") in (True, "true"):
        return Passed(sent)
    got = yield sent
    return structs.replace(answered(asked, got), dropped=tuple(asked.hints))


def answered(asked: Asked, got: Got) -> Made:
    """Give an answer of OpenAI's shape with what it tells of its cost.

    Raises:
        UpstreamFailure: it is no JSON object, or an error.
    """
    content_type = got.content_type or JSON_TYPE
    if asked.endpoint.startswith("audio/") and _is_text(content_type):
        return Made(got.body, content_type)
    told = read_json(got.body)
    body, content_type = got.body, JSON_TYPE
    if asked.fields.get("encoding_format") == "base64" and asked.endpoint == "embeddings":
        body = packed(told, body)
    model = told.get("model")
    usage = usage_of(told, asked.endpoint)
    return Made(body, content_type, usage, model if isinstance(model, str) else None)


def read_json(body: bytes) -> dict[str, object]:
    """Give a provider's JSON object.

    Raises:
        UpstreamFailure: it is none, or holds an error.
    """
    try:
        told: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamFailure(f"the answer is not JSON: {error}", kind="malformed") from error
    if not isinstance(told, dict):
        raise UpstreamFailure("the answer is no JSON object", kind="malformed")
    if told.get("error"):
        raise UpstreamFailure(f"the answer holds an error: {_said(told)}", kind="server_error")
    return told


def usage_of(told: Mapping[str, object], endpoint: str) -> Usage | None:
    """Give the usage that an answer tells, or shows by what it holds; None where it does not."""
    usage = told.get("usage")
    if not isinstance(usage, dict):
        usage = {}
    details = usage.get("input_tokens_details") or usage.get("prompt_tokens_details")
    cached = count(details.get("cached_tokens")) if isinstance(details, dict) else None
    given = _first(usage, "prompt_tokens", "input_tokens")
    written = _first(usage, "output_tokens", "completion_tokens")
    if given is None and written is None:
        given = count(usage.get("total_tokens"))
    units = _units(told, usage, endpoint)
    if given is None and units is None:
        return None
    return Usage(
        input_tokens=given or 0,
        output_tokens=written or 0,
        cached_input_tokens=min(cached or 0, given or 0),
        units=units or 0,
    )


def spoken(asked: Asked) -> Usage:
    """Give the usage of speech: the characters that are spoken."""
    text = asked.fields.get("input")
    return Usage(units=len(text) if isinstance(text, str) else 0)


def packed(told: dict[str, object], body: bytes) -> bytes:
    """Give an answer with its vectors as base64 of little-endian 32-bit floats.

    As it came where they are packed already.
    """
    rows = told.get("data")
    plain = [
        row
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and isinstance(row.get("embedding"), list)
    ]
    if not plain:
        return body
    for row in plain:
        row["embedding"] = packed_vector(row["embedding"])
    return orjson.dumps(told)


def packed_vector(vector: object) -> str:
    """Give a vector as base64 of little-endian 32-bit floats.

    Raises:
        UpstreamFailure: it holds something else than numbers.
    """
    try:
        numbers = msgspec.convert(vector, list[float])
        return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    except (msgspec.ValidationError, OverflowError, struct.error) as error:
        raise UpstreamFailure("an embedding is no list of numbers", kind="malformed") from error


def _is_text(content_type: str) -> bool:
    """Whether it is what a sound says as plain text or subtitles; a web page is neither."""
    return "json" not in content_type and "html" not in content_type


def _first(counts: Mapping[str, object], *names: str) -> int | None:
    found = (count(counts.get(name)) for name in names)
    return next((one for one in found if one is not None), None)


def _units(told: Mapping[str, object], usage: Mapping[str, object], endpoint: str) -> int | None:
    if endpoint in _UNITS_BY_LENGTH:
        data = told.get("data")
        return len(data) if isinstance(data, list) else None
    if endpoint == "rerank":
        return _searches(told)
    if endpoint.startswith("audio/"):
        # Some tell the length of the sound as usage, and all of them with response_format
        # verbose_json. A second that began is paid for.
        seconds = usage.get("seconds", told.get("duration"))
        return -int(-seconds // 1) if isinstance(seconds, int | float) and seconds >= 0 else None
    return None


def _searches(told: Mapping[str, object]) -> int | None:
    meta = told.get("meta")
    billed = meta.get("billed_units") if isinstance(meta, dict) else None
    return count(billed.get("search_units")) if isinstance(billed, dict) else None


def _said(told: Mapping[str, object]) -> str:
    error = told.get("error")
    words = error.get("message") if isinstance(error, dict) else error
    return words[:300] if isinstance(words, str) else "without words"
