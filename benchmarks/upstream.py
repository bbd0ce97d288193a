"""An upstream that is not the bottleneck: fixed answers on a bare protocol.

    python -m benchmarks.upstream PORT

A POST whose body asks for a stream gets CHUNKS events in one burst, or one every `delay` ms
when the path ends in `?delay_ms=N`; any other POST gets a 1 KB answer. Nothing is parsed
beyond the length of the request.
"""

import asyncio
import json
import sys
from typing import cast

import uvloop

CHUNKS = 100
TEXT = "The quick brown fox jumps over the lazy dog. " * 10


def whole_answer() -> bytes:
    body = json.dumps(
        {
            "id": "chatcmpl-fake",
            "object": "chat.completion",
            "created": 1763800000,
            "model": "gpt-4o",
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
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def event(delta: dict[str, str], finish: str | None) -> bytes:
    data = {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1763800000,
        "model": "gpt-4o",
        "system_fingerprint": "fp_fake",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
    }
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


WHOLE = whole_answer()
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
ONE = chunk(event({"content": "some words "}, None))
USAGE = (
    b'data: {"id":"chatcmpl-fake","object":"chat.completion.chunk","created":1763800000,'
    b'"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":42,"completion_tokens":100,'
    b'"total_tokens":142}}\n\n'
)
LAST = chunk(event({}, "stop") + USAGE + b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._seen = b""
        self._task: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._seen += data
        end = self._seen.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._seen[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r", 1)[0]) if at >= 0 else 0
        if len(self._seen) < end + 4 + length:
            return
        body, self._seen = self._seen[end + 4 : end + 4 + length], b""
        if b'"stream":true' not in body:
            self._transport.write(WHOLE)
            return
        delay = head.split(b"\r", 1)[0].partition(b"delay_ms=")[2].split(b" ")[0]
        if delay:
            self._task = asyncio.get_running_loop().create_task(self._pace(int(delay) / 1000))
        else:
            self._transport.write(STREAM_HEAD + ONE * CHUNKS + LAST)

    async def _pace(self, delay_s: float) -> None:
        self._transport.write(STREAM_HEAD)
        for _ in range(CHUNKS):
            self._transport.write(ONE)
            await asyncio.sleep(delay_s)
        self._transport.write(LAST)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
