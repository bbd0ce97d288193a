"""What an adapter says and hears: a provider's own way to serve what is no chat, without a socket.

An adapter is a generator. It yields what to send and gets what came back, as often as its
provider wants (some are asked to begin, then asked whether they are done, then asked for the
file), and returns what the client gets. Whoever runs it owns the connection, the credential, the
deadlines and the limits; see upstream/services.py. So an adapter is read top to bottom like the
provider's documentation, and tested without a network.
"""

from collections.abc import Callable, Generator, Mapping

import orjson
from msgspec import Struct

from ...conversation import Usage
from ...errors import BadRequest
from .form import File

JSON_TYPE = "application/json"
Headers = tuple[tuple[str, str], ...]


class Asked(Struct, frozen=True):
    """A client's request in OpenAI's shape, for the model that is to answer.

    Attributes:
        endpoint: the path below `/v1`.
        body: as the client wrote it, with this model's name in its place.
        content_type: of the body.
        fields: what the body says; of a form its texts.
        file: of a form, the first one.
        hints: what a client of Gemini's says of the use, by Gemini's names.
    """

    endpoint: str
    model: str
    body: bytes
    content_type: str = JSON_TYPE
    fields: Mapping[str, object] = {}
    file: File | None = None
    hints: Mapping[str, object] = {}


class Sent(Struct, frozen=True):
    """A request to the provider: `path` is below the service's base, with its query."""

    path: str
    body: bytes = b""
    content_type: str = JSON_TYPE
    method: str = "POST"
    headers: Headers = ()


class Pause(Struct, frozen=True):
    """Nothing is sent for so long."""

    seconds: float


class Got(Struct, frozen=True):
    """The provider's whole answer, of a status of success; header names are in lower case."""

    body: bytes
    headers: Mapping[bytes, bytes]

    @property
    def content_type(self) -> str:
        """What the body is, by its own head; empty where that does not say."""
        return self.headers.get(b"content-type", b"").decode("latin-1")


class Made(Struct, frozen=True):
    """What the client gets, whole.

    Attributes:
        usage: None is unknown.
        model: the one that answered, by the provider's own words.
        dropped: what of the request was left out, as in wire.codec.Rendered.
    """

    body: bytes
    content_type: str = JSON_TYPE
    usage: Usage | None = None
    model: str | None = None
    dropped: tuple[str, ...] = ()


class Passed(Struct, frozen=True):
    """The answer to this request goes to the client as it comes."""

    sent: Sent
    usage: Usage | None = None
    dropped: tuple[str, ...] = ()


def body_of(value: object) -> bytes:
    """Give the JSON that is sent to a provider.

    Raises:
        BadRequest: a client's number is larger than a provider reads, or it is nested too deeply.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise BadRequest(f"the body cannot be written for the provider: {error}") from error


Steps = Generator[Sent | Pause, Got, Made | Passed]
Adapter = Callable[[Asked], Steps]
