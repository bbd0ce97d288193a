"""What the engine needs from outside, as protocols.

The server room implements them; tests implement them in memory (`tests/fakes.py`).
"""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from .content import Span
from .conversation import Delta
from .guard import Guard, GuardStanding, GuardTerms
from .model import Account, Call, Combo, Config, Dialect, Outcome, Piece, Price, Snapshot
from .preference import FitnessRule, ProfileName
from .shaping import Shaping
from .usage import CallDimension, CallRow, Grouping, Selection, Usage


class ContentGuard(Protocol):
    """Finds in texts what people may not want to send or see; see routing/content.py.

    Attributes:
        kinds: what it knows.
        longest: more than the characters that decide whether something begins at a place.
    """

    @property
    def kinds(self) -> Sequence[str]: ...

    @property
    def longest(self) -> int: ...

    def find(self, text: str, kinds: Collection[str], *, start: int = 0) -> Iterator[Span]:
        """Give what stands in a text from `start` on, from left to right, nothing twice.

        Args:
            text: with what stands before `start`: it may decide what begins there.
            kinds: what to look for; empty for all.
            start: where to begin.
        """
        ...

    def held_from(self, text: str) -> int:
        """Give from where on a text may be the beginning of something: what follows decides."""
        ...


class Exchanged(Struct, frozen=True, gc=False):
    """What was asked and answered, of a request whose key wishes it to be kept.

    Attributes:
        asked: the request's body.
        answered: bytes of that dialect as they were sent, or the steps that they were made of.
    """

    request_id: str
    key_id: str
    at_unix_s: float
    dialect: Dialect
    asked: bytes
    answered: bytes | tuple[Delta, ...]


class Contents(Protocol):
    """Where what was asked and answered is kept."""

    def keep(self, exchanged: Exchanged) -> None:
        """Take it; never waits."""
        ...


class Clock(Protocol):
    """The engine's only source of time."""

    def now(self) -> float:
        """Give monotonic seconds."""
        ...

    def unix(self) -> float:
        """Give seconds since 1970, for records that people read."""
        ...


class Configs(Protocol):
    """The configuration in force. Replaced whole when it changes, in any process."""

    def current(self) -> Config: ...


Wait = Awaitable[None] | None
"""What has to be awaited before more is sent to who is slow to take it; None when nothing has."""


class Sink(Protocol):
    """Takes an answer in the calls that bring it."""

    def take(self, piece: Piece) -> Wait:
        """Take a Piece."""
        ...

    def write(self, data: bytes) -> Wait:
        """Take a Piece without a Delta: bytes of the client's dialect that tell us nothing."""
        ...


Pour = Callable[[Sink], Awaitable[None]]
"""Gives what is left of an answer to a sink as it comes; it is over when the answer is."""


class Answer(Protocol):
    """A provider's answer in progress. Iterate it once, and always close it."""

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The answer's headers, names in lower case; empty where there are none."""
        ...

    @property
    def dropped(self) -> tuple[str, ...]:
        """What of the client's request the provider was not told; see wire.codec.Rendered."""
        ...

    @property
    def pour(self) -> Pour | None:
        """What pours the rest of an answer that was iterated so far; None where nothing can.

        It wakes nobody for a Piece, which is most of what a Piece costs.
        """
        ...

    def __aiter__(self) -> AsyncIterator[Piece]: ...

    def close(self) -> None:
        """Give the connection back when the answer ended, else cut it at once; never waits."""
        ...


class Upstream(Protocol):
    """Calls one provider.

    Raises:
        UpstreamFailure: from `open` and from iterating: the provider refused, broke off,
            lied or timed out.
    """

    def open(self, call: Call) -> Awaitable[Answer]:
        """Send the request and give the answer once its head says that it is one."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """A stored outcome. The request's body is not kept: `operation.body` is empty."""

    outcome: Outcome
    snapshot: Snapshot | None


class Ledger(Protocol):
    """Keeps outcomes. `record` never waits: it queues, and one writer stores batches."""

    def record(self, outcome: Outcome, snapshot: Snapshot | None) -> None: ...

    async def find(self, request_id: str, *, key_id: str | None) -> Record | None:
        """Give one outcome; with a key_id only if it is that key's own."""
        ...

    async def usage(
        self, selection: Selection, by: Sequence[Grouping] = (), *, timed: bool = False
    ) -> Usage:
        """Add up requests; `timed` gives percentiles, too."""
        ...

    async def calls(self, selection: Selection, by: CallDimension) -> tuple[CallRow, ...]:
        """Add up the calls to providers, also those after which another one answered."""
        ...

    async def recent(
        self, *, key_id: str | None, limit: int, before: tuple[float, str] | None = None
    ) -> Sequence[Record]:
        """Give the newest outcomes first."""
        ...


class Hold(Struct, frozen=True, gc=False):
    """Money set aside before a call: its upper bound, against every budget that pays."""

    hold_id: str
    key_id: str
    budget_ids: tuple[str, ...]
    usd_nanos: int


class Budgets(Protocol):
    """Exact budgets: reserve before a call, settle after it, idempotent by hold id."""

    def left(self, budget_ids: tuple[str, ...]) -> int | None:
        """Give what the tightest budget has left as last seen; None when none could refuse."""
        ...

    def paying(
        self, budget_ids: tuple[str, ...], *, combo: str | None, session_id: str | None
    ) -> tuple[str, ...]:
        """Give a key's budgets with those of the combo and of the session."""
        ...

    def guard(self, budget_ids: tuple[str, ...]) -> Guard | None:
        """Give the tier that degrading budgets keep a request to, as last seen."""
        ...

    def warnings(self, budget_ids: tuple[str, ...]) -> tuple[str, ...]:
        """Give words on each budget that is past its threshold, as last seen."""
        ...

    def pay_unpriced(self, budget_ids: tuple[str, ...]) -> bool:
        """Whether every one of these budgets lets models without a known price through."""
        ...

    def take(self, hold: Hold) -> bool:
        """Reserve where that can be told without asking the store; False where it cannot."""
        ...

    async def reserve(self, hold: Hold) -> None:
        """Set the money aside in every budget of the hold, or in none.

        A budget that only alerts pays beyond its cap.

        Raises:
            BudgetExceeded: judged against the store, never against a stale copy.
            StorageUnavailable: the store does not answer: money fails closed.
        """
        ...

    def settle(self, hold_id: str, *, usd_nanos: int) -> None:
        """Turn a hold into what was really spent; queued, a second call changes nothing."""
        ...


class ConfigStore(Protocol):
    """Changes to the configuration, each one transaction with its audit row.

    Every change raises `config_version`; other processes see it within a second.
    """

    async def put_account(self, account: Account, *, actor: str) -> None: ...

    async def remove_account(self, account_id: str, *, actor: str) -> bool: ...

    async def put_combo(self, combo: Combo, *, actor: str) -> None: ...

    async def remove_combo(self, combo_id: str, *, actor: str) -> bool: ...

    async def switch_combo(self, combo: Combo, *, active: bool, actor: str) -> bool:
        """Switch a stored combo, or a starter, on or off; False when it is there no more."""
        ...

    async def put_resilience(self, profile: ProfileName, *, actor: str) -> None: ...

    async def put_shaping(self, shaping: Shaping, *, actor: str) -> None: ...

    async def put_prices(self, changes: Mapping[str, Price | None], *, actor: str) -> None:
        """Change prices of the user's own, by target; None takes one away.

        Raises:
            BadRequest: with the target that is wrong.
        """
        ...

    async def put_alias(self, name: str, target: str, *, actor: str) -> None: ...

    async def remove_alias(self, name: str, *, actor: str) -> bool: ...

    async def put_fitness(self, rule: FitnessRule, *, actor: str) -> None: ...

    async def remove_fitness(self, pattern: str, kind: str, *, actor: str) -> bool: ...


class GuardStore(Protocol):
    """Keeps the budget guards that keys set for themselves: one a key, a budget like any other."""

    async def put_guard(
        self, terms: GuardTerms, *, owner: str, actor: str, restart: bool
    ) -> GuardStanding:
        """Set a key's guard and give how it stands.

        What was spent under it stays, unless it is to `restart`.

        Raises:
            BadRequest: the terms are not valid.
        """
        ...


IDEMPOTENCY_KEY_CHARS_MAX = 255

MakeOnce = Callable[[], Awaitable[tuple[bytes, bool]]]
"""Makes an answer, and says whether it is good: a failure is not given again."""


class Once(Protocol):
    """Makes an answer once for requests that are repeated, as every door needs it.

    The first good answer is given again to a request of the same owner, name and bytes.

    Raises:
        RequestInFlight: it is being made.
        IdempotencyMismatch: the name was used for another request.
        StorageUnavailable: nobody can tell.
    """

    async def __call__(
        self, key_id: str, name: str, asked: bytes, make: MakeOnce
    ) -> tuple[bytes, bool]:
        """Give the answer, and whether it was kept from before."""
        ...
