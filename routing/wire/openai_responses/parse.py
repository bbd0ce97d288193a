"""An OpenAI Responses request into a Chat.

Items of one answer stand apart here (a thought, a message, each call); they become one
turn of the assistant. State that OpenAI keeps (`previous_response_id`, item references)
cannot be read, and is refused where another dialect would have to know it.

Source: OpenAI API reference, "Create a model response", read 2026-11.
"""

from typing import Literal

from ...conversation import (
    Chat,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ...errors import BadRequest
from ...model import Dialect
from ..fields import Fields, body_fields, refusing_depth
from ..parts import image_of, kept, opaque
from ..signatures import marked

DIALECT: Dialect = "openai_responses"

_MODES: tuple[Literal["auto", "none", "required"], ...] = ("auto", "none", "required")
_ROLES: tuple[Role, ...] = ("system", "developer", "user", "assistant")
_ITEMS = ("message", "function_call", "function_call_output", "reasoning")


@refusing_depth
def parse_request(body: bytes) -> Chat:
    """Give the conversation of a request body.

    Raises:
        BadRequest: the body is not valid, or holds an item that no value carries.
    """
    fields = body_fields(body)
    fields.text("model")
    messages = _input(fields)
    instructions = fields.text_or_none("instructions")
    if instructions:
        messages = (Message("system", (Text(instructions),)), *messages)
    reasoning = fields.child_or_none("reasoning")
    effort = None if reasoning is None else reasoning.text_or_none("effort")
    text = fields.child_or_none("text")
    json_schema = None if text is None else _json_schema(text.child_or_none("format"))
    tools = tuple(_tool(item) for item in fields.items("tools"))
    choice = _tool_choice(fields)
    limit = fields.tokens_or_none("max_output_tokens")
    temperature = fields.number_or_none("temperature")
    top_p = fields.number_or_none("top_p")
    stream = fields.flag_or_none("stream") or False
    rest = fields.rest()
    for name, child in (("reasoning", reasoning), ("text", text)):
        if child is not None and child.rest():
            rest[name] = child.rest()
    return Chat(
        messages=messages,
        tools=tools,
        tool_choice=choice,
        output_tokens_max=limit,
        temperature=temperature,
        top_p=top_p,
        reasoning_effort=effort,
        json_schema=json_schema,
        stream=stream,
        rest=kept(DIALECT, rest),
    )


def _input(fields: Fields) -> tuple[Message, ...]:
    asked = fields.value("input")
    if isinstance(asked, str):
        return (Message("user", (Text(asked),)),)
    if asked is not None and not isinstance(asked, list):
        raise fields.wrong("input", "a string or a list of items")
    turns: list[tuple[Role, list[Part]]] = []
    for item in fields.items("input"):
        message = _item(item)
        if message.role != "assistant" or not turns or turns[-1][0] != "assistant":
            turns.append((message.role, []))
        turns[-1][1].extend(message.parts)
    return tuple(Message(role, tuple(parts)) for role, parts in turns)


def _item(fields: Fields) -> Message:
    match fields.text_or_none("type") or "message":
        case "message":
            word = fields.text("role")
            role = next((known for known in _ROLES if known == word), None)
            if role is None:
                raise fields.unknown("role", _ROLES)
            return Message(role, _content(fields, "content"))
        case "function_call":
            call = ToolCall(fields.text("call_id"), fields.text("name"), fields.text("arguments"))
            return Message("assistant", (call,))
        case "function_call_output":
            parts = _content(fields, "output")
            shown = tuple(part for part in parts if isinstance(part, Text | Image))
            return Message("tool", (ToolResult(fields.text("call_id"), shown),))
        case "reasoning":
            return Message("assistant", _thoughts(fields))
        case kind:
            path = fields.path_of("type")
            raise BadRequest(
                f"`{path}` {kind!r} cannot be read for a model of another dialect; "
                f"known are {', '.join(_ITEMS)}",
                field=path,
            )


def _content(fields: Fields, name: str) -> tuple[Part, ...]:
    content = fields.value(name)
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        raise fields.wrong(name, "a string or a list of parts")
    return tuple(_part(item) for item in fields.items(name))


def _part(fields: Fields) -> Part:
    match fields.text("type"):
        case "input_text" | "output_text" | "text":
            # What the provider adds to its own text (annotations, logprobs) is not sent back.
            return Text(fields.text("text"))
        case "refusal":
            return Text(fields.text("refusal"))
        case "input_image" if fields.has("image_url"):
            url = fields.text("image_url")
            return image_of(url, kept(DIALECT, fields.rest()), fields.path_of("image_url"))
        case _:
            return opaque(DIALECT, fields.values)


def _thoughts(fields: Fields) -> tuple[Part, ...]:
    pieces = [*fields.items("summary"), *fields.items("content")]
    text = "\n\n".join(piece.text("text") for piece in pieces)
    encrypted = fields.text_or_none("encrypted_content")
    if not text and not encrypted:
        return ()
    return (Reasoning(text, encrypted=marked(encrypted, DIALECT) if encrypted else None),)


def _tool(fields: Fields) -> Tool:
    kind = fields.text("type")
    if kind != "function":
        return Tool(fields.text_or_none("name") or kind, rest={DIALECT: fields.values})
    name = fields.text("name")
    description = fields.text_or_none("description") or ""
    parameters = fields.mapping("parameters")
    return Tool(name, description, parameters, kept(DIALECT, fields.rest()))


def _tool_choice(fields: Fields) -> ToolChoice | None:
    parallel = fields.flag_or_none("parallel_tool_calls")
    choice = fields.value("tool_choice")
    if choice is None:
        return None if parallel is None else ToolChoice("auto", parallel=parallel)
    if isinstance(choice, str):
        for mode in _MODES:
            if choice == mode:
                return ToolChoice(mode, parallel=parallel)
        raise fields.unknown("tool_choice", _MODES)
    chosen = fields.child("tool_choice")
    if chosen.text("type") != "function":
        raise chosen.unknown("type", ("function",))
    return ToolChoice("named", name=chosen.text("name"), parallel=parallel)


def _json_schema(fields: Fields | None) -> dict[str, object] | None:
    if fields is None:
        return None
    match fields.text("type"):
        case "text":
            return None
        case "json_object":
            return {}
        case "json_schema":
            fields.child("schema")
            return {name: value for name, value in fields.values.items() if name != "type"}
        case _:
            raise fields.unknown("type", ("text", "json_object", "json_schema"))
