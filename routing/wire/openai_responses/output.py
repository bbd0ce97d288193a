"""The output of a response, as clients get it: items, parts, and the response around them.

A response repeats much of its request: what the client asked for is told again in its own
words, and what it left out by the vendor's defaults.

Source: OpenAI API reference, "The response object", read 2026-11.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import assert_never

import msgspec
from msgspec import structs

from ...conversation import Finish, Image, Reasoning, Text, Tool, ToolCall, Usage
from ..codec import Head
from ..fields import present
from ..fold import AnswerPart, Refusal, Weighed
from ..openai_chat.said import logprobs_json
from ..parts import image_url
from ..signatures import carried
from .tools import asked_tools, call_item

_REASONS: dict[Finish, str] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
# What a response repeats of its request, and what it says where the request says nothing.
_ECHOED: dict[str, object] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Echo:
    """What a response repeats of its request, and the tools that its calls may name.

    Args:
        asked: the client's own body; one that is no object is repeated as if it were empty.
    """

    def __init__(self, asked: bytes) -> None:
        self._asked = asked
        try:
            said = _fields.decode(asked)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said = {}
        self.fields: dict[str, object] = {
            name: said[name] if name in said and bytes(said[name]) != b"null" else neutral
            for name, neutral in _ECHOED.items()
        }

    @cached_property
    def tools(self) -> Mapping[str, Tool]:
        """The client's tools, by the names that models of other dialects call them by."""
        return asked_tools(self._asked)


def shown(part: AnswerPart) -> bool:
    """Whether a part has an item: all that say something have one."""
    return not isinstance(part, Reasoning) or part != Reasoning()


def item_id(part: AnswerPart, head: Head, number: int) -> str:
    """Give the id of an answer's item; items are told apart by their number in the output."""
    return f"{_prefix(part)}_{head.answer_id.removeprefix('resp_')}_{number}"


def item_json(
    part: AnswerPart, identity: str, echo: Echo, *, begun: bool = False
) -> dict[str, object]:
    """Give an item of the output; one that has just begun is empty and says so."""
    state = {"id": identity, "status": "in_progress" if begun else "completed"}
    match part:
        case Text() | Refusal():
            content = [] if begun else [part_json(part)]
            return {**state, "type": "message", "role": "assistant", "content": content}
        case Reasoning():
            summary = [part_json(part)] if part.text and not begun else []
            proof = None if begun else carried(part.signature, part.encrypted)
            hidden = present(encrypted_content=proof)
            return {**state, "type": "reasoning", "summary": summary, **hidden}
        case Image():
            return {**state, **_image_json(part, begun=begun)}
        case ToolCall():
            arguments = "" if begun else part.arguments
            return {**state, **call_json(structs.replace(part, arguments=arguments), echo)}
        case _:
            assert_never(part)


def call_json(call: ToolCall, echo: Echo) -> dict[str, object]:
    """Give a call's item as its client knows the tool: by its own kind, name and namespace."""
    tool = echo.tools.get(call.name)
    if tool is None and call.kind == "custom":
        item = {"call_id": call.call_id, "name": call.name, "input": call.arguments}
        return {"type": "custom_tool_call", **item}
    return call_item(tool, name=call.name, call_id=call.call_id, arguments=call.arguments)


def part_json(part: Text | Refusal | Reasoning) -> dict[str, object]:
    """Give the part of a message, or of a thought's summary."""
    match part:
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
        case Reasoning():
            return {"type": "summary_text", "text": part.text}
        case _:
            logprobs = weights_json(part)
            return {
                "type": "output_text",
                "text": part.text,
                "annotations": [],
                "logprobs": logprobs,
            }


def weights_json(part: Text) -> object:
    """Give the probabilities of a text's tokens; an empty list where none are known."""
    return logprobs_json(part.logprobs)["content"] if isinstance(part, Weighed) else []


def response_json(
    head: Head,
    echo: Echo,
    *,
    output: list[dict[str, object]],
    finish: Finish | None = None,
    usage: Usage | None = None,
) -> dict[str, object]:
    """Give a response; without a finish it is in progress."""
    reason = _REASONS.get(finish) if finish is not None else None
    status = "completed" if reason is None else "incomplete"
    return {
        "id": head.answer_id,
        "object": "response",
        "created_at": head.created_unix_s,
        "status": "in_progress" if finish is None else status,
        "background": False,
        "model": head.model,
        "output": output,
        "error": None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "usage": None if usage is None else _usage_json(usage),
        **echo.fields,
    }


def _prefix(part: AnswerPart) -> str:
    match part:
        case Text() | Refusal():
            return "msg"
        case Reasoning():
            return "rs"
        case Image():
            return "ig"
        case ToolCall():
            return "fc" if part.kind == "function" else "ctc"
        case _:
            assert_never(part)


def _image_json(image: Image, *, begun: bool) -> dict[str, object]:
    """Give an image's item; where only its address is known, that is the result."""
    item: dict[str, object] = {"type": "image_generation_call", "result": None}
    if not begun:
        item["result"] = image.data if image.url is None else image_url(image)
        kind = (image.media_type or "image/png").removeprefix("image/")
        item["output_format"] = kind
    return item


def _usage_json(found: Usage) -> dict[str, object]:
    return {
        "input_tokens": found.input_tokens,
        "input_tokens_details": {
            "cached_tokens": found.cached_input_tokens,
            "cache_write_tokens": found.cache_write_tokens,
        },
        "output_tokens": found.output_tokens,
        "output_tokens_details": {"reasoning_tokens": found.reasoning_tokens},
        "total_tokens": found.input_tokens + found.output_tokens,
    }
