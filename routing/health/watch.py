"""What one attempt tells the health book, from the moment it may go out to its end."""

from collections.abc import Sequence

from ..errors import UpstreamFailure
from ..model import Attempt, Candidate
from .book import HealthBook


class Watch:
    """One attempt. Made just before the call; `end` once, however it ends.

    Args:
        before: the request's attempts so far: those at the same account were its first ones.

    Raises:
        UpstreamFailure: busy: the call may not go out, and there is nothing to end.
    """

    __slots__ = ("_book", "_candidate")

    def __init__(
        self, book: HealthBook, candidate: Candidate, now_s: float, *, before: Sequence[Attempt]
    ) -> None:
        # What was busy for us never reached the account.
        again = any(
            one.candidate.account_id == candidate.account_id and one.failure != "busy"
            for one in before
        )
        book.admit(candidate, now_s, again=again)
        self._book = book
        self._candidate = candidate

    def end(
        self,
        failure: UpstreamFailure | None,
        *,
        well: bool,
        first_byte_s: float | None,
        now_s: float,
    ) -> None:
        """Note how it ended: failed, well, or without a verdict, such as a client that left."""
        book, candidate = self._book, self._candidate
        if failure is not None:
            book.failed(candidate, failure.kind, hint_s=failure.retry_after_s, now_s=now_s)
        elif well:
            book.succeeded(candidate, first_byte_s=first_byte_s)
        else:
            book.released(candidate)
