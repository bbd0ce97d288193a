"""The four voices by dialect."""

from collections.abc import Mapping

from ...model import Dialect
from . import anthropic, gemini, openai_chat, openai_responses
from .voice import Voice

VOICES: Mapping[Dialect, Voice] = {
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "anthropic": anthropic,
    "gemini": gemini,
}
