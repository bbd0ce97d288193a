"""How a command reaches the gateway: one way for all of them.

When a gateway runs on the data folder, its management API is called over loopback, with the
token of its runtime file. When none does, the same application is put together in this process
and called directly, so that every command is written once, against the same routes. Whether one
runs is asked, never assumed: a killed gateway leaves its file behind, and nothing is sent to
whoever took its port.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec

from ..runtime_file import Running, process_lives, read_running
from ..settings import Settings, Sources
from .exits import UNAVAILABLE, USAGE, Stop, exit_status

ANSWER_S_MAX = 3.0
"""How long a gateway may take to say that it lives."""
CALL_S_MAX = 60.0
ANSWER_BYTES_MAX = 64 * 2**20
READ_BYTES = 64 * 1024

Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in progress. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Client(Protocol):
    """Sends requests to the gateway with admin rights."""

    def open(
        self, method: str, path: str, body: bytes | None, *, timeout_s: float
    ) -> AbstractContextManager[Answer]:
        """Send a request and give its answer while it comes; leaving early ends it.

        Raises:
            Stop: the gateway does not answer, or broke off.
        """
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error in a gateway's answer."""

    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class RefusalBody:
    """The body of an error answer, in OpenAI's shape as everywhere in the gateway."""

    error: Refusal


@contextmanager
def with_gateway(settings: Settings, sources: Sources) -> Iterator[Client]:
    """Give a client of the gateway that runs on the data folder, or of one made for this command.

    Raises:
        Stop: one runs and does not answer.
        StorageUnavailable: none runs, and the data folder's database cannot be used.
    """
    running = find_gateway(settings)
    if running is not None:
        yield HttpClient(running.url, running.token)
        return
    from .inprocess import composed_client

    with composed_client(settings, sources) as client:
        yield client


def find_gateway(settings: Settings) -> Running | None:
    """Give the gateway that runs on the data folder, None when none does.

    Raises:
        Stop: its process lives and it took the connection, but does not answer in time.
    """
    running = read_running(settings.data_dir)
    if running is None or not process_lives(running.pid):
        return None
    try:
        # Without the token: whoever answers is not known yet.
        with HttpClient(running.url, None).open(
            "GET", "/health", None, timeout_s=ANSWER_S_MAX
        ) as answer:
            return running if _is_health(answer) else None
    except GatewaySilent as silent:
        raise Stop(
            f"the gateway at {running.url} (process {running.pid}) does not answer; "
            "wait for it, or stop it and try again",
            UNAVAILABLE,
        ) from silent
    except Stop:
        return None


def call(
    client: Client,
    method: str,
    path: str,
    body: object = None,
    *,
    timeout_s: float = CALL_S_MAX,
) -> bytes:
    """Send a request and give the body of its answer.

    Args:
        client: where to.
        method: HTTP's.
        path: with its query; names in it are quoted.
        body: anything msgspec encodes as JSON; None sends none.
        timeout_s: for each step of the answer.

    Raises:
        Stop: the gateway refused, with its own words, or does not answer.
    """
    encoded = None if body is None else encoded_body(body)
    with client.open(method, path, encoded, timeout_s=timeout_s) as answer:
        data = read_whole(answer)
    if answer.status >= 400:
        raise refusal(answer.status, data)
    return data


def encoded_body(body: object) -> bytes:
    """Give a body as JSON.

    Raises:
        Stop: a word of the command line is not valid text.
    """
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError as error:
        raise Stop("the command line holds bytes that are not UTF-8 text", USAGE) from error


def read_whole(answer: Answer) -> bytes:
    """Give the rest of an answer's body.

    Raises:
        Stop: it is larger than ANSWER_BYTES_MAX.
    """
    data = bytearray()
    for chunk in answer.chunks:
        data += chunk
        if len(data) > ANSWER_BYTES_MAX:
            raise Stop(f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
    return bytes(data)


def decoded(data: bytes, shape: type[Shape]) -> Shape:
    """Give an answer's JSON as a value.

    Raises:
        Stop: it has another shape: the gateway is of another version.
    """
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.MsgspecError as error:
        raise Stop(
            f"the gateway's answer was not understood ({error}); is it of another version? "
            "`omniroute status` says which"
        ) from error


def refusal(status: int, data: bytes) -> Stop:
    """Give the error for an answer that is one, in the gateway's own words."""
    try:
        words = msgspec.json.decode(data, type=RefusalBody).error.message
    except msgspec.MsgspecError:
        words = f"the gateway answered with status {status}"
    return Stop(words, exit_status(status))


def _is_health(answer: Answer) -> bool:
    """Whether this is a gateway's answer to /health, and not that of whoever has its port now."""
    try:
        return answer.status == 200 and b'"status"' in read_whole(answer)
    except GatewaySilent:
        raise
    except Stop:
        return False


class GatewaySilent(Stop):
    """The connection stands and nothing comes."""


class HttpClient:
    """Talks to a running gateway over loopback.

    Args:
        url: where it is, without a slash at the end.
        token: sent with every request; None sends none.
    """

    def __init__(self, url: str, token: str | None) -> None:
        parts = urlsplit(url)
        self._url = url
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._token = token

    @contextmanager
    def open(
        self, method: str, path: str, body: bytes | None, *, timeout_s: float
    ) -> Iterator[Answer]:
        """Send a request and give its answer while it comes."""
        headers = {"Accept": "application/json, text/event-stream"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = HTTPConnection(self._host, self._port, timeout=timeout_s)
        try:
            response = self._send(connection, method, path, body, headers)
            yield Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                self._chunks(response),
            )
        finally:
            connection.close()

    def _send(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> HTTPResponse:
        try:
            connection.request(method, path, body=body, headers=headers)
            return connection.getresponse()
        except (OSError, HTTPException) as error:
            raise self._lost(error) from error

    def _chunks(self, response: HTTPResponse) -> Iterator[bytes]:
        try:
            yield from iter(partial(response.read1, READ_BYTES), b"")
        except (OSError, HTTPException) as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> Stop:
        if isinstance(error, TimeoutError):
            return GatewaySilent(f"the gateway at {self._url} did not answer in time", UNAVAILABLE)
        return Stop(
            f"the gateway at {self._url} broke off ({type(error).__name__}); is it still "
            "running? `omniroute status` says so",
            UNAVAILABLE,
        )
