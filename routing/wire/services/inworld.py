"""Inworld: speech, as base64 in JSON.

Source: Inworld API reference, "Synthesize speech", read 2026-11-22.
"""

import base64
import binascii
from collections.abc import Mapping

from ...errors import UpstreamFailure
from .openai import read_json, spoken
from .steps import Asked, Made, Sent, Steps, body_of
from .voicing import TYPES, dropped, format_of, speed_of, text_of, voice_of

VOICE = "Ashley"
FORMATS: Mapping[str, str] = {
    "mp3": "MP3",
    "wav": "LINEAR16",
    "opus": "OGG_OPUS",
    "flac": "FLAC",
}
SAMPLE_RATE = 48_000


def spoken_by(asked: Asked) -> Steps:
    """Give the sound, whole."""
    wanted, speed = format_of(asked, FORMATS), speed_of(asked)
    audio: dict[str, object] = {
        "audioEncoding": FORMATS[wanted],
        "sampleRateHertz": SAMPLE_RATE,
    }
    if speed is not None:
        audio["speakingRate"] = speed
    body = {
        "text": text_of(asked),
        "voiceId": voice_of(asked, VOICE),
        "modelId": asked.model,
        "audioConfig": audio,
    }
    got = yield Sent("/voice", body_of(body))
    sound = decoded(read_json(got.body).get("audioContent"))
    return Made(sound, TYPES[wanted], spoken(asked), dropped=dropped(asked, "speed"))


def decoded(text: object) -> bytes:
    """Give the bytes of a base64 text.

    Raises:
        UpstreamFailure: it is none, or empty.
    """
    try:
        sound = base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise UpstreamFailure("the sound is not base64", kind="malformed") from error
    if not sound:
        raise UpstreamFailure("the answer holds no sound", kind="malformed")
    return sound
