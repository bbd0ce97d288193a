"""The upstream where no C compiler is: what upstream.c does, in Python.

    python -m benchmarks.upstream PORT

A POST whose body asks for a stream gets CHUNKS events in one burst, or at the pace that its
body names (`pace=20000x100`: 100 events, one every 20,000 microseconds), each with the stamp of
when it was made; any other POST gets a 1 KB answer, any GET a list of models. A POST to
.../messages is answered in Anthropic's dialect, any other in OpenAI's.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any, Literal, cast

import uvloop

Dialect = Literal["openai", "anthropic"]

CHUNKS = 100
TEXT = "The quick brown fox jumps over the lazy dog. " * 10
PACE = re.compile(rb"pace=(\d+)x(\d+)")
MODEL = re.compile(rb'"model": ?"([^"\\]{1,128})"')
STREAM = re.compile(rb'"stream": ?true')
GOLDEN = 40503
MODELS = b'{"object":"list","data":[{"id":"gpt-4o","object":"model","created":1763800000}]}'
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def whole_answer(model: str) -> bytes:
    return json.dumps(
        {
            "id": "chatcmpl-fake",
            "object": "chat.completion",
            "created": 1763800000,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": TEXT, "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 42,
                "completion_tokens": 96,
                "total_tokens": 138,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
        }
    ).encode()


def anthropic_whole_answer(model: str) -> bytes:
    return json.dumps(
        {
            "id": "msg_fake",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": TEXT}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 42, "output_tokens": 96},
        }
    ).encode()


def with_head(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def event(model: str, content: str | None) -> bytes:
    """Give one event of a stream as a chunk; without content it is the last."""
    data = {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1763800000,
        "model": model,
        "system_fingerprint": "fp_fake",
        "choices": [
            {
                "index": 0,
                "delta": {} if content is None else {"content": content},
                "logprobs": None,
                "finish_reason": "stop" if content is None else None,
            }
        ],
        "usage": None,
    }
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def anthropic_event(data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), json.dumps(data).encode())


def first(model: str, dialect: Dialect) -> bytes:
    """Give what a stream begins with; OpenAI's begin with their first words."""
    if dialect == "openai":
        return b""
    usage = {"input_tokens": 42, "output_tokens": 1}
    message = {"id": "msg_fake", "type": "message", "role": "assistant", "model": model}
    start: dict[str, Any] = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    return chunk(
        anthropic_event({"type": "message_start", "message": start})
        + anthropic_event({"type": "content_block_start", **block})
    )


def stamped(model: str, dialect: Dialect) -> bytes:
    words = f"t={time.monotonic_ns()} words "
    if dialect == "openai":
        return chunk(event(model, words))
    delta = {"type": "text_delta", "text": words}
    return chunk(anthropic_event({"type": "content_block_delta", "index": 0, "delta": delta}))


def last(model: str, dialect: Dialect) -> bytes:
    if dialect == "anthropic":
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        parts: tuple[dict[str, Any], ...] = (
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": delta, "usage": {"output_tokens": CHUNKS}},
            {"type": "message_stop"},
        )
        return chunk(b"".join(map(anthropic_event, parts))) + b"0\r\n\r\n"
    usage = {"prompt_tokens": 42, "completion_tokens": 100, "total_tokens": 142}
    data = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1763800000}
    told = json.dumps({**data, "model": model, "choices": [], "usage": usage}).encode()
    return chunk(event(model, None) + b"data: " + told + b"\n\ndata: [DONE]\n\n") + b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Upstream(asyncio.Protocol):
    """One connection."""

    started = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._seen = bytearray()
        self._needed = 0
        self._task: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if not self._needed:
            end = self._seen.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = bytes(self._seen[:end]).lower()
            at = self._head.find(b"content-length:")
            length = int(self._head[at + 15 :].split(b"\r", 1)[0]) if at >= 0 else 0
            self._needed = end + 4 + length
        if len(self._seen) >= self._needed:
            body = bytes(self._seen[len(self._head) + 4 : self._needed])
            self._seen, self._needed = bytearray(), 0
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        named = MODEL.search(body)
        model = named[1].decode() if named else "gpt-4o"
        line = self._head.partition(b"\r")[0]
        dialect: Dialect = "anthropic" if b"/messages" in line else "openai"
        if not self._head.startswith(b"post"):
            self._transport.write(with_head(MODELS))
        elif not STREAM.search(body):
            answer = whole_answer if dialect == "openai" else anthropic_whole_answer
            self._transport.write(with_head(answer(model)))
        elif pace := PACE.search(body):
            self._task = asyncio.get_running_loop().create_task(
                self._pace(model, dialect, int(pace[1]) / 1e6, int(pace[2]))
            )
        else:
            self._transport.write(STREAM_HEAD + first(model, dialect))
            for _ in range(CHUNKS):
                self._transport.write(stamped(model, dialect))
            self._transport.write(last(model, dialect))

    async def _pace(self, model: str, dialect: Dialect, every_s: float, events: int) -> None:
        self._transport.write(STREAM_HEAD + first(model, dialect))
        # Streams of real users do not tick together: each begins at its own part of the interval.
        Upstream.started += 1
        await asyncio.sleep(every_s * (Upstream.started * GOLDEN % 65536 / 65536))
        for _ in range(events):
            self._transport.write(stamped(model, dialect))
            await asyncio.sleep(every_s)
        self._transport.write(last(model, dialect))


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
