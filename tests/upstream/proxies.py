"""Proxies on loopback: CONNECT and SOCKS 5, with and without a password, in the clear or TLS."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["http", "https", "socks5"]
USER = "someone"
PASSWORD = "sk-fake-proxy@password"
WRITTEN = "someone:sk-fake-proxy%40password@"
"""User name and password as they stand in a URL."""

Refuse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RunningProxy:
    """What a proxy saw: the targets that it was asked for, and its connections."""

    kind: Kind
    port: int = 0
    host: str = "127.0.0.1"
    targets: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    refused: int = 0

    @property
    def url(self) -> str:
        return f"{self.kind}://{self.host}:{self.port}"

    @property
    def url_with_password(self) -> str:
        return f"{self.kind}://{WRITTEN}{self.host}:{self.port}"


@contextlib.asynccontextmanager
async def proxying(
    kind: Kind,
    *,
    tls: ssl.SSLContext | None = None,
    password: bool = False,
    answer: bytes | None = None,
) -> AsyncIterator[RunningProxy]:
    """Run a proxy. Every name leads to loopback; with an `answer` it says that and nothing else."""
    seen = RunningProxy(kind)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            if answer is not None:
                await reader.read(1)
                writer.write(answer)
                await writer.drain()
            else:
                ask = _socks if kind == "socks5" else _connect
                port = await ask(seen, reader, writer, password=password)
                if port is not None:
                    await _pass(reader, writer, port)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _connect(
    seen: RunningProxy,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    password: bool,
) -> int | None:
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.split(b" ", 2)
    assert method == b"CONNECT"
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode())
    if password and b"proxy-authorization: Basic " + pair + b"\r\n" not in head:
        seen.refused += 1
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        return None
    host, _, port = target.decode().rpartition(":")
    seen.targets.append((host, int(port)))
    writer.write(b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n")
    return int(port)


async def _socks(
    seen: RunningProxy,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    password: bool,
) -> int | None:
    version, count = await reader.readexactly(2)
    methods = await reader.readexactly(count)
    assert version == 5
    wanted = 2 if password else 0
    if wanted not in methods:
        seen.refused += 1
        writer.write(b"\x05\xff")
        return None
    writer.write(bytes([5, wanted]))
    if password:
        await reader.readexactly(1)
        user = await reader.readexactly((await reader.readexactly(1))[0])
        given = await reader.readexactly((await reader.readexactly(1))[0])
        good = (user.decode(), given.decode()) == (USER, PASSWORD)
        writer.write(b"\x01\x00" if good else b"\x01\x01")
        if not good:
            seen.refused += 1
            return None
    _, _, _, kind = await reader.readexactly(4)
    assert kind in (1, 3)
    size = 4 if kind == 1 else (await reader.readexactly(1))[0]
    raw = await reader.readexactly(size)
    port = int.from_bytes(await reader.readexactly(2), "big")
    seen.targets.append((".".join(map(str, raw)) if kind == 1 else raw.decode(), port))
    writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
    return port


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        finally:
            sink.close()

    try:
        await asyncio.gather(copy(reader, back), copy(there, writer))
    finally:
        back.close()
