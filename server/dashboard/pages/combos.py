"""Combos: which models answer to one name, in which order, and how that would go."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import inf, isfinite
from typing import get_args

from starlette.responses import Response

from omniroute.routing.catalog.combos import is_starter
from omniroute.routing.errors import BadRequest, RoutingError
from omniroute.routing.model import Strategy

from ...api.calls import path_to
from ...api.rows import Lines
from ...combos_json import COMBO_SETTINGS, ComboJson, ComboModelJson
from ...model_catalog_json import ModelsJson
from ...simulations import SimulationJson
from ..visits import Fields, Menu, PageRow, Shown, Visit, onward

PAGE = "/dashboard/combos"
ONE = f"{PAGE}/one/{{name:path}}"
NEW = f"{PAGE}/new"
API = "/api/combos"
ROWS = 40
"""How many combos a page lists."""
ROWS_MORE = 3
"""Empty lines that a form offers beyond a combo's own entries."""
KNOWN_MAX = 600
"""Names that the field of an entry offers."""
LAB_REQUESTS = 100
PROMPT_TOKENS = 1_000
SEES = ("read:combos",)
CHANGES = ("write:combos",)
_WHOLE = frozenset({"attempts_max", "retries", "concurrency_per_model", "hedge_percentile"})


@dataclass(frozen=True, slots=True)
class _Line:
    """One entry of a combo as its form has it."""

    target: str = ""
    weight: str = ""
    place: str = ""


def rows() -> tuple[PageRow, ...]:
    """Give the routes."""
    return (
        PageRow("GET", PAGE, SEES, show_all, menu=Menu("combos", "queue-list")),
        PageRow("POST", f"{PAGE}/switch", CHANGES, switch, again=show_all),
        PageRow("POST", f"{PAGE}/remove", CHANGES, remove, again=show_all),
        PageRow("GET", NEW, CHANGES, show_new),
        PageRow("POST", NEW, CHANGES, save_new, again=show_new),
        PageRow("GET", ONE, SEES, show_one),
        PageRow("POST", ONE, CHANGES, save, again=show_one),
    )


async def show_all(visit: Visit) -> Shown:
    """Show combos, with what each has done; all of them where they are few."""
    combos: tuple[ComboJson, ...] = (await visit.get(API)).combos
    cursor = None
    if len(combos) > ROWS:
        after = visit.query.text("cursor") or None
        called = await visit.call("GET", API, query={"limit": ROWS, "cursor": after})
        combos, cursor = called.value.combos, called.cursor
    metrics = (await visit.get("/api/combos/metrics", range="7d"))["metrics"]
    shown = [(one, metrics.get(one.name), is_starter(one.combo_id)) for one in combos]
    values = {"combos": shown, "cursor": cursor, "changes": visit.may(CHANGES[0])}
    return Shown("combos.html", values)


async def show_new(visit: Visit) -> Shown:
    """Show an empty combo to fill in."""
    return await _editor(visit, None, None)


async def show_one(visit: Visit) -> Shown:
    """Show one combo to change."""
    called = await visit.call("GET", _api(visit))
    return await _editor(visit, called.value, called.tag)


async def save_new(visit: Visit) -> Shown | Response:
    """Make a combo; or simulate it or try it, and keep it in the form."""
    if visit.fields.text("do") != "save":
        return await _tried(visit, None, None)
    body = _wish(visit.fields)
    name = str(body["name"])
    made = path_to(f"{API}/{{}}", name)
    await visit.call("PUT", made, body=body)
    return onward(path_to(f"{PAGE}/one/{{}}", name), "combos.saved")


async def save(visit: Visit) -> Shown | Response:
    """Change a combo; or simulate or try what it would be."""
    called = await visit.call("GET", _api(visit))
    if visit.fields.text("do") != "save":
        return await _tried(visit, called.value, called.tag)
    body = _wish(visit.fields)
    changed = await visit.call("PATCH", _api(visit), body=body, tag=visit.fields.text("tag"))
    return onward(path_to(f"{PAGE}/one/{{}}", changed.value.name), "combos.saved")


async def switch(visit: Visit) -> Response:
    """Switch a combo on or off."""
    path = path_to(f"{API}/{{}}/switch", visit.fields.text("name"))
    await visit.call("POST", path, body={"active": visit.fields.text("active") == "yes"})
    return onward(PAGE, "combos.saved")


async def remove(visit: Visit) -> Response:
    """Remove a combo."""
    await visit.call("DELETE", path_to(f"{API}/{{}}", visit.fields.text("name")))
    return onward(PAGE, "combos.removed")


async def _tried(visit: Visit, combo: ComboJson | None, tag: str | None) -> Shown:
    """Show how a draft would go, beside how what is stored does; the form keeps the draft."""
    draft = _wish(visit.fields)
    shown: dict[str, object] = {"tokens": _tokens(visit.fields)}
    if visit.fields.text("do") == "lab":
        shown["lab"] = [
            (None if combo is None else await _lab(visit, combo.name, None)),
            await _lab(visit, str(draft["name"]), draft),
        ]
    else:
        stored = None if combo is None else await _simulated(visit, combo.name, None)
        shown["simulated"] = [stored, await _simulated(visit, str(draft["name"]), draft)]
    return await _editor(visit, combo, tag, draft=draft, **shown)


async def _simulated(visit: Visit, name: str, draft: object) -> SimulationJson | RoutingError:
    fields = visit.fields
    wish = {
        "model": name,
        "prompt_tokens": _tokens(fields),
        "tools": fields.flag("tools"),
        "images": fields.flag("images"),
        "json_schema": fields.flag("json_schema"),
        "draft": draft,
    }
    try:
        found: SimulationJson = (await visit.call("POST", "/api/simulate", body=wish)).value
    except RoutingError as error:
        if draft is not None:
            raise
        return error
    return found


async def _lab(visit: Visit, name: str, draft: object) -> object:
    """Give the last frame of a run; the same seed and faults for what is stored and the draft."""
    wish = {
        "combo": name,
        "requests": LAB_REQUESTS,
        "faults": visit.fields.text("faults"),
        "draft": draft,
    }
    frames: list[object] = []

    async def tell(frame: object) -> None:
        frames[:] = [frame]

    try:
        called = await visit.call("POST", "/api/lab", body=wish)
        assert isinstance(called.value, Lines)  # noqa: S101 - the row says so
        await called.value.work(tell)
    except RoutingError as error:
        if draft is not None:
            raise
        return error
    return frames[-1]


async def _editor(
    visit: Visit,
    combo: ComboJson | None,
    tag: str | None,
    *,
    draft: dict[str, object] | None = None,
    **shown: object,
) -> Shown:
    models = (await visit.get("/api/models")) if visit.may("read:models") else None
    fields = visit.fields
    values: dict[str, object]
    entries: list[_Line]
    if draft is not None or visit.error is not None:
        entries = _typed(fields)
        values = {name: fields.text(name) for name in (*COMBO_SETTINGS, "name", "description")}
        values |= {"strategy": fields.text("strategy"), "active": fields.flag("active")}
    elif combo is None:
        entries, values = [], {"strategy": "priority", "active": True}
    else:
        entries = [_Line(one.target, str(one.weight or "")) for one in combo.models]
        values = {name: getattr(combo, name) for name in (*COMBO_SETTINGS, "name", "description")}
        values |= {"strategy": combo.strategy, "active": combo.active}
    return Shown(
        "combo.html",
        {
            "combo": combo,
            "tag": visit.fields.text("tag", tag or ""),
            "starter": combo is not None and is_starter(combo.combo_id),
            "values": values,
            "entries": [*entries, *(_Line() for _ in range(ROWS_MORE))],
            "known": _names(models),
            "strategies": get_args(Strategy),
            "settings": COMBO_SETTINGS,
            "simulated": None,
            "lab": None,
            "tokens": PROMPT_TOKENS,
            "changes": visit.may(CHANGES[0]),
            **shown,
        },
    )


def _names(models: ModelsJson | None) -> Sequence[str]:
    """Give the names that an entry may have, for the field to offer."""
    if models is None:
        return ()
    return sorted({one.full_model for one in models.models})[:KNOWN_MAX]


def _wish(fields: Fields) -> dict[str, object]:
    """Give the combo that a form describes."""
    said: dict[str, object] = {
        "name": fields.text("name"),
        "description": fields.text("description"),
        "strategy": fields.text("strategy", "priority"),
        "active": fields.flag("active"),
        "models": _entries(fields),
    }
    for name in COMBO_SETTINGS:
        said[name] = fields.whole(name) if name in _WHOLE else fields.number(name)
    return said


def _entries(fields: Fields) -> list[ComboModelJson]:
    """Give a form's entries in the order of their numbers, those without a model left out."""
    found: list[tuple[float, ComboModelJson]] = []
    for number, one in enumerate(_typed(fields), start=1):
        if one.target:
            weight = int(_number(one.weight, "weight", 0))
            found.append((_number(one.place, "place", number), ComboModelJson(one.target, weight)))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def _typed(fields: Fields) -> list[_Line]:
    """Give a form's lines as they were typed, in the order of their numbers where they are."""
    columns = (fields.all(name) for name in ("target", "weight", "place"))
    lines = [_Line(*map(str.strip, one)) for one in zip_longest(*columns, fillvalue="")]
    return sorted((one for one in lines if one.target), key=_turn)


def _turn(line: _Line) -> float:
    try:
        return _number(line.place, "place", inf)
    except BadRequest:
        return inf


def _number(text: str, field: str, default: float) -> float:
    if not text.strip():
        return default
    try:
        found = float(text)
    except ValueError:
        found = inf
    if not isfinite(found):
        raise BadRequest(f"{text[:40]!r} is no number", field=field)
    return found


def _tokens(fields: Fields) -> int:
    return fields.whole("prompt_tokens") or PROMPT_TOKENS


def _api(visit: Visit) -> str:
    return path_to(f"{API}/{{}}", visit.part("name"))
