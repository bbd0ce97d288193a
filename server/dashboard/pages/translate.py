"""Translate: a body of one dialect in another, with what is dropped on the way."""

from typing import get_args

import orjson

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Dialect

from ...api.translate import PATH, TranslationJson
from ..visits import Menu, PageRow, Shown, Visit

PAGE = "/dashboard/translate"
NEEDS = ("read:models",)
DIALECTS = get_args(Dialect)
EXAMPLE = """{
  "model": "gpt-5.5",
  "messages": [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Say hello."}
  ],
  "temperature": 0.2,
  "seed": 7
}"""


def rows() -> tuple[PageRow, ...]:
    """Give the routes."""
    return (
        PageRow("GET", PAGE, NEEDS, show, menu=Menu("translate", "language")),
        PageRow("POST", PAGE, NEEDS, translate, again=show),
    )


async def show(visit: Visit) -> Shown:
    """Show what may be translated."""
    return _page(visit, None)


async def translate(visit: Visit) -> Shown:
    """Translate a body, and show it beside what it was."""
    fields = visit.fields
    try:
        body = orjson.loads(fields.text("body"))
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}", field="body") from None
    if not isinstance(body, dict):
        raise BadRequest("the body is a JSON object", field="body")
    wish = {
        "from": fields.text("from"),
        "to": fields.text("to"),
        "model": fields.text("model"),
        "body": body,
    }
    return _page(visit, (await visit.call("POST", PATH, body=wish)).value)


def _page(visit: Visit, found: TranslationJson | None) -> Shown:
    text = None
    if found is not None:
        text = orjson.dumps(found.body, option=orjson.OPT_INDENT_2).decode()
    filled = visit.fields if visit.fields.values else visit.query
    return Shown(
        "translate.html",
        {
            "dialects": DIALECTS,
            "found": found,
            "text": text,
            "example": EXAMPLE,
            "filled": filled,
        },
    )
