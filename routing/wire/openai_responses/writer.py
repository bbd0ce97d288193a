"""OpenAI response streams: writing a client's events.

Source: OpenAI API reference, "Responses streaming events", read 2026-11.
"""

from dataclasses import dataclass, field
from typing import assert_never

from ...conversation import (
    Delta,
    Finish,
    Image,
    Reasoning,
    Text,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from ...errors import RoutingError
from ..codec import Head
from ..failures import openai_error
from ..fields import encode
from ..fold import AnswerPart, Refusal, Weighed, finish_without_word
from ..parts import is_object, missing_id
from ..sse import named_event
from .output import (
    Echo,
    call_json,
    item_id,
    item_json,
    part_json,
    response_json,
    weights_json,
)

_Spoken = Text | Refusal | Reasoning


@dataclass(slots=True)
class _Open:
    """An item that was begun and not ended. `part` is of its kind, and empty.

    Attributes:
        is_function: it is a call of a function, whose arguments go out in the pieces they come in.
    """

    part: AnswerPart
    identity: str
    index: int
    pieces: list[str] = field(default_factory=list)
    logprobs: tuple[TokenLogprob, ...] = ()
    signature: str | None = None
    encrypted: str | None = None
    is_function: bool = False

    def whole(self) -> AnswerPart:
        text = "".join(self.pieces)
        match self.part:
            case Text():
                return Weighed(text, logprobs=self.logprobs) if self.logprobs else Text(text)
            case Refusal():
                return Refusal(text)
            case Reasoning():
                return Reasoning(text, signature=self.signature, encrypted=self.encrypted)
            case Image():
                return self.part
            case ToolCall():
                return ToolCall(self.part.call_id, self.part.name, text, self.part.kind)
            case _:
                assert_never(self.part)


class ResponseWriter:
    """Writes events. Every item has its own rising index, every event its number.

    A call ends when another item begins and its arguments, just written, are a whole
    object; else at the end: pieces of calls may come in turn.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._echo = Echo(head.asked)
        self._sequence = 0
        self._begun = False
        self._ended = False
        self._output: list[dict[str, object]] = []
        self._open: _Open | None = None
        self._calls: dict[int, _Open] = {}
        self._latest = -1
        self._known: set[int] = set()
        self._finish: Finish | None = None
        self._usage: Usage | None = None

    def write(self, delta: Delta) -> bytes:
        """Give the events of one step; finish and usage wait for the end."""
        self._usage = delta.usage or self._usage
        if self._ended or self._finish is not None:
            return b""
        self._finish = delta.finish
        written = self._thoughts(delta)
        if delta.text or delta.logprobs:
            written += self._spoken(Text(""), delta.text, delta.logprobs)
        if delta.refusal:
            written += self._spoken(Refusal(""), delta.refusal)
        if delta.image is not None:
            written += self._image(delta.image)
        if delta.tool_call is not None:
            written += self._piece(delta.tool_call)
        return written

    def end(self) -> bytes:
        """Give the ends of all open items and the whole response."""
        if self._ended:
            return b""
        written = self._begin() + self._close(all_calls=True)
        self._ended = True
        finish = self._finish or finish_without_word(has_calls=bool(self._known))
        response = response_json(
            self._head, self._echo, output=self._output, finish=finish, usage=self._usage
        )
        return written + self._event(f"response.{response['status']}", {"response": response})

    def error(self, error: RoutingError) -> bytes:
        """Give a failed response, and the error's event."""
        if self._ended:
            return b""
        self._ended = True
        said = openai_error(error)
        response = response_json(self._head, self._echo, output=self._finished(), usage=self._usage)
        response |= {
            "status": "failed",
            "error": {"code": said["code"], "message": said["message"]},
        }
        failed = self._begin() + self._event("response.failed", {"response": response})
        # As documented, and once more as an object, by which OpenAI's SDK knows to raise.
        flat = {name: said[name] for name in ("code", "message", "param")}
        return failed + self._event("error", {**flat, "error": said})

    def _finished(self) -> list[dict[str, object]]:
        return [item for item in self._output if item]

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        response = response_json(self._head, self._echo, output=[])
        return b"".join(
            self._event(name, {"response": response})
            for name in ("response.created", "response.in_progress")
        )

    def _thoughts(self, delta: Delta) -> bytes:
        written = b""
        if delta.reasoning:
            written += self._spoken(Reasoning(), delta.reasoning)
        if delta.reasoning_signature is not None:
            written += self._proven(signature=delta.reasoning_signature)
        if delta.reasoning_encrypted is not None:
            written += self._proven(encrypted=delta.reasoning_encrypted)
        return written

    def _proven(self, *, signature: str | None = None, encrypted: str | None = None) -> bytes:
        """Give the end of a thought, which its proof is, or a thought that is nothing else."""
        led = b""
        if self._open is None or not isinstance(self._open.part, Reasoning):
            led = self._begin() + self._close()
            self._open = self._new(Reasoning())
            led += self._added(self._open)
        self._open.signature, self._open.encrypted = signature, encrypted
        return led + self._close()

    def _image(self, image: Image) -> bytes:
        led = self._begin() + self._close()
        item = self._new(image)
        led += self._added(item)
        led += self._event("response.image_generation_call.completed", _at(item))
        return led + self._finish_item(item, image)

    def _spoken(self, part: _Spoken, piece: str, logprobs: tuple[TokenLogprob, ...] = ()) -> bytes:
        entered, item = self._enter(part)
        item.pieces.append(piece)
        item.logprobs += logprobs
        name, place = _channel(part)
        step = {**_at(item), **place, "delta": piece}
        if isinstance(part, Text):
            step["logprobs"] = weights_json(Weighed("", logprobs=logprobs))
        return entered + self._event(f"response.{name}.delta", step)

    def _enter(self, part: _Spoken) -> tuple[bytes, _Open]:
        """Give the events that lead into an item of this kind, none when it is open."""
        if self._open is not None and type(self._open.part) is type(part):
            return b"", self._open
        led = self._begin() + self._close()
        self._open = item = self._new(part)
        name, place = _channel(part)
        added = {**_at(item), **place, "part": part_json(part)}
        led += self._added(item) + self._event(f"response.{_PART_NAMES[name]}.added", added)
        return led, item

    def _piece(self, piece: ToolCallDelta) -> bytes:
        written = b""
        if piece.index not in self._known:
            call_id = piece.call_id or missing_id(self._head.answer_id, len(self._known))
            self._known.add(piece.index)
            written = self._begin() + self._close()
            begun = ToolCall(call_id, piece.name or "", "", piece.kind)
            item = self._new(begun)
            item.is_function = call_json(begun, self._echo)["type"] == "function_call"
            self._calls[piece.index] = item
            written += self._added(item)
        call = self._calls.get(piece.index)
        if call is None or not piece.arguments:
            return written  # blank space after a whole object is all that can come late
        call.pieces.append(piece.arguments)
        self._latest = piece.index
        if not call.is_function:
            return written  # what its client gets is made of the whole arguments
        step = {**_at(call), "delta": piece.arguments}
        return written + self._event("response.function_call_arguments.delta", step)

    def _new(self, part: AnswerPart) -> _Open:
        index = len(self._output)
        identity = item_id(part, self._head, index)
        self._output.append({})  # its place; filled when it ends
        return _Open(part, identity, index)

    def _added(self, item: _Open) -> bytes:
        begun = item_json(item.part, item.identity, self._echo, begun=True)
        return self._event(
            "response.output_item.added", {"output_index": item.index, "item": begun}
        )

    def _close(self, *, all_calls: bool = False) -> bytes:
        """Give the ends of the open text or thought and of the latest call, if it is whole."""
        latest = self._calls.get(self._latest)
        ended: list[_Open] = []
        if all_calls:
            ended += self._calls.values()
            self._calls.clear()
        elif latest is not None and is_object("".join(latest.pieces)):
            ended.append(latest)
            del self._calls[self._latest]
        if self._open is not None:
            ended.append(self._open)
            self._open = None
        return b"".join(self._done(item) for item in sorted(ended, key=lambda one: one.index))

    def _done(self, item: _Open) -> bytes:
        part = item.whole()
        match part:
            case ToolCall():
                written = self._call_done(item, part)
            case Reasoning() if not part.text:
                written = b""
            case Text() | Refusal() | Reasoning():
                written = self._part_done(item, part)
            case Image():
                written = b""
            case _:
                assert_never(part)
        return written + self._finish_item(item, part)

    def _call_done(self, item: _Open, part: ToolCall) -> bytes:
        told = call_json(part, self._echo)
        match told["type"]:
            case "function_call":
                step = {"name": told["name"], "arguments": told["arguments"]}
                return self._event(_ARGUMENTS_DONE, {**_at(item), **step})
            case "custom_tool_call":
                text = {"delta": told["input"]}
                written = self._event(f"{_INPUT}.delta", {**_at(item), **text})
                return written + self._event(
                    f"{_INPUT}.done", {**_at(item), "input": told["input"]}
                )
            case _:
                return b""

    def _part_done(self, item: _Open, part: _Spoken) -> bytes:
        name, place = _channel(part)
        step = {**_at(item), **place, "refusal" if name == "refusal" else "text": part.text}
        if isinstance(part, Text):
            step["logprobs"] = weights_json(part)
        closed = {**_at(item), **place, "part": part_json(part)}
        said = self._event(f"response.{name}.done", step)
        return said + self._event(f"response.{_PART_NAMES[name]}.done", closed)

    def _finish_item(self, item: _Open, part: AnswerPart) -> bytes:
        finished = item_json(part, item.identity, self._echo)
        self._output[item.index] = finished
        done = {"output_index": item.index, "item": finished}
        return self._event("response.output_item.done", done)

    def _event(self, name: str, fields: dict[str, object]) -> bytes:
        number = self._sequence
        self._sequence += 1
        return named_event(name, encode({"type": name, "sequence_number": number, **fields}))


_ARGUMENTS_DONE = "response.function_call_arguments.done"
_INPUT = "response.custom_tool_call_input"
_PART_NAMES = {
    "output_text": "content_part",
    "refusal": "content_part",
    "reasoning_summary_text": "reasoning_summary_part",
}


def _channel(part: _Spoken) -> tuple[str, dict[str, object]]:
    """Give the name of a part's own events, and its place inside the item."""
    if isinstance(part, Reasoning):
        return "reasoning_summary_text", {"summary_index": 0}
    return "refusal" if isinstance(part, Refusal) else "output_text", {"content_index": 0}


def _at(item: _Open) -> dict[str, object]:
    return {"item_id": item.identity, "output_index": item.index}
