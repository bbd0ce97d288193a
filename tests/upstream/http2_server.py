"""A server on loopback that speaks HTTP/2 frame by frame, as a test says."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

Headers = list[tuple[str, str]]
JSON: Headers = [("content-type", "application/json")]
SSE: Headers = [("content-type", "text/event-stream")]


@dataclass
class Stream:
    """One request, and how it can be answered."""

    connection: int
    number: int
    frames: H2Connection
    writer: asyncio.StreamWriter
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    async def head(self, fields: Headers, *, status: int = 200, end: bool = False) -> None:
        self.frames.send_headers(self.number, [(":status", str(status)), *fields], end_stream=end)
        await self.flush()

    async def hint(self) -> None:
        """Send a provisional answer."""
        self.frames.send_headers(self.number, [(":status", "103"), ("link", "</x>")])
        await self.flush()

    async def data(self, data: bytes, *, end: bool = False) -> None:
        """Send data, a frame at a time, waiting for room in the client's window."""
        while True:
            room = min(
                self.frames.local_flow_control_window(self.number),
                self.frames.max_outbound_frame_size,
            )
            if room <= 0:
                await asyncio.sleep(0.001)
                if self.writer.is_closing():
                    raise ConnectionResetError
                continue
            part, data = data[:room], data[room:]
            self.frames.send_data(self.number, part, end_stream=end and not data)
            await self.flush()
            if not data:
                return

    async def trailers(self) -> None:
        self.frames.send_headers(self.number, [("x-trailer", "1")], end_stream=True)
        await self.flush()

    async def reset(self, code: ErrorCodes) -> None:
        self.frames.reset_stream(self.number, code)
        await self.flush()

    async def farewell(self, last: int) -> None:
        """Say that nothing after that stream will be answered (GOAWAY)."""
        self.frames.close_connection(last_stream_id=last)
        await self.flush()

    async def ping(self) -> None:
        self.frames.ping(b"12345678")
        await self.flush()

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def flush(self) -> None:
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.write(self.frames.data_to_send())
        await self.writer.drain()


Script = Callable[[Stream], Awaitable[None]]


@dataclass
class Http2Server:
    """What a server saw; `gone` is set when a client has cut its connection."""

    port: int = 0
    connections: int = 0
    requests: list[Stream] = field(default_factory=list[Stream])
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/v1"


@contextlib.asynccontextmanager
async def serving_http2(
    script: Script, tls: ssl.SSLContext, *, read_body: bool = True
) -> AsyncIterator[Http2Server]:
    """Serve on a free port of loopback; the script answers each request."""
    seen = Http2Server()
    tasks: set[asyncio.Task[None]] = set()
    tls.set_alpn_protocols(["h2"])

    def begin(work: Awaitable[None]) -> None:
        async def run() -> None:
            with contextlib.suppress(ConnectionError, ProtocolError):
                await work

        task = asyncio.ensure_future(run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        seen.connections += 1
        number = seen.connections
        frames = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        frames.initiate_connection()
        open_streams: dict[int, Stream] = {}
        try:
            writer.write(frames.data_to_send())
            while data := await reader.read(65_536):
                for event in frames.receive_data(data):
                    stream = _seen(event, number, frames, writer, open_streams)
                    if stream is not None and (isinstance(event, StreamEnded) or not read_body):
                        seen.requests.append(stream)
                        begin(script(stream))
                if writer.is_closing():
                    break
                writer.write(frames.data_to_send())
        except (ConnectionError, ProtocolError):
            pass
        finally:
            seen.gone.set()
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


def _seen(
    event: Event,
    connection: int,
    frames: H2Connection,
    writer: asyncio.StreamWriter,
    streams: dict[int, Stream],
) -> Stream | None:
    """Take an event in; give the stream whose request begins or ends with it."""
    if isinstance(event, RequestReceived):
        number = event.stream_id or 0
        headers = {str(name): str(value) for name, value in event.headers or ()}
        streams[number] = Stream(connection, number, frames, writer, headers)
        return streams[number]
    if isinstance(event, DataReceived):
        stream = streams[event.stream_id or 0]
        stream.body += event.data or b""
        frames.acknowledge_received_data(event.flow_controlled_length or 0, stream.number)
        return None
    if isinstance(event, StreamEnded):
        return streams.get(event.stream_id or 0)
    if isinstance(event, StreamReset):
        streams.pop(event.stream_id or 0, None)
    return None
