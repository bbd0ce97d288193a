"""AssemblyAI: transcription, by three requests: the sound, the order, and whether it is done.

Source: AssemblyAI API reference, "Upload a media file", "Transcribe audio" and "Get transcript",
read 2026-11-22.
"""

from urllib.parse import quote

import orjson

from ...errors import UpstreamFailure
from . import writing
from .openai import read_json
from .steps import Asked, Pause, Sent, Steps, body_of

POLL_S = 2.0
MS = 1000


def written_by(asked: Asked) -> Steps:
    """Give what is said in a sound."""
    file = writing.file_of(asked)
    got = yield Sent("/upload", bytes(file.data), "application/octet-stream")
    order: dict[str, object] = {
        "audio_url": read_json(got.body).get("upload_url"),
        "speech_models": [asked.model],
    }
    language = asked.fields.get("language")
    order |= {"language_code": language} if language else {"language_detection": True}
    got = yield Sent("/transcript", body_of(order))
    told = read_json(got.body)
    path = f"/transcript/{quote(str(told.get('id')), safe='')}"
    while told.get("status") in ("queued", "processing"):
        yield Pause(POLL_S)
        got = yield Sent(path, method="GET")
        told = _read(got.body)
    if told.get("status") != "completed":
        raise UpstreamFailure(
            f"the transcription ended as {told.get('status')!r}: {told.get('error')}",
            kind="server_error",
        )
    return writing.made(asked, _heard(told), writing.dropped(asked, "language"))


def _read(body: bytes) -> dict[str, object]:
    """Give the state; one that failed names its error beside it, which is no broken answer."""
    told: object = orjson.loads(body) if body[:1] == b"{" else None
    return told if isinstance(told, dict) else read_json(body)


def _heard(told: dict[str, object]) -> writing.Heard:
    try:
        rows = told.get("words") or []
        words = [
            writing.Word(str(one["text"]), one["start"] / MS, one["end"] / MS)
            for one in (rows if isinstance(rows, list) else [])
        ]
        seconds = float(str(told["audio_duration"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UpstreamFailure("the answer holds no transcript", kind="malformed") from error
    language = str(told.get("language_code") or "")
    return writing.Heard(str(told.get("text") or ""), seconds, tuple(words), language)
