"""A visitor of the dashboard without a browser: pages as text, forms as they would be sent."""

import re
from html import unescape
from typing import Any

import httpx2


class Visitor:
    """Opens pages and sends their forms.

    Args:
        http: a client of the gateway.
        key: what is presented; None at a gateway that needs none.
    """

    def __init__(self, http: httpx2.AsyncClient, key: str | None) -> None:
        self._http = http
        self._headers = {} if key is None else {"authorization": f"Bearer {key}"}

    async def open(self, path: str) -> str:
        """Give a page's HTML; anything but a good answer is an error."""
        answer = await self._http.get(path, headers=self._headers)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-2000:])
        return answer.text

    async def send(self, path: str, page: str = "", /, **fields: Any) -> httpx2.Response:
        """Send a form, with the hidden fields of the page that it stands in."""
        hidden = {name: hidden_of(page, name) for name in ("csrf", "tag")} if page else {}
        told = {name: value for name, value in hidden.items() if value is not None}
        return await self._http.post(path, data={**told, **fields}, headers=self._headers)

    async def done(self, path: str, page: str = "", /, **fields: Any) -> str:
        """Send a form, and give the page that the browser is sent on to."""
        answer = await self.send(path, page, **fields)
        assert answer.status_code == 303, (path, answer.status_code, words_of(answer.text)[:2000])
        return await self.open(answer.headers["location"])

    async def api(self, path: str) -> dict[str, object]:
        """Give what the management API tells."""
        answer = await self._http.get(path, headers=self._headers)
        told: dict[str, object] = answer.json()
        return told


def hidden_of(page: str, name: str) -> str | None:
    """Give a hidden field's value."""
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', page)
    return None if found is None else unescape(found[1])


def words_of(page: str) -> str:
    """Give what a page says, without its tags and in one line."""
    main = page.partition("<main")[2] or page
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", main))).strip()
