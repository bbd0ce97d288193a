"""What keys have asked for in the last minute, of all workers, to the request.

A limit holds for all workers together: a request is counted under a lock. A key beyond those that
the shared memory can hold has its limits divided among the workers.
"""

from omniroute.routing.health.key_rates import KeyRates, Need, Turn, admit, settle

from .minutes import Minutes


class SharedKeyRates(KeyRates):
    """The requests of limited keys, counted with those of the other workers."""

    def __init__(self, minutes: Minutes, *, index: int, workers: int) -> None:
        super().__init__()
        self._minutes = minutes
        self._index = index
        self._workers = workers
        self._alone = KeyRates(workers)

    def enter(self, need: Need, now_s: float) -> Turn:
        """Let a request in. Raises as KeyRates does."""
        minutes = self._minutes
        with minutes.locked():
            row = minutes.row(need.key_id, now_s)
            if row is not None:
                turn = admit(self, minutes.minute(row), minutes.under_way(row), need, now_s)
                minutes.note(self._index, row, 1)
                return turn
        self._alone.gateways = self.gateways * self._workers
        return self._alone.enter(need, now_s)

    def left(self, turn: Turn, tokens: int, now_s: float) -> None:
        """Note that a request has ended."""
        minutes = self._minutes
        with minutes.locked():
            # It is still the key's: whoever has a request under way keeps the row.
            row = minutes.row(turn.need.key_id, now_s)
            if row is not None:
                minutes.note(self._index, row, -1)
                settle(minutes.minute(row), turn, tokens, now_s)
