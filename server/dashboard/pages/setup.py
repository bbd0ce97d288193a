"""Set-up: each client's configuration filled in, a first request, and whether it has called."""

import time
from dataclasses import dataclass

import orjson

from ...api.calls import path_to
from ...api.clients import PATH
from ...clients_json import ClientSetUpJson
from ...management_keys import NewKeyJson
from ...rights import ROUTES
from ..asking import Asked, Doors
from ..dialects import Prompt, body_of, curl, text_of
from ..visits import Menu, PageRow, Shown, Visit

PAGE = "/dashboard/setup"
ONE = f"{PAGE}/{{client}}"
SEES = ("read:models",)
CHAT = "/v1/chat/completions"
FIRST = Prompt("auto", "Say hello.")
SYSTEMS = ("linux", "macos", "windows")
_PLATFORMS = (("mac", "macos"), ("win", "windows"))


@dataclass(frozen=True, slots=True)
class SetUp:
    """The page.

    Attributes:
        url: where clients reach the gateway; None takes the address of the page itself.
    """

    doors: Doors
    url: str | None

    def rows(self) -> tuple[PageRow, ...]:
        """Give the routes."""
        return (
            PageRow("GET", PAGE, SEES, self.show_all, menu=Menu("setup", "command-line")),
            PageRow("POST", f"{PAGE}/first", ROUTES or (), self.first, again=self.show_all),
            PageRow("GET", ONE, SEES, self.show_one),
            PageRow("POST", f"{ONE}/key", ("admin",), self.make_key, again=self.show_one),
        )

    async def show_all(self, visit: Visit) -> Shown:
        """Show every client, and the command of a first request."""
        return await self._all(visit)

    async def first(self, visit: Visit) -> Shown:
        """Send a first request, and show what came back."""
        body = orjson.dumps(body_of("openai_chat", FIRST, stream=False))
        told = await self.doors.whole(Asked(CHAT, body, ROUTES or ()), visit.caller)
        answer = {
            "good": told.status < 400,
            "text": text_of("openai_chat", told.body),
            "request_id": told.headers.get("x-request-id", ""),
            "model": told.headers.get("x-omniroute-model", ""),
        }
        return await self._all(visit, answer=answer)

    async def show_one(self, visit: Visit) -> Shown:
        """Show what belongs into one client's files."""
        return await self._one(visit, "")

    async def make_key(self, visit: Visit) -> Shown:
        """Make a key for a client, and show its files with it, this once."""
        body = {"name": visit.part("client"), "scopes": ["agent"]}
        made: NewKeyJson = (await visit.call("POST", "/api/keys", body=body)).value
        return await self._one(visit, made.secret, made.key.key_id)

    async def _all(self, visit: Visit, **more: object) -> Shown:
        clients = (await visit.get(PATH)).clients
        command = curl("openai_chat", FIRST, self._url(visit))
        shown: dict[str, object] = {"clients": clients, "command": command, "answer": None}
        return Shown("setup.html", {**shown, **more, "may_ask": visit.may(CHAT_SCOPE)})

    async def _one(self, visit: Visit, secret: str, key_id: str = "") -> Shown:
        system = visit.query.text("system") or _system(visit)
        query = {
            "system": system,
            "transport": visit.query.text("transport") or None,
            "url": self._url(visit),
        }
        path = path_to(f"{PATH}/{{}}", visit.part("client"))
        called = await visit.call("GET", path, query=query)
        found: ClientSetUpJson = called.value
        since = visit.query.number("since") or time.time()
        key_id = key_id or visit.query.text("key")
        return Shown(
            "setup_client.html",
            {
                "found": found,
                "files": [(one, _with_key(one.text, secret)) for one in found.files],
                "secret": secret,
                "system": system,
                "systems": SYSTEMS,
                "since": since,
                "key_id": key_id,
                "calls": await self._calls(visit, since, key_id),
                "command": f"omniroute setup {found.client.name}",
            },
        )

    async def _calls(self, visit: Visit, since: float, key_id: str) -> object:
        """Give the requests since a moment, of one key if there is one; None of who may not see."""
        if not visit.may("read:usage"):
            return None
        query = {"since": since, "limit": 5, "apiKey": key_id or None}
        return await visit.get("/api/usage/call-logs", **query)

    def _url(self, visit: Visit) -> str:
        return self.url or str(visit.request.base_url).rstrip("/")


CHAT_SCOPE = "write:route"
SHOWN = "sk-omni-..."


def _with_key(text: str, secret: str) -> str:
    return text.replace(SHOWN, secret) if secret else text


def _system(visit: Visit) -> str:
    """Give the system that the browser says it runs on."""
    headers = visit.request.headers
    told = headers.get("sec-ch-ua-platform", "") + headers.get("user-agent", "")
    return next((name for part, name in _PLATFORMS if part in told.lower()), SYSTEMS[0])
