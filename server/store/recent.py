"""Which ids were seen lately."""

IDS_MAX = 10_000


class Recent:
    """Knows at least the last IDS_MAX ids it was told, and at most twice as many."""

    def __init__(self) -> None:
        self._young: set[str] = set()
        self._old: set[str] = set()

    def __contains__(self, one: str) -> bool:
        return one in self._young or one in self._old

    def add(self, one: str) -> None:
        """Tell an id."""
        if len(self._young) >= IDS_MAX:
            self._old, self._young = self._young, set()
        self._young.add(one)
