"""What a provider with quirks refuses of a chat completion request.

The opposite side of wire/fitted.py, written on its own: it changes nothing and says no, in the
way in which such providers do.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from ..conversation import Json
from ..errors import BadRequest
from ..wire.quirks import Quirks
from .voices.hearing import decode, object_of, objects_of

_TURNS = ("user", "assistant")


def refuse_unfit(body: bytes, quirks: Quirks, *, streams_usage: bool) -> None:
    """Refuse what the provider does not take.

    Args:
        body: of a chat completion request.
        quirks: the provider's.
        streams_usage: whether a stream may be asked for its usage.

    Raises:
        BadRequest: names the field.
    """
    asked = decode(body)
    refused = (*quirks.refused, *(old for old, _ in quirks.renamed))
    if not streams_usage:
        refused += ("stream_options",)
    if not quirks.tools:
        refused += ("tools", "tool_choice")
    for name in refused:
        if asked.get(name) is not None:
            raise BadRequest(f"`{name}`: extra inputs are not permitted", field=name)
    wanted = object_of(asked, "response_format").get("type")
    if quirks.schema == "json_object" and wanted == "json_schema":
        raise BadRequest("this response_format type is unavailable", field="response_format")
    messages = objects_of(asked, "messages", required=True)
    for message in messages:
        _check(message, quirks)
    if quirks.alternates:
        _check_turns(messages)


def _check(message: Json, quirks: Quirks) -> None:
    if message.get("role") == "developer" and quirks.developer != "developer":
        raise BadRequest("unknown variant `developer`, expected `system`", field="messages")
    for name in quirks.message_fields_refused:
        if message.get(name) is not None:
            raise BadRequest(f"property {name!r} of a message is unsupported", field="messages")
    if quirks.text_only and isinstance(message.get("content"), list):
        raise BadRequest("the content of a message must be a string", field="messages")
    if quirks.tool_id_chars is not None:
        ids = [message.get("tool_call_id")]
        ids += [call.get("id") for call in objects_of(message, "tool_calls")]
        wanted = re.compile(f"[a-zA-Z0-9]{{{quirks.tool_id_chars}}}")
        if not all(one is None or wanted.fullmatch(str(one)) for one in ids):
            raise BadRequest(
                f"a tool call's id is {quirks.tool_id_chars} letters and digits", field="messages"
            )


def _check_turns(messages: Sequence[Json]) -> None:
    roles = [one.get("role") for one in messages if one.get("role") != "system"]
    for first, second in pairwise(roles):
        if first == second and first in _TURNS:
            raise BadRequest("user and assistant roles should be alternating", field="messages")
