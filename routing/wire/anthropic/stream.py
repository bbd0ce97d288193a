"""Anthropic message streams: reading a provider's events. `writer` writes a client's.

Source: Anthropic API reference, "Streaming messages", read 2026-11. Unknown events and blocks
are skipped, as that page asks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ...conversation import Delta, ToolCallDelta
from ..failures import malformed, reported
from ..fields import encode
from ..sse import DONE, Event
from .answer import Block, Counted, finish_of

RARE = (re.compile(rb'"message_(?:delta|stop)"'), re.compile(rb'"error"'))


class _Step(msgspec.Struct):
    """The delta of a content_block_delta or of a message_delta."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Message(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    usage: Any = None


class _Event(msgspec.Struct):
    type: str | None = None
    index: int = 0
    message: _Message | None = None
    content_block: Block | None = None
    delta: _Step | None = None
    usage: Any = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Event)


@dataclass(slots=True)
class _Call:
    """A tool_use block being read.

    `whole` is the input that came with its beginning, mostly `{}`: it counts when the block
    ends without pieces.
    """

    number: int
    whole: str


class MessageReader:
    """Reads events. Blocks that it does not know are content without a value."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._count = 0
        self._counted = Counted()

    def read(self, event: Event) -> Sequence[Delta]:
        """Give the Deltas of one event.

        Raises:
            UpstreamFailure: kind "malformed".
        """
        data = event.data.strip()
        if not data or data == DONE:
            return ()
        try:
            step = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(f"an event of {len(data)} bytes ({error})") from None
        match step.type:
            case "content_block_delta" if step.delta is not None:
                return self._delta(step.index, step.delta)
            case "content_block_start" if step.content_block is not None:
                return self._start(step.index, step.content_block)
            case "content_block_stop":
                return self._stop(step.index)
            case _:
                return self._message_event(step)

    def _message_event(self, step: _Event) -> Sequence[Delta]:
        match step.type:
            case "message_start" if step.message is not None:
                usage = self._counted.add(step.message.usage)
                return (Delta(model=step.message.model, answer_id=step.message.id, usage=usage),)
            case "message_delta":
                return (self._last(step),)
            case "message_stop":
                return (Delta(ended=True),)
            case kind if kind == "error" or step.error is not None:
                return (Delta(error=reported(step.error)),)
            case _:
                return ()

    def _last(self, step: _Event) -> Delta:
        usage = self._counted.add(step.usage)
        said = step.delta
        if said is None or not said.stop_reason:
            return Delta(usage=usage)
        finish, sequence = finish_of(said.stop_reason), said.stop_sequence or None
        return Delta(finish=finish, stop_sequence=sequence, usage=usage)

    def _start(self, index: int, block: Block) -> Sequence[Delta]:
        match block.type:
            case "text":
                return (Delta(text=block.text),) if block.text else ()
            case "thinking":
                if not block.thinking and not block.signature:
                    return ()
                signature = block.signature or None
                return (Delta(reasoning=block.thinking or "", reasoning_signature=signature),)
            case "redacted_thinking" if block.data:
                return (Delta(reasoning_encrypted=block.data),)
            case "tool_use":
                if not block.name:
                    raise malformed("a tool_use block without a name")
                whole = encode(block.input or {}).decode()
                call = self._calls[index] = _Call(self._count, whole)
                self._count += 1
                return (Delta(tool_call=ToolCallDelta(call.number, block.id, block.name)),)
            case _:
                return (Delta(content=True),)

    def _delta(self, index: int, step: _Step) -> Sequence[Delta]:
        match step.type:
            case "text_delta" if step.text:
                return (Delta(text=step.text),)
            case "thinking_delta" if step.thinking:
                return (Delta(reasoning=step.thinking),)
            case "signature_delta" if step.signature:
                return (Delta(reasoning_signature=step.signature),)
            case "input_json_delta" if step.partial_json and index in self._calls:
                call = self._calls[index]
                call.whole = ""
                return (Delta(tool_call=ToolCallDelta(call.number, arguments=step.partial_json)),)
            case _:
                return ()

    def _stop(self, index: int) -> Sequence[Delta]:
        call = self._calls.pop(index, None)
        if call is None or not call.whole:
            return ()
        return (Delta(tool_call=ToolCallDelta(call.number, arguments=call.whole)),)
