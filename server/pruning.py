"""What `POST /api/prune` takes and gives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PruneWish:
    """What to remove: requests older than `days`; None is the setting retention_days."""

    days: float | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class PrunedJson:
    """What was removed, or with a dry run would be.

    A dry run counts requests, decisions and holds alone. `more` says that another call goes on.
    """

    days: float
    dry_run: bool
    requests: int
    decisions: int
    snapshots: int
    holds: int
    more: bool
