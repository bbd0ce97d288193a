"""What the gateway counts of candidates, as one decision saw it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """What the gateway had counted of a target's candidates as the request was decided.

    Filled by the engine with what the target's strategy reads and stored with the decision.
    Tuples are by position in the snapshot's candidates, and empty where nothing reads them.

    Attributes:
        turn: how many requests the combo had before.
        uses: calls that the combo has made of each.
        in_flight: calls under way to each, of all combos.
        wait_us: microseconds to the first byte, peaks counted at once; 0 is unknown.
        free_ppm: the free share of each in millionths; 0 is full.
        last_good: the position of the one that last answered.
    """

    turn: int = 0
    uses: tuple[int, ...] = ()
    in_flight: tuple[int, ...] = ()
    wait_us: tuple[int, ...] = ()
    free_ppm: tuple[int, ...] = ()
    last_good: int | None = None
