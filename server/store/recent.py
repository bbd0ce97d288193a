"""Which ids were seen lately."""

IDS_MAX = 10_000


class Recent:
    """Knows at least the last IDS_MAX ids it was told, and at most twice as many."""

    def __init__(self) -> None:
        self._young: set[str] = set()
        self._old: set[str] = set()

    def repeats(self, one: str) -> bool:
        """Whether an id was told before; from now on it was."""
        if one in self._young or one in self._old:
            return True
        if len(self._young) >= IDS_MAX:
            self._old, self._young = self._young, set()
        self._young.add(one)
        return False
