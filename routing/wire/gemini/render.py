"""A Chat into a Gemini generateContent request.

Schemas go out as JSON Schema (`parametersJsonSchema`, `responseJsonSchema`), which needs no
cleaning. An image's URL goes out as `fileData`. What has no place is left out: whether
calls may be parallel, and the effort of reasoning, whose field differs by model.

A signature goes back on the part that follows it in its turn, as Gemini gave it. Thoughts
themselves do not go back: Gemini does not ask for them.

Source: Gemini API reference, "Generating content" and "Thought signatures", read 2026-11.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from ...conversation import (
    Audio,
    Chat,
    Document,
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
from ..codec import Rendered
from ..dropped import Dropped
from ..fields import encode, present
from ..parts import (
    arguments_object,
    inexpressible,
    own,
    own_block,
    refuse_foreign,
    require_function,
)
from ..signatures import unmarked
from ..turns import merged, regrouped, without_system
from .parse import DIALECT


def render_request(chat: Chat, *, model: str) -> Rendered:
    """Give the body for a provider of this dialect; the model stands in the path.

    Raises:
        BadRequest: the chat holds what this dialect cannot say; names it.
    """
    refuse_foreign(chat, DIALECT)
    dropped = Dropped()
    dropped.note_chat(chat, DIALECT)
    rest = dict(own(chat.rest, DIALECT))
    body: dict[str, object] = {}
    system, turns = without_system(chat.messages)
    if system:
        body["systemInstruction"] = {"parts": [part for text in system for part in _text(text)]}
    body["contents"] = _contents(turns)
    if chat.tools:
        body["tools"] = _tools(chat.tools)
        if chat.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _calling(chat.tool_choice)}
    config = _generation_config(chat)
    others = rest.pop("generationConfig", None)
    if isinstance(others, Mapping):
        config = {**others, **config}
    if config:
        body["generationConfig"] = config
    return Rendered(encode({**rest, **body}), dropped.names)


def _contents(turns: Sequence[Message]) -> list[dict[str, object]]:
    names = {
        part.call_id: part.name
        for turn in turns
        for part in turn.parts
        if isinstance(part, ToolCall)
    }
    rendered: list[dict[str, object]] = []
    for turn in merged(regrouped(turns)):
        parts = list(_parts(turn.parts, names))
        if parts:
            role = "model" if turn.role == "assistant" else "user"
            rendered.append({"role": role, "parts": parts})
    return rendered


def _parts(parts: Iterable[Part], names: Mapping[str, str]) -> Iterable[dict[str, object]]:
    proof: dict[str, object] = {}
    for part in parts:
        if isinstance(part, Reasoning):
            signature = unmarked(part.signature, DIALECT)
            if signature is not None:
                proof = {"thoughtSignature": signature}
            continue
        for rendered in _part(part, names):
            yield {**rendered, **proof}
            proof = {}
    if proof:
        yield {"text": "", **proof}


def _part(part: Part, names: Mapping[str, str]) -> Iterable[dict[str, object]]:
    match part:
        case Text():
            yield from _text(part)
        case Image():
            yield _image(part)
        case ToolCall():
            arguments = arguments_object(part.arguments)
            call = {"id": part.call_id, "name": part.name, "args": arguments}
            yield {"functionCall": call}
        case ToolResult():
            yield from _result(part, names.get(part.call_id, part.call_id))
        case Reasoning():
            return
        case Document() | Audio():
            raise inexpressible("a file", DIALECT)
        case _:
            assert_never(part)


def _text(part: Text) -> Iterable[dict[str, object]]:
    block = own_block(part, DIALECT)
    if block is not None:
        whole = block.get("block")
        yield dict(whole) if isinstance(whole, Mapping) else {}
    elif part.text:
        yield {"text": part.text}


def _image(part: Image) -> dict[str, object]:
    if part.url is not None:
        stored = {"fileUri": part.url}
        return {"fileData": {**stored, "mimeType": part.media_type} if part.media_type else stored}
    return {"inlineData": {"mimeType": part.media_type or "image/png", "data": part.data or ""}}


def _result(part: ToolResult, name: str) -> Iterable[dict[str, object]]:
    text = "\n".join(item.text for item in part.parts if isinstance(item, Text))
    response = {"error" if part.is_error else "output": text}
    yield {"functionResponse": {"id": part.call_id, "name": name, "response": response}}
    for item in part.parts:
        if isinstance(item, Text):
            own_block(item, DIALECT)  # refuses what has no text
        else:
            yield from _part(item, {})


def _tools(tools: Sequence[Tool]) -> list[dict[str, object]]:
    declared: list[dict[str, object]] = []
    others: list[dict[str, object]] = []
    for tool in tools:
        rest = own(tool.rest, DIALECT)
        block = rest.get("block")
        if "type" in rest and isinstance(block, Mapping):
            others.append(dict(block))
            continue
        require_function(tool, DIALECT)
        function: dict[str, object] = {"name": tool.name, "description": tool.description}
        if tool.parameters:
            function["parametersJsonSchema"] = tool.parameters
        declared.append({**rest, **function})
    return [{"functionDeclarations": declared}, *others] if declared else others


def _calling(choice: ToolChoice) -> dict[str, object]:
    match choice.mode:
        case "auto":
            return {"mode": "AUTO"}
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY"}
        case "named":
            return {"mode": "ANY", "allowedFunctionNames": [choice.name or ""]}
        case _:
            assert_never(choice.mode)


def _generation_config(chat: Chat) -> dict[str, object]:
    config: dict[str, object] = present(
        maxOutputTokens=chat.output_tokens_max,
        temperature=chat.temperature,
        topP=chat.top_p,
        stopSequences=list(chat.stop) or None,
    )
    if chat.json_schema is not None:
        config["responseMimeType"] = "application/json"
        schema = chat.json_schema.get("schema")
        if schema is not None:
            config["responseJsonSchema"] = schema
    return config
