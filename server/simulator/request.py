"""One HTTP request, complete, as values."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What a client sent.

    Attributes:
        path: decoded, without the query.
        query: still encoded.
        headers: names in lower case, in the order in which they came.
        at_s: when it was complete, on the monotonic clock.
        number: counts the simulator's requests.
        keep_alive: whether the connection may serve another.
        version: "1.1" or "1.0".
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    at_s: float
    number: int
    keep_alive: bool
    version: str

    def header(self, name: str) -> str:
        """Give the first header of that name, empty when there is none."""
        return next((value for one, value in self.headers if one == name), "")
