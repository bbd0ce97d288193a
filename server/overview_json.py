"""What `/api/usage/overview` speaks; the rows are those of /api/usage/analytics."""

from collections.abc import Mapping

from msgspec import Struct

from .management_usage import UsageJson, moment, usage_json
from .overview import STEP_S, Overview


class OverviewJson(Struct, frozen=True, rename="camel"):
    """What was asked for in a window: together, along it, by what it has in common, by error.

    `since` and `until` are seconds since 1970, the same as moments in `from` and `to`. `series`
    has a row for each `stepS` seconds in which something was asked for, `byKey` has ids whose
    names are in `keyNames`. `errors` are by class and have no times.
    """

    since: float
    until: float
    from_: str
    to: str
    step: str
    step_s: int
    whole: UsageJson
    series: tuple[UsageJson, ...]
    by_model: tuple[UsageJson, ...]
    by_key: tuple[UsageJson, ...]
    by_combo: tuple[UsageJson, ...]
    by_provider: tuple[UsageJson, ...]
    errors: tuple[UsageJson, ...]
    key_names: dict[str, str]


def overview_json(found: Overview, names: Mapping[str, str]) -> OverviewJson:
    """Give an overview; `names` are the names of keys by their ids."""
    tables = {
        one: tuple(usage_json(row, one) for row in rows) for one, rows in found.tables.items()
    }
    since, until = found.selection.since_unix_s, found.selection.until_unix_s
    used = [row.name for row in tables["key"] if row.name is not None]
    return OverviewJson(
        since=since,
        until=until,
        from_=moment(since),
        to=moment(until),
        step=found.step,
        step_s=STEP_S[found.step],
        whole=usage_json(found.whole),
        series=tuple(usage_json(row, found.step) for row in found.series),
        by_model=tables["model"],
        by_key=tables["key"],
        by_combo=tables["combo"],
        by_provider=tables["provider"],
        errors=tuple(usage_json(row) for row in found.errors),
        key_names={one: names[one] for one in used if one in names},
    )
