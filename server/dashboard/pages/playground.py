"""Playground: any model or combo, two side by side, in any dialect, and the code that asks it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import get_args

import orjson
from starlette.responses import Response

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Dialect

from ...rights import ROUTES
from ..asking import Asked, Doors
from ..dialects import Prompt, body_of, curl, place_of, python, text_of
from ..visits import Fields, Menu, PageRow, Shown, Visit

PAGE = "/dashboard/playground"
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
NEEDS = ROUTES or ()
SIDES = ("1", "2")
FIRST = "auto"
KNOWN_MAX = 600
EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from one side.

    Attributes:
        headers: who answered, at what cost, after how many attempts.
        ms: how long it took, as this process saw it.
    """

    status: int
    text: str
    headers: Mapping[str, str]
    ms: float


@dataclass(frozen=True, slots=True)
class Playground:
    """The page.

    Attributes:
        url: where clients reach the gateway; None takes the address of the page itself.
    """

    doors: Doors
    url: str | None

    def rows(self) -> tuple[PageRow, ...]:
        """Give the routes."""
        menu = Menu("playground", "chat-bubble-left-right")
        return (
            PageRow("GET", PAGE, NEEDS, self.show, menu=menu),
            PageRow("POST", PAGE, NEEDS, self.ask, again=self.show),
            PageRow("POST", f"{PAGE}/stream", NEEDS, self.stream),
            PageRow("POST", f"{PAGE}/code", NEEDS, self.code),
        )

    async def show(self, visit: Visit) -> Shown:
        """Show what may be asked."""
        return await self._page(visit, {})

    async def ask(self, visit: Visit) -> Shown:
        """Ask one or both sides, and show their whole answers."""
        sides = [one for one in SIDES if visit.fields.text(f"model{one}")]
        if not sides:
            raise BadRequest("name a model or a combo to ask", field="model1")
        found = await asyncio.gather(*(self._answer(visit, side) for side in sides))
        return await self._page(visit, dict(zip(sides, found, strict=True)))

    async def stream(self, visit: Visit) -> Response:
        """Pass on what one side answers, in its own dialect, as it comes."""
        side = visit.fields.text("side", "1")
        dialect, prompt = _asked(visit.fields, side if side in SIDES else "1")
        return self.doors.stream(_request(dialect, prompt, stream=True), visit.caller)

    async def code(self, visit: Visit) -> Shown:
        """Show the code that asks what the form says."""
        return Shown("playground_code.html", {"codes": self._codes(visit)})

    async def _answer(self, visit: Visit, side: str) -> Answer:
        dialect, prompt = _asked(visit.fields, side)
        began = perf_counter()
        told = await self.doors.whole(_request(dialect, prompt, stream=False), visit.caller)
        ms = (perf_counter() - began) * 1_000
        return Answer(told.status, text_of(dialect, told.body), told.headers, ms)

    async def _page(self, visit: Visit, answers: Mapping[str, Answer]) -> Shown:
        fields = visit.fields if visit.fields.values else visit.query
        models = (await visit.get("/api/models")).models if visit.may("read:models") else ()
        combos = (await visit.get("/api/combos")).combos if visit.may("read:combos") else ()
        known = [FIRST, *(one.name for one in combos if one.active)]
        known += sorted({one.full_model for one in models})
        return Shown(
            "playground.html",
            {
                "known": known[:KNOWN_MAX],
                "dialects": DIALECTS,
                "filled": fields,
                "answers": answers,
                "codes": self._codes(visit) if answers else (),
                "sides": SIDES,
            },
        )

    def _codes(self, visit: Visit) -> list[tuple[str, str, str]]:
        """Give for each side its model, the command and the lines of Python."""
        url = self.url or str(visit.request.base_url).rstrip("/")
        found: list[tuple[str, str, str]] = []
        for side in SIDES:
            if visit.fields.text(f"model{side}"):
                dialect, prompt = _asked(visit.fields, side)
                words = curl(dialect, prompt, url), python(dialect, prompt, url)
                found.append((prompt.model, *words))
        return found


def _asked(fields: Fields, side: str) -> tuple[Dialect, Prompt]:
    """Give what a form asks of one side.

    Raises:
        BadRequest: nothing is asked, or in no dialect that there is.
    """
    named = fields.text(f"dialect{side}", "openai_chat")
    dialect = next((one for one in DIALECTS if one == named), None)
    if dialect is None:
        raise BadRequest(f"dialect is one of {', '.join(DIALECTS)}", field=f"dialect{side}")
    model, text = fields.text(f"model{side}"), fields.text("prompt")
    if not model:
        raise BadRequest("name a model or a combo to ask", field=f"model{side}")
    if not text:
        raise BadRequest("write what is asked", field="prompt")
    tokens = fields.whole("tokens")
    if tokens is not None and tokens < 1:
        raise BadRequest("tokens is 1 or more", field="tokens")
    return dialect, Prompt(model, text, fields.text("system"), tokens)


def _request(dialect: Dialect, prompt: Prompt, *, stream: bool) -> Asked:
    path, query = place_of(dialect, prompt.model, stream=stream)
    body = orjson.dumps(body_of(dialect, prompt, stream=stream))
    return Asked(path, body, NEEDS, query, EVENTS if stream else "application/json")
