"""Conversations made short: a summary that a model writes, carried by its client.

OpenAI's clients ask for it in two ways, by an endpoint of its own and by a last item of type
`compaction_trigger`, and are given an item of type `compaction` whose content only its maker can
read. They send it instead of what was said. Ours holds the summary itself, packed and not
encrypted: it is the client's own conversation, and any provider can go on from it, as it becomes
a message again before a request is parsed. An item of OpenAI's own stays as it is.

Source: OpenAI API reference, "Compact a response" and the guide on compaction; the types of its
Python SDK 3.54; Codex's public changes (openai/codex pull request 22809); all read 2026-11.
"""

import base64
import binascii
import zlib
from collections.abc import Sequence

import msgspec

from ...errors import BadRequest
from ..fields import encode
from ..splice import fields_of
from .history import COMPACTION, TRIGGER, Item, identified

TRIGGER_BYTES = b'"compaction_trigger"'
MARK = "omniroute.compaction.1."
MARK_BYTES = MARK.encode()
SUMMARY_BYTES_MAX = 2**20

TASK = (
    "The conversation above is about to be replaced by a summary that you write now. Whoever "
    "goes on has nothing but that summary and the user's own messages. Write down, briefly and "
    "exactly: what the user wants, with every rule and wish that still holds; what was done and "
    "found, with the names of files, commands, values and errors as they are; what was decided "
    "and why; what is under way; and what is to be done next. Write only the summary."
)
_ABOUT = "Summary of the conversation so far, written to replace it:\n\n"

# What would make the summary something else than a text.
_LEFT_OUT = (
    *("stream", "stream_options", "previous_response_id", "conversation", "background"),
    *("include", "text", "max_output_tokens", "tool_choice", "generate", "truncation"),
)


def is_triggered(items: Sequence[Item]) -> bool:
    """Whether a request's last item asks for a summary."""
    return bool(items) and items[-1].get("type") == TRIGGER


def request_of(body: bytes, items: Sequence[Item]) -> bytes:
    """Give the request that has a model write the summary of these items.

    Raises:
        BadRequest: there is nothing to be summed up.
    """
    said = [item for item in items if item.get("type") != TRIGGER]
    if not said:
        raise BadRequest("there is no conversation to make short", field="input")
    fields = fields_of(body)
    for name in _LEFT_OUT:
        fields.pop(name, None)
    task = {"type": "input_text", "text": TASK}
    message = {"type": "message", "role": "user", "content": [task]}
    fields["input"] = msgspec.Raw(encode([*restored(said), message]))
    fields["store"] = msgspec.Raw(b"false")
    # Tools stay, as some providers refuse calls of tools that are not there; none is called.
    if _has_tools(fields, said):
        fields["tool_choice"] = msgspec.Raw(b'"none"')
    return encode(fields)


def text_of(response: Item) -> str:
    """Give the text of an answer."""
    output = response.get("output")
    found: list[str] = []
    for item in output if isinstance(output, list) else ():
        content = item.get("content") if isinstance(item, dict) else None
        parts = content if isinstance(content, list) else []
        said = [part for part in parts if isinstance(part, dict)]
        found += [str(part.get("text", "")) for part in said if part.get("type") == "output_text"]
    return "".join(found).strip()


def compaction_of(summary: str, response_id: str) -> dict[str, object]:
    """Give the item that carries a summary."""
    packed = base64.urlsafe_b64encode(zlib.compress(summary.encode()[:SUMMARY_BYTES_MAX]))
    mark = response_id.removeprefix("resp_")
    return {
        "type": COMPACTION,
        "id": f"cmp_{mark}",
        "encrypted_content": MARK + packed.decode(),
    }


def compacted(response: Item, items: Sequence[Item], summary: str) -> dict[str, object]:
    """Give what the endpoint answers: the user's messages, and the summary of all."""
    response_id = str(response["id"])
    users = [item for item in items if item.get("role") == "user"]
    return {
        "id": response_id,
        "object": "response.compaction",
        "created_at": response.get("created_at"),
        "output": [*identified(users, response_id), compaction_of(summary, response_id)],
        "usage": response.get("usage"),
    }


def restored(items: Sequence[Item]) -> list[Item]:
    """Give the items with messages in place of our summaries.

    Raises:
        BadRequest: one bears our mark and is none of ours.
    """
    return [_message(item) if _is_ours(item) else item for item in items]


def _is_ours(item: Item) -> bool:
    content = item.get("encrypted_content")
    return item.get("type") == COMPACTION and isinstance(content, str) and content.startswith(MARK)


def _message(item: Item) -> Item:
    packed = str(item["encrypted_content"]).removeprefix(MARK)
    try:
        unpacker = zlib.decompressobj()
        summary = unpacker.decompress(base64.urlsafe_b64decode(packed), SUMMARY_BYTES_MAX)
        text = summary.decode() if unpacker.eof else ""
    except (binascii.Error, zlib.error, ValueError):
        text = ""
    if not text:
        raise BadRequest(
            "an item of type 'compaction' was changed on its way and cannot be read",
            field="input",
        )
    part = {"type": "input_text", "text": _ABOUT + text}
    return {"type": "message", "role": "user", "content": [part]}


def _has_tools(fields: dict[str, msgspec.Raw], items: Sequence[Item]) -> bool:
    tools = bytes(fields.get("tools", b"")).strip()
    given = tools not in (b"", b"null", b"[]")
    return given or any(item.get("type") == "additional_tools" for item in items)
