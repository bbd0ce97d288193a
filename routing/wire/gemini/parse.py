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
    Image,
    Message,
    Part,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ...model import Dialect
from ..fields import Fields, body_fields, encode_text, refusing_depth
from ..parts import kept
from ..signatures import marked

DIALECT: Dialect = "gemini"

_MODES = ("AUTO", "ANY", "NONE", "VALIDATED")
_JSON_TYPE = "application/json"


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
    tools = tuple(tool for item in fields.items("tools") for tool in _tools(camel(item)))
    choice, tools = _tool_choice(fields.child_or_none("toolConfig"), tools)
    config = camel(fields.child_or_none("generationConfig") or Fields({}))
    chat = Chat(
        messages=messages,
        tools=tools,
        tool_choice=choice,
        output_tokens_max=config.tokens_or_none("maxOutputTokens"),
        temperature=config.number_or_none("temperature"),
        top_p=config.number_or_none("topP"),
        stop=config.texts("stopSequences"),
        json_schema=_json_schema(config),
    )
    rest = fields.rest()
    if config.rest():
        rest["generationConfig"] = config.rest()
    return structs.replace(chat, rest=kept(DIALECT, rest))


def camel(fields: Fields) -> Fields:
    """Give an object's fields with their names in camel case."""
    values = {_camel(name): value for name, value in fields.values.items()}
    return Fields(values, fields.path)


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
        if call_id is None:
            return waiting.popitem(last=False)[0] if waiting else f"{name}_unknown"
        waiting.pop(call_id, None)
        return call_id


def _content(fields: Fields, calls: _Calls) -> Message:
    role = fields.text_or_none("role") or "user"
    if role not in ("user", "model", "function", "system"):
        raise fields.unknown("role", ("user", "model"))
    if not fields.has("parts"):
        raise fields.wrong("parts", "a list")
    parts = tuple(part for item in fields.items("parts") for part in _part(camel(item), calls))
    return Message("assistant" if role == "model" else "user", parts)


def _part(fields: Fields, calls: _Calls) -> list[Part]:
    signature = fields.text_or_none("thoughtSignature")
    proof: list[Part] = []
    if signature:
        proof.append(Reasoning(signature=marked(signature, DIALECT)))
    if fields.has("functionCall"):
        call = fields.child("functionCall")
        name = call.text("name")
        call_id = calls.begin(name, call.text_or_none("id"))
        return [*proof, ToolCall(call_id, name, encode_text(call.mapping("args")))]
    if fields.has("functionResponse"):
        return [_result(fields.child("functionResponse"), calls)]
    if fields.has("inlineData") or fields.has("fileData"):
        return [*proof, _media(fields)]
    if fields.value("text") is not None:
        text = fields.text("text")
        if fields.flag_or_none("thought"):
            return [Reasoning(text), *proof]
        return [*proof, Text(text)]
    return [*proof, _opaque(fields)]


def _result(fields: Fields, calls: _Calls) -> ToolResult:
    name = fields.text("name")
    response = fields.mapping("response")
    # Source: Gemini API reference, FunctionResponse: "output" and "error" have this meaning.
    is_error = "error" in response and "output" not in response
    said: object = response
    for key in ("output", "result", "error"):
        if response.keys() == {key}:
            said = response[key]
    text = said if isinstance(said, str) else encode_text(said)
    return ToolResult(calls.end(name, fields.text_or_none("id")), (Text(text),), is_error)


def _media(fields: Fields) -> Text | Image:
    inline = fields.child_or_none("inlineData")
    if inline is not None:
        inline = camel(inline)
        media_type = inline.text("mimeType")
        if media_type.startswith("image/"):
            return Image(media_type=media_type, data=inline.text("data"))
        return _opaque(fields)
    stored = camel(fields.child("fileData"))
    kind = stored.text_or_none("mimeType")
    if kind is None or kind.startswith("image/"):
        return Image(url=stored.text("fileUri"), media_type=kind)
    return _opaque(fields)


def _opaque(fields: Fields) -> Text:
    kind = next(iter(fields.values), "part")
    return Text("", rest={DIALECT: {"type": kind, "block": fields.values}})


def _tools(fields: Fields) -> list[Tool]:
    """Give the functions of one entry, and each tool of Google's own in it."""
    found: list[Tool] = []
    for item in fields.items("functionDeclarations"):
        declared = camel(item)
        name = declared.text("name")
        description = declared.text_or_none("description") or ""
        parameters = declared.mapping("parametersJsonSchema")
        if not parameters:
            parameters = json_schema_of(declared.mapping("parameters"))
        found.append(Tool(name, description, parameters, kept(DIALECT, declared.rest())))
    for kind, value in fields.rest().items():
        found.append(Tool(kind, rest={DIALECT: {"type": kind, "block": {kind: value}}}))
    return found


def _tool_choice(
    config: Fields | None, tools: tuple[Tool, ...]
) -> tuple[ToolChoice | None, tuple[Tool, ...]]:
    """Give the choice, and the tools it leaves."""
    calling = None if config is None else camel(config).child_or_none("functionCallingConfig")
    if calling is None:
        return None, tools
    calling = camel(calling)
    mode = (calling.text_or_none("mode") or "AUTO").upper()
    names = calling.texts("allowedFunctionNames")
    left = tuple(tool for tool in tools if not names or tool.name in names)
    match mode:
        case "ANY" if len(names) == 1:
            return ToolChoice("named", name=names[0]), tools
        case "ANY":
            return ToolChoice("required"), left
        case "NONE":
            return ToolChoice("none"), tools
        case "AUTO" | "VALIDATED":
            return ToolChoice("auto"), left
        case _:
            raise calling.unknown("mode", _MODES)


def _json_schema(config: Fields) -> dict[str, object] | None:
    kind = config.text_or_none("responseMimeType")
    schema = config.mapping("responseJsonSchema")
    if not schema:
        schema = json_schema_of(config.mapping("responseSchema"))
    if kind != _JSON_TYPE:
        return None
    return {"schema": schema} if schema else {}


def json_schema_of(schema: Mapping[str, object]) -> dict[str, object]:
    """Give a schema of Google's own kind as JSON Schema.

    It differs in its type names (`STRING`) and in `nullable`; a property may be named like
    a keyword, so only the places where schemas stand are followed.
    """
    given = {_camel(name): value for name, value in schema.items()}
    found: dict[str, object] = dict(given)
    kind = given.get("type")
    if isinstance(kind, str):
        found["type"] = kind.lower()
        if found.pop("nullable", None) is True:
            found["type"] = [kind.lower(), "null"]
    properties = given.get("properties")
    if isinstance(properties, dict):
        found["properties"] = {name: _below(value) for name, value in properties.items()}
    if "items" in given:
        found["items"] = _below(given["items"])
    variants = given.get("anyOf")
    if isinstance(variants, list):
        found["anyOf"] = [_below(value) for value in variants]
    return found


def _below(value: object) -> object:
    return json_schema_of(value) if isinstance(value, dict) else value


def _camel(name: str) -> str:
    if "_" not in name:
        return name
    first, *others = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)
