"""Cartesia: speech. Source: Cartesia API reference, "Text to Speech (Bytes)"."""

from collections.abc import Mapping

from .openai import spoken
from .steps import Asked, Passed, Sent, Steps, body_of
from .voicing import dropped, format_of, text_of, voice_of

VERSION = "2024-06-10"
VOICE = "694f9389-aac1-45b6-b726-9d9369183238"
"""The voice of the reference's own example."""
FORMATS: Mapping[str, Mapping[str, object]] = {
    "mp3": {"container": "mp3", "sample_rate": 44_100, "bit_rate": 128_000},
    "wav": {"container": "wav", "encoding": "pcm_s16le", "sample_rate": 44_100},
    "pcm": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000},
}


def spoken_by(asked: Asked) -> Steps:
    """Give the sound as it comes."""
    body: dict[str, object] = {
        "model_id": asked.model,
        "transcript": text_of(asked),
        "voice": {"mode": "id", "id": voice_of(asked, VOICE)},
        "output_format": FORMATS[format_of(asked, FORMATS)],
    }
    if asked.fields.get("language") is not None:
        body["language"] = asked.fields["language"]
    left_out = dropped(asked, "language")
    return Passed(Sent("/tts/bytes", body_of(body)), spoken(asked), left_out)
    yield
