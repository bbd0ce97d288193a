"""A judge of requests for OpenAI: the types of its own Python library, checked to the last item.

The library has lists as iterables, which pydantic checks only as they are gone through.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from omniroute.routing.model import Dialect

_TYPES: Mapping[Dialect, TypeAdapter[Any]] = {
    "openai_chat": TypeAdapter(CompletionCreateParamsNonStreaming),
    "openai_responses": TypeAdapter(ResponseCreateParamsNonStreaming),
}


def check(dialect: Dialect, body: dict[str, Any]) -> None:
    """Raise pydantic's ValidationError for a body that OpenAI's library would not type."""
    asked = {name: value for name, value in body.items() if name != "stream"}
    if dialect == "openai_responses":
        asked["input"] = [_named(item) for item in asked["input"]]
    _go_through(_TYPES[dialect].validate_python(asked))


def _named(item: dict[str, Any]) -> dict[str, Any]:
    """Give an item with the id that the types demand of a thought, and the API does not.

    Source: OpenAI, "Reasoning models", "Encrypted reasoning items", read 2026-11: without `store`
    there is nothing that an id could name.
    """
    return {"id": "rs_1", **item} if item.get("type") == "reasoning" else item


def _go_through(value: object) -> None:
    if isinstance(value, Mapping):
        _go_through(list(value.values()))
    elif isinstance(value, list | Iterator):
        for one in value:
            _go_through(one)
