"""Coqui TTS on a machine of one's own: speech as WAV. The model is the one it was started with.

Source: coqui-ai/TTS, `TTS/server/server.py` (`/api/tts` with `text` and `speaker_id`).
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from .openai import spoken
from .steps import Asked, Passed, Sent, Steps
from .voicing import dropped, format_of, text_of, voice_of

FORMATS: Mapping[str, str] = {"wav": "wav", "mp3": "wav"}
"""What is asked for without a format is WAV, too: the answer says so."""


def spoken_by(asked: Asked) -> Steps:
    """Give the sound as it comes."""
    format_of(asked, FORMATS)
    query = {"text": text_of(asked)}
    voice = voice_of(asked, "")
    if voice:
        query["speaker_id"] = voice
    sent = Sent(f"/tts?{urlencode(query)}", method="GET")
    return Passed(sent, spoken(asked), dropped(asked))
    yield
