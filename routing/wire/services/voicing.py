"""What adapters for speech have in common: the text, the voice, and OpenAI's formats."""

from collections.abc import Mapping

from ...errors import BadRequest
from .steps import Asked

FORMAT = "mp3"
TYPES: Mapping[str, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


def text_of(asked: Asked) -> str:
    """Give what is to be said."""
    return str(asked.fields.get("input"))


def voice_of(asked: Asked, default: str) -> str:
    """Give the voice by its provider's name; OpenAI's newer clients send `{id}`."""
    voice = asked.fields.get("voice")
    if isinstance(voice, dict):
        voice = voice.get("id")
    return voice if isinstance(voice, str) and voice else default


def format_of(asked: Asked, known: Mapping[str, object]) -> str:
    """Give the wanted format.

    Raises:
        BadRequest: the provider has no such format.
    """
    wanted = asked.fields.get("response_format") or FORMAT
    if not isinstance(wanted, str) or wanted not in known:
        raise BadRequest(
            f"{asked.model} speaks {', '.join(known)}; ask for one of these",
            field="response_format",
        )
    return wanted


def speed_of(asked: Asked) -> float | None:
    """Give how fast is to be spoken, 1 being the usual."""
    speed = asked.fields.get("speed")
    return speed if isinstance(speed, int | float) and not isinstance(speed, bool) else None


def dropped(asked: Asked, *taken: str) -> tuple[str, ...]:
    """Give OpenAI's further fields that the provider is not told."""
    known = ("speed", "instructions", "language")
    return tuple(name for name in known if name not in taken and asked.fields.get(name) is not None)
