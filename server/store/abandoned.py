"""Holds that a dead process left behind."""

import math
from collections.abc import Sequence

from .boots import is_known_dead, is_silent
from .database import Statement, Steps

HOLDS_MAX = 1_000
"""How many are found at a time; the next search finds the others."""


def abandoned_holds(now_unix_s: float, own_boot_id: str) -> Steps[Sequence[str]]:
    """Give the open holds of dead processes, HOLDS_MAX at most."""
    boots = yield Statement(
        "SELECT boots.boot_id, machine, process_id, process, seen_unix_s, ended_unix_s FROM boots "
        "WHERE boot_id <> $1 AND EXISTS (SELECT 1 FROM reservations "
        "WHERE reservations.boot_id = boots.boot_id AND actual_usd_nanos IS NULL)",
        (own_boot_id,),
    )
    hold_ids: list[str] = []
    for boot in boots:
        if is_known_dead(boot):
            lease_before = math.inf
        elif is_silent(boot, now_unix_s):
            lease_before = now_unix_s
        else:
            continue
        rows = yield Statement(
            "SELECT hold_id FROM reservations WHERE boot_id = $1 AND actual_usd_nanos IS NULL "
            "AND lease_until_unix_s < $2 ORDER BY hold_id LIMIT $3",
            (boot["boot_id"], lease_before, HOLDS_MAX - len(hold_ids)),
        )
        hold_ids += [row["hold_id"] for row in rows]
    return hold_ids
