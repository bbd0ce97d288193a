"""A Gemini generateContent request into a Chat. The model and the mode stand in the path.

Fields may be written in either case, as Google's own servers read them. Calls without an id
get one, and a result without one answers the first open call of its name.

Source: Gemini API reference, "Generating content", read 2026-11; the case of names: ProtoJSON.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Mapping

from msgspec import structs

from ...conversation import (
    Chat,
    Message,
    Part,
    Reasoning,
    Role,
    Shown,
    Text,
    ToolCall,
    ToolResult,
)
from ..fields import OUTPUT_TOKENS_MAX, Fields, body_fields, encode_text, refusing_depth
from ..parts import kept
from ..signatures import NO_PROOF, marked
from .media import DIALECT, camel, read_media, whole
from .schemas import json_schema_of
from .thinking import read_thinking
from .tools import read_choice, read_tools

_ROLES: dict[str, Role] = {
    "user": "user",
    "model": "assistant",
    "function": "user",
    "system": "system",
}
_JSON_TYPE = "application/json"
# The values that a Chat has for fields of generationConfig.
_SCHEMAS = ("responseMimeType", "responseJsonSchema", "responseSchema")


@refusing_depth
def parse_request(body: bytes) -> Chat:
    """Give the conversation of a request body; `stream` is never set by it.

    Raises:
        BadRequest: the body is not valid; names the field.
    """
    fields = camel(body_fields(body))
    if not fields.has("contents"):
        raise fields.wrong("contents", "a list")
    calls = _Calls()
    messages = tuple(_content(camel(item), calls) for item in fields.items("contents"))
    instruction = fields.child_or_none("systemInstruction")
    if instruction is not None:
        parts = _content(camel(instruction), calls).parts
        messages = (Message("system", parts), *messages)
    choice, tools, tool_config = read_choice(fields.child_or_none("toolConfig"), read_tools(fields))
    config = camel(fields.child_or_none("generationConfig") or Fields({}))
    thinking = config.child_or_none("thinkingConfig")
    wish = read_thinking(None if thinking is None else camel(thinking))
    schema, schema_rest = _json_schema(config)
    chat = Chat(
        messages=messages,
        tools=tools,
        tool_choice=choice,
        output_tokens_max=config.tokens_or_none("maxOutputTokens"),
        temperature=config.number_or_none("temperature"),
        top_p=config.number_or_none("topP"),
        top_k=_top_k(config),
        seed=config.integer_or_none("seed"),
        frequency_penalty=config.number_or_none("frequencyPenalty"),
        presence_penalty=config.number_or_none("presencePenalty"),
        logprobs=_logprobs(config),
        stop=config.texts("stopSequences"),
        json_schema=schema,
        reasoning_effort=wish.effort,
        reasoning_tokens_max=wish.tokens_max,
        reasoning_shown=wish.shown,
    )
    config_rest = {**config.rest(), **schema_rest}
    if wish.rest:
        config_rest["thinkingConfig"] = wish.rest
    partly = {"toolConfig": tool_config, "generationConfig": config_rest}
    rest = {**fields.rest(), **{name: more for name, more in partly.items() if more}}
    return structs.replace(chat, rest=kept(DIALECT, rest))


class _Calls:
    """The ids of the calls so far, and which have no result yet."""

    def __init__(self) -> None:
        self._count = 0
        self._open: dict[str, OrderedDict[str, None]] = defaultdict(OrderedDict)

    def begin(self, name: str, call_id: str | None) -> str:
        """Give a call's id, made from its name and number when it has none."""
        made = call_id or f"{name}_{self._count}"
        self._count += 1
        self._open[name][made] = None
        return made

    def end(self, name: str, call_id: str | None) -> str:
        """Give the id of the call that a result answers."""
        waiting = self._open[name]
        if not call_id:
            return waiting.popitem(last=False)[0] if waiting else f"{name}_unknown"
        waiting.pop(call_id, None)
        return call_id


def _content(fields: Fields, calls: _Calls) -> Message:
    word = fields.text_or_none("role") or "user"
    if word not in _ROLES:
        raise fields.unknown("role", ("user", "model"))
    if not fields.has("parts"):
        raise fields.wrong("parts", "a list")
    # One part may stand without the list, as ProtoJSON's readers at Google take it.
    alone = isinstance(fields.value("parts"), dict)
    items = [fields.child("parts")] if alone else fields.items("parts")
    parts = tuple(part for item in items for part in _part(camel(item), calls))
    return Message(_ROLES[word], parts)


def _part(fields: Fields, calls: _Calls) -> list[Part]:
    if fields.has("functionResponse"):
        return [_result(fields, calls)]
    signature = fields.text_or_none("thoughtSignature")
    proof: list[Part] = []
    if signature and signature not in NO_PROOF:
        proof.append(Reasoning(signature=marked(signature, DIALECT)))
    if fields.value("text") is not None:
        text = fields.text("text")
        if fields.flag_or_none("thought"):
            return [Reasoning(text), *proof]
        return [*proof, Text(text, kept(DIALECT, fields.rest()))] if text else proof
    if fields.has("functionCall"):
        proof.append(_call(fields, calls))
    elif fields.has("inlineData") or fields.has("fileData"):
        proof.append(read_media(fields))
    elif fields.rest():
        proof.append(whole(fields.values, _told(fields)))
    return proof


def _call(fields: Fields, calls: _Calls) -> ToolCall:
    call = camel(fields.child("functionCall"))
    name = call.text("name")
    call_id = calls.begin(name, call.text_or_none("id"))
    arguments = encode_text(call.mapping("args"))
    return ToolCall(call_id, name, arguments, rest=kept(DIALECT, call.rest()))


def _result(fields: Fields, calls: _Calls) -> ToolResult:
    answer = camel(fields.child("functionResponse"))
    name = answer.text("name")
    response = answer.mapping("response")
    # Source: Gemini API reference, FunctionResponse: "output" and "error" have this meaning.
    is_error = "error" in response and "output" not in response
    said: object = response
    for key in ("output", "result", "error"):
        if response.keys() == {key}:
            said = response[key]
    text = said if isinstance(said, str) else encode_text(said)
    shown: list[Shown] = [Text(text)] if text else []
    shown += [read_media(camel(item)) for item in answer.items("parts")]
    call_id = calls.end(name, answer.text_or_none("id"))
    return ToolResult(call_id, tuple(shown), is_error, kept(DIALECT, answer.rest()))


def _told(fields: Fields) -> str:
    """Give what Google's own tools did, for other dialects; nothing where it cannot be said."""
    if fields.has("executableCode"):
        return camel(fields.child("executableCode")).text_or_none("code") or ""
    if fields.has("codeExecutionResult"):
        return fields.child("codeExecutionResult").text_or_none("output") or "(no output)"
    for name in ("toolCall", "toolResponse"):
        if fields.has(name):
            return encode_text(fields.value(name))
    return ""


def _top_k(config: Fields) -> int | None:
    """Give a number that is whole, though Google's reference calls it any."""
    value = config.number_or_none("topK")
    if value is None:
        return None
    if not 0 <= value <= OUTPUT_TOKENS_MAX or value != int(value):
        raise config.wrong("topK", "a whole number")
    return int(value)


def _logprobs(config: Fields) -> int | None:
    """Give how many alternatives are told of each token, None where none are asked for."""
    wanted = config.flag_or_none("responseLogprobs")
    alternatives = config.tokens_or_none("logprobs")
    return (alternatives or 0) if wanted else None


def _json_schema(config: Fields) -> tuple[dict[str, object] | None, Mapping[str, object]]:
    """Give the schema of an answer in JSON, and what is said of other kinds of answer."""
    kind = config.text_or_none("responseMimeType")
    schema = config.mapping("responseJsonSchema")
    if not schema:
        schema = json_schema_of(config.mapping("responseSchema"))
    if kind != _JSON_TYPE:
        said = {name: config.value(name) for name in _SCHEMAS}
        return None, {name: value for name, value in said.items() if value is not None}
    return ({"schema": schema} if schema else {}), {}
