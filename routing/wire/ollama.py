"""Ollama's own API over chats: what /api/chat and /api/generate take, and their lines of JSON.

Options that say how a machine loads and samples a model (num_ctx, top_k, ...) have no meaning for
most providers: they are left out and named. A `template`, `raw` prompts and a `context` of token
ids would change what is asked, so they are refused. Ollama's calls have no ids: a tool's answer
belongs to the first call of that name that has none yet.

Source: Ollama's API reference (docs/api.md of ollama/ollama) and the types of its Python client
0.6, read 2026-11.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Raw, Struct

from ..conversation import (
    Chat,
    Delta,
    Finish,
    Image,
    Json,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from ..errors import BadRequest, RoutingError
from .codec import Head
from .completions import INSERTING, finish_word
from .fields import Fields, body_fields, encode, encode_text
from .fold import Answer, fold
from .parts import arguments_object

MODEL_SUFFIX = ":latest"
"""What Ollama's clients add to a name that has no tag."""
_EFFORTS = ("low", "medium", "high")
_ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
_SAMPLED = frozenset(
    {
        *("num_predict", "temperature", "top_p", "seed", "stop"),
        *("presence_penalty", "frequency_penalty"),
    }
)
_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif"))


class Wish(Struct, frozen=True):
    """What a request asks for.

    Attributes:
        generates: asked at /api/generate, which answers in other words.
        loads: nothing is asked, only that the model be there.
        dropped: options that mean nothing here.
    """

    model: str
    chat: Chat
    generates: bool
    loads: bool
    dropped: tuple[str, ...]


class Durations(Struct, frozen=True):
    """Seconds of one answer, measured: until its first content, and in all."""

    first_s: float
    total_s: float


def parse_chat(body: bytes) -> Wish:
    """Give what a body of /api/chat asks for.

    Raises:
        BadRequest: it is not valid; names the field.
    """
    fields = body_fields(body)
    pending: list[ToolCall] = []
    messages = tuple(_message(item, pending) for item in fields.items("messages"))
    tools = tuple(_tool(item) for item in fields.items("tools"))
    return _wish(fields, messages, tools, generates=False)


def parse_generate(body: bytes) -> Wish:
    """Give what a body of /api/generate asks for. Raises as `parse_chat`."""
    fields = body_fields(body)
    for name in ("template", "context"):
        if fields.value(name):
            raise BadRequest(f"`{name}` cannot be honoured by a provider", field=name)
    if fields.flag_or_none("raw"):
        raise BadRequest("`raw` prompts need a model's own template", field="raw")
    prompt, suffix = fields.text_or_none("prompt") or "", fields.text_or_none("suffix")
    system, images = fields.text_or_none("system"), _images(fields)
    turns = [Message("system", (Text(system),))] if system else []
    if suffix:
        turns.append(Message("system", (Text(INSERTING),)))
        prompt = f"<before>{prompt}</before>\n<after>{suffix}</after>"
    if prompt or images:
        turns.append(Message("user", (Text(prompt), *images)))
        return _wish(fields, tuple(turns), (), generates=True)
    return _wish(fields, (), (), generates=True)


class LineWriter:
    """Writes a stream's lines; a tool call leaves as one piece, when it is complete.

    The times of the last line are set by whoever measures them, before the end.
    """

    def __init__(self, wish: Wish, head: Head) -> None:
        self.durations = Durations(0.0, 0.0)
        self._wish = wish
        self._head = head
        self._calls: list[Delta] = []
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._ended = False

    def write(self, delta: Delta) -> bytes:
        """Give the lines of one step."""
        self._usage = delta.usage or self._usage
        if self._finish is not None:
            return b""
        self._finish = delta.finish
        if delta.tool_call is not None:
            self._calls.append(delta)
        written = b""
        if delta.reasoning:
            written += self._line(_said(self._wish, thinking=delta.reasoning))
        if text := delta.text + delta.refusal:
            written += self._line(_said(self._wish, text=text))
        return written

    def end(self) -> bytes:
        """Give the calls, and the line that ends the stream."""
        if self._ended:
            return b""
        self._ended = True
        written = b""
        if self._calls and not self._wish.generates:
            calls = fold(self._calls, self._head).calls
            written = self._line(_said(self._wish, calls=calls))
        answer = Answer((), self._finish or "stop", self._usage)
        last = {**_said(self._wish), **_end(answer, self.durations)}
        return written + encode({**_envelope(self._head), **last}) + b"\n"

    def error(self, error: RoutingError) -> bytes:
        """Give an error's line."""
        self._ended = True
        return render_error(error) + b"\n"

    def _line(self, said: dict[str, object]) -> bytes:
        return encode({**_envelope(self._head), **said, "done": False}) + b"\n"


def render_answer(wish: Wish, deltas: Sequence[Delta], head: Head, durations: Durations) -> bytes:
    """Give the whole answer."""
    answer = fold(deltas, head)
    text = answer.text
    said = _said(wish, text=text, thinking=answer.reasoning, calls=answer.calls)
    return encode({**_envelope(head), **said, **_end(answer, durations)})


def render_loaded(wish: Wish, head: Head) -> bytes:
    """Give the answer to a request that asks nothing."""
    done = {"done": True, "done_reason": "load"}
    return encode({**_envelope(head), **_said(wish), **done})


def render_error(error: RoutingError) -> bytes:
    """Give an error's body."""
    return encode({"error": str(error)})


def _wish(
    fields: Fields, messages: tuple[Message, ...], tools: tuple[Tool, ...], *, generates: bool
) -> Wish:
    options = fields.child_or_none("options") or Fields({}, "options")
    stream = fields.flag_or_none("stream")
    limit = options.integer_or_none("num_predict")
    effort, shown = _thinking(fields)
    chat = Chat(
        messages=messages,
        tools=tools,
        output_tokens_max=limit if limit is not None and limit > 0 else None,
        temperature=options.number_or_none("temperature"),
        top_p=options.number_or_none("top_p"),
        seed=options.integer_or_none("seed"),
        presence_penalty=options.number_or_none("presence_penalty"),
        frequency_penalty=options.number_or_none("frequency_penalty"),
        stop=options.texts("stop"),
        json_schema=_format(fields),
        reasoning_effort=effort,
        reasoning_shown=shown,
        stream=True if stream is None else stream,
    )
    dropped = tuple(f"options.{name}" for name in options.values if name not in _SAMPLED)
    model = fields.text("model").removesuffix(MODEL_SUFFIX)
    return Wish(model, chat, generates, not messages, dropped)


def _thinking(fields: Fields) -> tuple[str | None, bool | None]:
    """Give the effort that `think` asks for, and whether thoughts are shown."""
    think = fields.value("think")
    if think is None or isinstance(think, bool):
        return ("medium" if think else None), think
    if think in _EFFORTS:
        return str(think), True
    raise fields.unknown("think", ("true", "false", *_EFFORTS))


def _format(fields: Fields) -> Json | None:
    wanted = fields.value("format")
    if wanted in (None, ""):
        return None
    if wanted == "json":
        return {}
    return {"schema": fields.mapping("format")}


def _message(fields: Fields, pending: list[ToolCall]) -> Message:
    word = fields.text("role")
    role = next((one for one in _ROLES if one == word), None)
    if role is None:
        raise fields.unknown("role", _ROLES)
    text = fields.text_or_none("content") or ""
    parts: list[Part] = [Text(text)] if text else []
    if role == "tool":
        return Message("tool", (_result(fields, text, pending),))
    if role == "assistant":
        thought = fields.text_or_none("thinking")
        calls = [_call(item) for item in fields.items("tool_calls")]
        pending += calls
        return Message("assistant", (*([Reasoning(thought)] if thought else []), *parts, *calls))
    return Message(role, (*parts, *_images(fields)) or (Text(""),))


def _call(fields: Fields) -> ToolCall:
    function = fields.child("function")
    arguments = function.value("arguments")
    if not isinstance(arguments, str):
        arguments = encode_text(function.mapping("arguments"))
    # Where it stands in the conversation is all that tells it from others.
    call_id = fields.text_or_none("id") or "call_" + re.sub(r"[^0-9]+", "_", fields.path).strip("_")
    return ToolCall(call_id, function.text("name"), arguments)


def _result(fields: Fields, text: str, pending: list[ToolCall]) -> ToolResult:
    """Give a tool's answer; the call that it belongs to is pending no longer."""
    name = fields.text_or_none("tool_name") or fields.text_or_none("name")
    call_id = fields.text_or_none("tool_call_id")
    for call in pending:
        if call_id in (None, call.call_id) and name in (None, call.name):
            pending.remove(call)
            return ToolResult(call.call_id, (Text(text),))
    path = fields.path_of("tool_name")
    raise BadRequest(f"`{path}` names no call that waits for an answer", field=path)


def _tool(fields: Fields) -> Tool:
    function = fields.child("function")
    return Tool(
        function.text("name"),
        function.text_or_none("description") or "",
        function.mapping("parameters"),
    )


def _images(fields: Fields) -> tuple[Image, ...]:
    return tuple(
        Image(data=data, media_type=_media_type(data, fields)) for data in fields.texts("images")
    )


def _media_type(data: str, fields: Fields) -> str:
    try:
        start = base64.b64decode(data[:64], validate=True)
    except (binascii.Error, ValueError):
        path = fields.path_of("images")
        raise BadRequest(f"`{path}` is a list of images in base64", field=path) from None
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if start.startswith(magic)), "image/png")


def _envelope(head: Head) -> dict[str, object]:
    created = datetime.fromtimestamp(head.created_unix_s, UTC).isoformat()
    return {"model": head.model, "created_at": created.replace("+00:00", "Z")}


def _said(
    wish: Wish, *, text: str = "", thinking: str = "", calls: Sequence[ToolCall] = ()
) -> dict[str, object]:
    if wish.generates:
        return {"response": text, **({"thinking": thinking} if thinking else {})}
    message: dict[str, object] = {"role": "assistant", "content": text}
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = [
            {"function": {"name": one.name, "arguments": _arguments(one)}} for one in calls
        ]
    return {"message": message}


def _arguments(call: ToolCall) -> Raw:
    return arguments_object(call.arguments)


def _end(answer: Answer, durations: Durations) -> dict[str, object]:
    usage = answer.usage or Usage()
    return {
        "done": True,
        "done_reason": "length" if finish_word(answer.finish) == "length" else "stop",
        "total_duration": _nanos(durations.total_s),
        "load_duration": 0,
        "prompt_eval_count": usage.input_tokens,
        "prompt_eval_duration": _nanos(durations.first_s),
        "eval_count": usage.output_tokens,
        "eval_duration": _nanos(durations.total_s - durations.first_s),
    }


def _nanos(seconds: float) -> int:
    return max(round(seconds * 1e9), 0)
