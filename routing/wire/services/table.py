"""The adapters by name: what the rows of catalog/services.py choose from."""

from collections.abc import Mapping
from typing import Literal

from . import cohere, gemini, openai
from .steps import Adapter

AdapterName = Literal["openai", "gemini", "cohere"]

ADAPTERS: Mapping[AdapterName, Adapter] = {
    "openai": openai.passed_on,
    "gemini": gemini.embedded,
    "cohere": cohere.embedded,
}
