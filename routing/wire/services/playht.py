"""PlayHT: speech. The user's id is a header of the account, `x-user-id`.

Source: PlayHT API reference, "Stream audio from text".
"""

from collections.abc import Mapping

from ..fields import present
from .openai import spoken
from .steps import Asked, Passed, Sent, Steps, body_of
from .voicing import TYPES, dropped, format_of, speed_of, text_of, voice_of

VOICE = "s3://voice-cloning-zero-shot/d9ff78ba-d016-47f6-b0ef-dd630f59414e/female-cs/manifest.json"
"""The voice of the reference's own example."""
FORMATS: Mapping[str, str] = {"mp3": "mp3", "wav": "wav", "flac": "flac", "opus": "ogg"}


def spoken_by(asked: Asked) -> Steps:
    """Give the sound as it comes."""
    wanted = format_of(asked, FORMATS)
    body: dict[str, object] = {
        "text": text_of(asked),
        "voice": voice_of(asked, VOICE),
        "voice_engine": asked.model,
        "output_format": FORMATS[wanted],
    }
    body |= present(speed=speed_of(asked), language=asked.fields.get("language"))
    headers = (("accept", TYPES[wanted]),)
    sent = Sent("/tts/stream", body_of(body), headers=headers)
    return Passed(sent, spoken(asked), dropped(asked, "speed", "language"))
    yield
