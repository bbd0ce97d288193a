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

    A dry run counts requests, decisions, holds and calls of tools alone. `more` says that
    another call goes on.
    """

    days: float
    dry_run: bool
    requests: int
    decisions: int
    snapshots: int
    holds: int
    tool_calls: int
    more: bool
