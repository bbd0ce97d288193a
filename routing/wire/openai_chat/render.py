"""A Chat into an OpenAI chat completion request.

What differs from other dialects and how it is met:
- A tool's result is text: images and files of it are shown by the user right after the results,
  and what the assistant showed after its turn.
- Thoughts go as text, in the field that most compatible servers read, and not to OpenAI's own
  models, which have none; proofs only to whom they are of (thoughts.py).
- Most servers know functions alone: custom tools and namespaces become functions (wire/plain).
- Fields that only OpenAI's own models know go to these alone; models that think refuse the
  parameters of sampling. What is left out is named.
- There is no place for `top_k`, and for whether a tool's result is an error: they are left out
  and named. A document or a sound by URL is refused.
- A stream is always asked for its usage.

Source: OpenAI API reference, "Create chat completion", read 2026-11.
"""

from collections.abc import Iterable, Sequence

from ...conversation import (
    Audio,
    Chat,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Shown,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ..codec import Rendered
from ..dropped import Dropped
from ..fields import encode, present
from ..media import audio_format, document_text, file_data, file_name
from ..openai_hints import (
    breakpoint_of,
    carried,
    image_detail,
    note_sampling,
    reasoning_effort,
    user_name,
)
from ..openai_models import is_openai, limit_name, takes_sampling, thinks
from ..parts import (
    cache_marker,
    image_url,
    inexpressible,
    is_omitted,
    own,
    own_block,
    refuse_foreign,
    tool_id,
)
from ..plain import is_own, plain
from ..turns import regrouped, shown_by_user
from .thoughts import DIALECT, signature_field, thought_fields

# The name of a schema is demanded here and unknown to other dialects.
SCHEMA_NAME = "answer"

Rest = dict[str, object]


def render_request(chat: Chat, *, model: str) -> Rendered:
    """Give the body for a provider of this dialect.

    Raises:
        BadRequest: the chat holds what this dialect cannot say; names it.
    """
    refuse_foreign(chat, DIALECT)
    dropped = Dropped()
    rest = {**carried(chat, DIALECT, model, dropped), **own(chat.rest, DIALECT)}
    chat = plain(chat, DIALECT, dropped)
    body: dict[str, object] = {"model": model}
    body["messages"] = _Turns(model, dropped).rendered(chat.messages)
    if chat.tools:
        body["tools"] = [_tool(tool) for tool in chat.tools]
        for tool in chat.tools:
            dropped.note_tool(tool.rest, DIALECT, told=("strict",))
        if chat.tool_choice is not None:
            body.update(_tool_choice(chat.tool_choice, chat.tools))
    if chat.output_tokens_max is not None:
        body[limit_name(model)] = chat.output_tokens_max
    effort = reasoning_effort(chat, model, dropped, taken=thinks(model))
    body |= present(
        **_sampling(chat, dropped, taken=takes_sampling(model, effort)),
        stop=list(chat.stop) or None,
        seed=chat.seed,
        user=user_name(chat.user),
        reasoning_effort=effort,
    )
    if chat.json_schema is not None:
        body["response_format"] = _response_format(chat.json_schema)
    if chat.stream:
        body["stream"] = True
        options = rest.get("stream_options")
        body["stream_options"] = {
            **(options if isinstance(options, dict) else {}),
            "include_usage": True,
        }
    rest.pop("stream_options", None)
    return Rendered(encode({**rest, **body}), dropped.names)


def _sampling(chat: Chat, dropped: Dropped, *, taken: bool) -> dict[str, object]:
    dropped.note_if("top_k", chat.top_k)
    if not taken:
        note_sampling(chat, dropped)
        for name in ("frequency_penalty", "presence_penalty", "logprobs"):
            dropped.note_if(name, getattr(chat, name))
        return {}
    sampling: dict[str, object] = {
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        "frequency_penalty": chat.frequency_penalty,
        "presence_penalty": chat.presence_penalty,
    }
    if chat.logprobs is not None:
        sampling["logprobs"] = True
        sampling["top_logprobs"] = chat.logprobs or None
    return sampling


class _Turns:
    """Writes the messages of turns."""

    def __init__(self, model: str, dropped: Dropped) -> None:
        self._signs = "gemini" in model.lower()
        # Resellers of Claude take its marks for the cache in this dialect, too.
        self._caches = "claude" in model.lower()
        self._is_openai = is_openai(model)
        self._dropped = dropped

    def rendered(self, messages: Sequence[Message]) -> list[Rest]:
        """Give the messages of all turns: each tool result is a message of its own."""
        turns = shown_by_user(regrouped(messages))
        return [one for message in turns for one in self._messages(message)]

    def _messages(self, message: Message) -> Iterable[Rest]:
        if message.role == "tool":
            yield from self._results(one for one in message.parts if isinstance(one, ToolResult))
        elif message.role == "assistant":
            yield self._assistant(message)
        else:
            parts = [one for one in message.parts if not _is_omitted(one)]
            if message.parts and not parts:
                return
            rendered: Rest = {"role": message.role, "content": self._content(parts)}
            yield {**rendered, "name": message.name} if message.name else rendered

    def _results(self, results: Iterable[ToolResult]) -> Iterable[Rest]:
        """Give the results' messages; what is no text of them follows as the user's."""
        shown: list[Part] = []
        for result in results:
            texts = tuple(part for part in result.parts if _is_text(part))
            others = [part for part in result.parts if not _is_text(part)]
            call_id = tool_id(result.call_id)
            content = self._content(texts) if texts else ""
            self._dropped.note_part(result.rest, DIALECT)
            if result.is_error:
                self._dropped.note("is_error")
            yield {"role": "tool", "tool_call_id": call_id, "content": content}
            if others:
                what = "Images" if all(isinstance(one, Image) for one in others) else "Files"
                shown += [Text(f"{what} of the tool result {call_id}:"), *others]
        if shown:
            yield {"role": "user", "content": self._content(shown)}

    def _assistant(self, message: Message) -> Rest:
        texts = tuple(part for part in message.parts if isinstance(part, Text))
        thoughts = [part for part in message.parts if isinstance(part, Reasoning)]
        calls = list(self._calls(message.parts))
        content = self._content(texts)
        rendered: Rest = {"role": "assistant", "content": content if texts else None}
        if message.name:
            rendered["name"] = message.name
        rendered |= self._thoughts(thoughts)
        if calls:
            rendered["tool_calls"] = calls
        elif not texts:
            rendered["content"] = ""  # null is allowed only beside tool calls
        return rendered

    def _content(self, parts: Iterable[Part]) -> str | list[Rest]:
        """Give a string for one plain text or for nothing, else a list of parts."""
        rendered = [
            block for part in parts if isinstance(part, Shown) for block in self._blocks(part)
        ]
        if len(rendered) == 1 and rendered[0].keys() == {"type", "text"}:
            text = rendered[0]["text"]
            if isinstance(text, str):
                return text
        return rendered or ""

    def _blocks(self, part: Shown) -> Iterable[Rest]:
        if not part.rest:
            return _blocks(part)
        markers: Rest = cache_marker(part.rest, DIALECT) if self._caches else {}
        if self._is_openai:
            markers |= breakpoint_of(part.rest)
        self._dropped.note_part(part.rest, DIALECT, told=("detail", *markers))
        return ({**block, **markers} for block in _blocks(part))

    def _thoughts(self, thoughts: Sequence[Reasoning]) -> Rest:
        fields = thought_fields(thoughts)
        if self._is_openai and "reasoning_content" in fields:
            self._dropped.note("thoughts")
            return {}
        return fields

    def _calls(self, parts: Sequence[Part]) -> Iterable[Rest]:
        before: Part | None = None
        for part in parts:
            if isinstance(part, ToolCall):
                self._dropped.note_part(part.rest, DIALECT)
                signed = before if self._signs and isinstance(before, Reasoning) else None
                yield {**_tool_call(part), **signature_field(signed)}
            before = part


def _is_omitted(part: Part) -> bool:
    return isinstance(part, Text) and bool(part.rest) and is_omitted(part, DIALECT)


def _is_text(part: Shown) -> bool:
    return isinstance(part, Text) or (isinstance(part, Document) and part.text is not None)


def _blocks(part: Shown) -> Iterable[Rest]:
    """Give a part's block, none for a text that stands for a block of another dialect."""
    rest = dict(own(part.rest, DIALECT))
    match part:
        case Text():
            block = own_block(part, DIALECT)
            if block is not None:
                yield dict(block)
            elif not is_omitted(part, DIALECT):
                yield {"type": "text", "text": part.text, **rest}
        case Image():
            detail = image_detail(part)
            details = {} if detail == "auto" else {"detail": detail}
            own_details = rest.get("image_url")
            image = {"url": image_url(part), **details}
            image |= own_details if isinstance(own_details, dict) else {}
            yield {**rest, "type": "image_url", "image_url": image}
        case Audio():
            if part.url is not None:
                raise inexpressible("a sound by URL", DIALECT)
            sound = {"data": part.data or "", "format": audio_format(part)}
            yield {**rest, "type": "input_audio", "input_audio": sound}
        case Document():
            yield _document(part, rest)


def _document(part: Document, rest: Rest) -> Rest:
    if part.text is not None:
        return {**rest, "type": "text", "text": document_text(part)}
    if part.url is None:
        file: object = {"filename": file_name(part), "file_data": file_data(part)}
    elif (file := rest.get("file")) is None:
        raise inexpressible("a document by URL", DIALECT)
    return {**rest, "type": "file", "file": file}


def _tool_call(call: ToolCall) -> Rest:
    call_id = tool_id(call.call_id)
    if call.kind == "custom":
        custom = {"name": call.name, "input": call.arguments}
        return {"id": call_id, "type": "custom", "custom": custom}
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call_id, "type": "function", "function": function}


def _tool(tool: Tool) -> Rest:
    rest = own(tool.rest, DIALECT)
    if is_own(tool, DIALECT):
        return dict(rest)
    details = rest.get("function")
    function: dict[str, object] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    if own(tool.rest, "openai_responses").get("strict"):
        function["strict"] = True
    if isinstance(details, dict):
        function.update(details)
    return {**rest, "type": "function", "function": function}


def _tool_choice(choice: ToolChoice, tools: Sequence[Tool]) -> Rest:
    chosen: object = choice.mode
    if choice.mode == "named":
        name = choice.name or ""
        custom = any(tool.name == name and tool.kind == "custom" for tool in tools)
        kind = "custom" if custom else "function"
        chosen = {"type": kind, kind: {"name": name}}
    rendered: Rest = {"tool_choice": chosen}
    if choice.parallel is not None:
        rendered["parallel_tool_calls"] = choice.parallel
    return rendered


def _response_format(json_schema: object) -> Rest:
    if not isinstance(json_schema, dict) or not json_schema:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": SCHEMA_NAME, **json_schema}}
