"""A client that sees what SDKs hide: interim answers, chunks, resets, missing ends."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Literal

import httptools
import orjson

from omniroute.server.simulator.simulator import Simulator

LIMIT_S = 10.0
PATIENCE_S = 0.8

End = Literal["complete", "closed", "reset", "silent"]
PATHS = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic": "/v1/messages",
}


@dataclass
class Received:
    """What came back, and how it ended."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    end: End = "silent"
    interim: list[int] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> dict[str, Any]:
        value = orjson.loads(self.body)
        assert isinstance(value, dict)
        return value

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, data: bytes) -> None:
        self.chunks.append(data)


class _Reader:
    """Feeds a parser and notes when the final answer is complete."""

    def __init__(self) -> None:
        self.received = Received()
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.received.on_header(name, value)

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status < 200:
            self.received.interim.append(status)
            self.received.headers.clear()
        else:
            self.received.status = status

    def on_body(self, data: bytes) -> None:
        self.received.on_body(data)

    def on_message_complete(self) -> None:
        if self.received.status is not None:
            self.received.end = "complete"


def request(
    method: str, path: str, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: simulator", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join((*lines, "", "")).encode() + body


async def connect(simulator: Simulator) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(LIMIT_S):
        return await asyncio.open_connection("127.0.0.1", simulator.port)


async def read(reader: asyncio.StreamReader, patience_s: float = LIMIT_S) -> Received:
    """Read one answer to its end, or until nothing comes for as long as the patience."""
    seen = _Reader()
    started_s = time.monotonic()
    try:
        while seen.received.end != "complete":
            async with asyncio.timeout(patience_s):
                data = await reader.read(65_536)
            if not data:
                seen.received.end = "closed"
                break
            seen.parser.feed_data(data)
    except ConnectionError:
        seen.received.end = "reset"
    except TimeoutError:
        pass
    seen.received.took_s = time.monotonic() - started_s
    return seen.received


async def exchange(simulator: Simulator, sent: bytes, patience_s: float = LIMIT_S) -> Received:
    """Send bytes over a connection of their own and read one answer."""
    reader, writer = await connect(simulator)
    try:
        writer.write(sent)
        return await read(reader, patience_s)
    finally:
        writer.close()


def chat(dialect: str, model: str, text: str = "one two three", *, stream: bool) -> bytes:
    """Give the request for a chat in a dialect."""
    turn = {"role": "user", "content": text}
    body: dict[str, object]
    headers: tuple[tuple[str, str], ...] = ()
    if dialect == "gemini":
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        body = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
        return request("POST", f"/v1beta/models/{model}:{verb}", orjson.dumps(body))
    if dialect == "openai_responses":
        body = {"model": model, "input": text, "stream": stream}
    elif dialect == "anthropic":
        body = {"model": model, "max_tokens": 1000, "messages": [turn], "stream": stream}
        headers = (("anthropic-version", "2023-06-01"),)
    else:
        options = {"include_usage": True} if stream else None
        body = {"model": model, "messages": [turn], "stream": stream, "stream_options": options}
    return request("POST", PATHS[dialect], orjson.dumps(body), headers)


def parse(text: str | bytes) -> Any:
    return orjson.loads(text)


def events(body: bytes) -> list[dict[str, Any]]:
    """Give the JSON of all `data:` lines but [DONE]."""
    lines = body.replace(b"\r\n", b"\n").split(b"\n")
    datas = [line[6:] for line in lines if line.startswith(b"data: ")]
    return [orjson.loads(data) for data in datas if data != b"[DONE]"]
