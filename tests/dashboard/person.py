"""Somebody at a browser, without one: keeps cookies as a browser does and says what one says."""

import re
from collections.abc import Mapping
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import httpx2

from tests.dashboard.visiting import hidden_of

ORIGIN = "http://127.0.0.1:20128"


class Person:
    """Opens pages and sends forms.

    Args:
        http: a client of the gateway.
        origin: where this one has the dashboard open.
    """

    def __init__(self, http: httpx2.AsyncClient, origin: str = ORIGIN) -> None:
        self.cookies: dict[str, str] = {}
        self.kept: list[str] = []
        self._http = http
        self._origin = origin

    async def get(self, path: str, *, site: str = "none", **headers: str) -> httpx2.Response:
        """Open a page, by typing its address if nothing else is said."""
        told = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", **headers}
        return await self._send("GET", path, None, told)

    async def post(
        self, path: str, page: str = "", headers: Mapping[str, str] | None = None, /, **fields: str
    ) -> httpx2.Response:
        """Send a form of a page, with its token."""
        token = hidden_of(page, "csrf") if page else None
        data = fields if token is None else {"csrf": token, **fields}
        told = {
            "origin": self._origin,
            "sec-fetch-site": "same-origin",
            "sec-fetch-mode": "navigate",
            **(headers or {}),
        }
        return await self._send("POST", path, data, told)

    async def sign_in(self, secret: str, onward: str = "/dashboard/sessions") -> httpx2.Response:
        """Sign in by the page."""
        page = (await self.get(f"/dashboard/sign-in?next={onward}")).text
        return await self.post(
            "/dashboard/sign-in", page, secret=secret, next=hidden_of(page, "next") or ""
        )

    async def send_again(self, page: str) -> httpx2.Response:
        """Press the button of the page that offers what was entered."""
        form = page[page.index('class="inline"') :]
        action = unescape(re.findall(r'action="([^"]*)"', page)[-1])
        found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
        return await self.post(action, **{unescape(one): unescape(two) for one, two in found})

    async def _send(
        self, method: str, path: str, data: dict[str, str] | None, headers: dict[str, str]
    ) -> httpx2.Response:
        pairs = [f"{name}={value}" for name, value in self.cookies.items()]
        told = {"accept": "text/html", "cookie": "; ".join(pairs), **headers}
        told["host"] = headers.get("host", urlsplit(self._origin).netloc)
        answer = await self._http.request(method, path, data=data, headers=told)
        for line in answer.headers.get_list("set-cookie"):
            self.kept.append(line)
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer
