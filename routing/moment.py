"""What the gateway knows and counts of candidates, as one decision sees it."""

from dataclasses import dataclass

from msgspec import Struct


class Stay(Struct, frozen=True, gc=False, omit_defaults=True):
    """A session that may stay: `place` is the position of who answered it `age_s` ago.

    `tokens` of its input are likely cached there. Without a place the session is new, has been
    quiet for too long, or its candidate is not there any more; its draws are its own even so.
    """

    place: int | None = None
    tokens: int = 0
    age_s: int = 0


class Moment(Struct, frozen=True, gc=False, omit_defaults=True):
    """What the gateway had counted of a target's candidates as the request was decided.

    Filled by the engine with what the target's strategy reads and stored with the decision.
    Tuples are by position in the snapshot's candidates, and empty where nothing reads them.

    Attributes:
        turn: how many requests the combo had before.
        uses: calls that the combo has made of each.
        in_flight: calls under way to each, of all combos.
        wait_us: microseconds to the first byte, the peak of each; 0 is unknown.
        free_ppm: the free share of each in millionths; 0 is full.
        last_good: the position of the one that last answered.
        stay: of a request that names a session; None where sessions do not matter.
    """

    turn: int = 0
    uses: tuple[int, ...] = ()
    in_flight: tuple[int, ...] = ()
    wait_us: tuple[int, ...] = ()
    free_ppm: tuple[int, ...] = ()
    last_good: int | None = None
    stay: Stay | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """How fast a model at an account answered of late; None before the first good answer.

    `peak_ms` follows a slow first byte or a failure at once and fades; see health/latency.py.
    """

    peak_ms: int
    first_byte_p50_ms: int | None = None
    first_byte_p95_ms: int | None = None
    first_byte_p99_ms: int | None = None
    first_byte_deviation_ms: int | None = None
    total_p50_ms: int | None = None
    total_p95_ms: int | None = None
    total_p99_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect of a model's answers: their length in tokens by family, a token's time."""

    output_tokens: tuple[tuple[str, int], ...]
    token_us: int | None = None


@dataclass(frozen=True, slots=True)
class CandidateState:
    """A candidate's health at one moment. Times are of the engine's Clock.

    `open_until_s` is 0 while the circuit is closed; once it is past, one probe may go
    (`probing` says that it is under way), and from `probe_from_s` on also before, where nothing
    else can answer. `headroom` is the smallest share left of the provider's rate limits, from 0
    to 1, None while it is not known. `success`, `first_byte_ms` (a moving average) and `latency`
    are estimates, republished at most once a second, so that a snapshot stays the same for many
    requests.
    `excluded_until_s` is of policy classic-6f alone: None while its provider is not excluded.
    """

    open_until_s: float = 0.0
    probing: bool = False
    cooldown_until_s: float = 0.0
    cooldown_reason: str = ""
    success: float = 1.0
    first_byte_ms: int | None = None
    probe_from_s: float = 0.0
    headroom: float | None = None
    latency: Latency | None = None
    excluded_until_s: float | None = None
