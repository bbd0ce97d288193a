"""Templates made into pages."""

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from . import looks, words
from .assets import address_of
from .policy import HEADERS
from .visits import PageRow, Shown, Visit

TEMPLATES = Path(__file__).parent / "templates"


class Renderer:
    """Makes pages.

    Args:
        menu: the pages that have a place in the menu, in its order.
        version: of this program.
    """

    def __init__(self, menu: Sequence[PageRow], version: str) -> None:
        self._menu = tuple(menu)
        self._version = version

    def page(self, shown: Shown, visit: Visit | None, accepted: str = "") -> HTMLResponse:
        """Give the answer that shows something.

        Args:
            shown: what.
            visit: whose; None for a page that anybody may see.
            accepted: the languages that the browser asks for.
        """
        language = words.language_of(accepted)
        say = partial(words.say, language)
        template = environment().get_template(shown.template)
        values: dict[str, object] = {
            "t": say,
            "language": language,
            "version": self._version,
            "visit": visit,
            "menu": self._menu_of(visit, say),
            "error": None if visit is None else visit.error,
            "fields": {} if visit is None else visit.fields,
            **shown.values,
        }
        return HTMLResponse(template.render(values), shown.status, HEADERS)

    def _menu_of(self, visit: Visit | None, say: Any) -> list[Mapping[str, object]]:
        if visit is None:
            return []
        here = visit.request.scope["path"]
        return [
            {
                "path": row.path,
                "word": say(f"menu.{row.menu.word}"),
                "icon": row.menu.icon,
                "here": _within(here, row.path),
            }
            for row in self._menu
            if row.menu is not None and (not row.needs or any(map(visit.may, row.needs)))
        ]


@cache
def environment() -> Environment:
    """Give what templates are made with: everything is escaped, and what is missing is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=words.closed,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "money": looks.money,
        "duration": looks.duration,
        "count": looks.count,
        "short": looks.short,
        "share": looks.share,
        "size": looks.size,
        "exact": looks.exact,
        "ago": looks.ago,
        "plain": looks.plain,
        "cut": looks.cut,
        "words": _pair,
        "optional": _optional,
    }
    made.globals |= {
        "asset": address_of,
        "icon": icon,
        "UNKNOWN": looks.UNKNOWN,
        "done_word": _done,
        "with_query": _with_query,
    }
    return made


@cache
def icon(name: str) -> Markup:
    """Give an icon as SVG, which screen readers pass over; nothing without the package."""
    if importlib.util.find_spec("heroicons") is None:
        return Markup("")
    from heroicons.jinja import heroicon_outline  # noqa: PLC0415 - it may not be there

    drawn = heroicon_outline(
        name, size=20, aria_hidden="true", focusable="false", **{"class": "icon"}
    )
    return Markup(drawn)  # noqa: S704 - the package's own drawing


def _within(here: str, path: str) -> bool:
    """Whether an address is a page or what is below it; the first page has nothing below it."""
    return here == path or (path.count("/") > 1 and here.startswith(f"{path}/"))


def _pair(value: str) -> tuple[str, str]:
    """Give an option of a choice that is called what it is."""
    return value, value


def _optional(value: float | str | None) -> str:
    """Give a value as a field of a form has it, whether it is a number or what was typed."""
    return value if isinstance(value, str) else looks.plain(value)


def _done(name: str, say: Any) -> str:
    """Give the word that says what was done; what is no such word says nothing."""
    try:
        found: str = say(name)
    except (words.UnknownWord, LookupError):
        return ""
    return found


def _with_query(visit: Visit, **changes: object) -> str:
    """Give the query of a page's address with some parameters changed; None takes one out."""
    kept = {name: one for name, one in visit.query.values.items() if name not in {*changes, "done"}}
    new = {name: (str(one),) for name, one in changes.items() if one is not None}
    return urlencode({**kept, **new}, doseq=True)
