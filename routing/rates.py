"""What a key may ask for in a minute, and at the same time."""

from msgspec import Struct

RATE_MAX = 1_000_000_000


class Rates(Struct, frozen=True, gc=False, omit_defaults=True):
    """The limits of a key on what its requests may come to; None bounds nothing.

    Attributes:
        requests_per_minute: requests that are let in, in any 60 seconds.
        tokens_per_minute: of their input and output, in any 60 seconds.
        concurrency_max: requests under way at the same time.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency_max: int | None = None

    def limits(self) -> tuple[tuple[str, int | None], ...]:
        """Give each limit with its name."""
        return (
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
            ("concurrency_max", self.concurrency_max),
        )


UNLIMITED = Rates()
