"""Making an answer once for requests that are repeated, as the tools need it."""

from collections.abc import Awaitable, Callable
from typing import Protocol

Make = Callable[[], Awaitable[tuple[bytes, bool]]]
"""Makes an answer, and says whether it is good: a failure is not given again."""


class Once(Protocol):
    """Gives the first good answer again to a request of the same owner, name and bytes.

    Raises:
        RequestInFlight: it is being made.
        IdempotencyMismatch: the name was used for another request.
        StorageUnavailable: nobody can tell.
    """

    async def __call__(
        self, key_id: str, name: str, asked: bytes, make: Make
    ) -> tuple[bytes, bool]:
        """Give the answer, and whether it was kept from before."""
        ...
