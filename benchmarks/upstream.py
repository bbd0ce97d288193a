"""The upstream where no C compiler is: what upstream.c does, in Python.

    python -m benchmarks.upstream PORT

A POST whose body asks for a stream gets CHUNKS events in one burst, or at the pace that its
body names (`pace=20000x100`: 100 events, one every 20,000 microseconds), each with the stamp of
when it was made; any other POST gets a 1 KB answer, any GET a list of models.
"""

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

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


def stamped(model: str) -> bytes:
    return chunk(event(model, f"t={time.monotonic_ns()} words "))


def last(model: str) -> bytes:
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
        if not self._head.startswith(b"post"):
            self._transport.write(with_head(MODELS))
        elif not STREAM.search(body):
            self._transport.write(with_head(whole_answer(model)))
        elif pace := PACE.search(body):
            self._task = asyncio.get_running_loop().create_task(
                self._pace(model, int(pace[1]) / 1e6, int(pace[2]))
            )
        else:
            self._transport.write(STREAM_HEAD)
            for _ in range(CHUNKS):
                self._transport.write(stamped(model))
            self._transport.write(last(model))

    async def _pace(self, model: str, every_s: float, events: int) -> None:
        self._transport.write(STREAM_HEAD)
        # Streams of real users do not tick together: each begins at its own part of the interval.
        Upstream.started += 1
        await asyncio.sleep(every_s * (Upstream.started * GOLDEN % 65536 / 65536))
        for _ in range(events):
            self._transport.write(stamped(model))
            await asyncio.sleep(every_s)
        self._transport.write(last(model))


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
