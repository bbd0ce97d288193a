"""MiniMax: speech and music as hexadecimal text in JSON; films by an order that is asked after.

Errors come with status 200 and a code of their own in `base_resp`.

Source: MiniMax API reference, "Text to Speech (T2A V2)", "Video Generation" with "Query Video
Generation Task" and "File Retrieve", and "Music Generation".
"""

from collections.abc import Mapping
from urllib.parse import urlencode

import orjson

from ...conversation import Usage
from ...errors import FailureKind, UpstreamFailure
from .openai import read_json, spoken
from .steps import Asked, Made, Pause, Sent, Steps, body_of
from .voicing import TYPES, dropped, format_of, speed_of, text_of, voice_of

VOICE = "English_expressive_narrator"
FORMATS: Mapping[str, str] = {"mp3": "mp3", "pcm": "pcm", "flac": "flac", "wav": "wav"}
POLL_S = 10.0
_KINDS: Mapping[int, FailureKind] = {
    1002: "rate_limited",
    1004: "auth",
    1008: "quota_exhausted",
    1026: "content_policy",
    1027: "content_policy",
    2013: "bad_request",
    2049: "auth",
}
"""Source: MiniMax API reference, "Error codes"."""


def spoken_by(asked: Asked) -> Steps:
    """Give the sound, whole."""
    wanted, speed = format_of(asked, FORMATS), speed_of(asked)
    voice: dict[str, object] = {"voice_id": voice_of(asked, VOICE)}
    if speed is not None:
        voice["speed"] = speed
    body = {
        "model": asked.model,
        "text": text_of(asked),
        "stream": False,
        "voice_setting": voice,
        "audio_setting": {"format": FORMATS[wanted]},
    }
    got = yield Sent("/t2a_v2", body_of(body))
    sound = _sound(_read(got.body))
    return Made(sound, TYPES[wanted], spoken(asked), dropped=dropped(asked, "speed"))


def played_by(asked: Asked) -> Steps:
    """Give one piece of music."""
    body = {
        "model": asked.model,
        "prompt": asked.fields.get("prompt"),
        "lyrics": asked.fields.get("lyrics") or "",
        "audio_setting": {"sample_rate": 44_100, "bitrate": 256_000, "format": "mp3"},
        "output_format": "url",
    }
    got = yield Sent("/music_generation", body_of(body))
    data = _read(got.body).get("data")
    url = data.get("audio") if isinstance(data, dict) else None
    return _linked(url, "mp3")


def filmed_by(asked: Asked) -> Steps:
    """Give one film, by where it lies."""
    fields = asked.fields
    passed = {
        name: fields[name]
        for name in ("duration", "resolution", "first_frame_image")
        if fields.get(name) is not None
    }
    body = {"model": asked.model, "prompt": fields.get("prompt"), **passed}
    got = yield Sent("/video_generation", body_of(body))
    task = {"task_id": str(_read(got.body).get("task_id") or "")}
    while True:
        got = yield Sent(f"/query/video_generation?{urlencode(task)}", method="GET")
        told = _read(got.body)
        if told.get("status") == "Success":
            break
        if told.get("status") == "Fail":
            raise UpstreamFailure("the film could not be made", kind="server_error")
        yield Pause(POLL_S)
    query = urlencode({"file_id": str(told.get("file_id"))})
    got = yield Sent(f"/files/retrieve?{query}", method="GET")
    file = _read(got.body).get("file")
    return _linked(file.get("download_url") if isinstance(file, dict) else None, "mp4")


def _linked(url: object, form: str) -> Made:
    if not isinstance(url, str) or not url.startswith("https://"):
        raise UpstreamFailure("the answer names no file", kind="malformed")
    body = orjson.dumps({"created": 0, "data": [{"url": url, "format": form}]})
    return Made(body, usage=Usage(units=1))


def _read(body: bytes) -> dict[str, object]:
    told = read_json(body)
    status = told.get("base_resp")
    code = status.get("status_code") if isinstance(status, dict) else 0
    if isinstance(status, dict) and isinstance(code, int) and code != 0:
        said = str(status.get("status_msg") or "")[:300]
        raise UpstreamFailure(
            f"MiniMax answered {code}: {said}", kind=_KINDS.get(code, "server_error")
        )
    return told


def _sound(told: Mapping[str, object]) -> bytes:
    data = told.get("data")
    text = data.get("audio") if isinstance(data, dict) else None
    try:
        sound = bytes.fromhex(text if isinstance(text, str) else "")
    except ValueError as error:
        raise UpstreamFailure("the sound is not hexadecimal", kind="malformed") from error
    if not sound:
        raise UpstreamFailure("the answer holds no sound", kind="malformed")
    return sound
