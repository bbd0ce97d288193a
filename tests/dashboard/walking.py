"""Walks through the dashboard: every page, and every link from one to another."""

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.routing import Route

from omniroute.server.api.calls import Calls
from omniroute.server.dashboard import door
from omniroute.server.dashboard.all_pages import dashboard
from tests.browser.page import PHONE, Look, Page
from tests.v1.whole import opened

ROOT = Path(__file__).parents[2]
EVENTS = "/events"
"""How the path ends of what a page goes on hearing: that is no page of its own."""
EACH_MAX = 2
"""How many addresses of one page are looked at: one thing of it, and another or a filter."""
LOOKS: dict[str, Look] = {
    "light": {},
    "dark": {"dark": True},
    "phone": {"width": PHONE[0], "height": PHONE[1]},
}
PICTURES = ROOT / "build" / "screenshots"
"""Where a run leaves pictures to be looked at."""
_LINKS = """() => [...document.querySelectorAll('a[href]')]
  .map(one => new URL(one.href, location.href))
  .filter(one => one.origin === location.origin && one.pathname.startsWith('/dashboard'))
  .map(one => one.pathname + one.search)"""
_OPEN = """() => {
  const found = [];
  let text = document.body.innerText;
  // What stands in a block of its own turns nothing but itself around.
  for (const block of document.querySelectorAll('pre')) text = text.replace(block.innerText, '');
  for (const line of text.split('\\n')) {
    let depth = 0;
    for (const mark of line) {
      if ('\\u202a\\u202b\\u202d\\u202e\\u2066\\u2067\\u2068'.includes(mark)) depth += 1;
      else if ('\\u202c\\u2069'.includes(mark)) depth -= 1;
    }
    if (depth > 0) found.push(line.slice(0, 200));
  }
  return found;
}"""
_SPILLED = """() => [...document.querySelectorAll('td, th, dd, dt, li, p, h1, h2, h3, label')]
  .filter(one => one.clientWidth && one.scrollWidth > one.clientWidth + 1)
  .filter(one => getComputedStyle(one).overflowX === 'visible')
  .map(one => one.outerHTML.slice(0, 200))"""
_WAITING = "main [hidden]:not(button, :has(.empty))"
"""What only script shows, but for buttons that need it and what stands where a list is empty."""
WORDS_MIN = 5
PAGE_BYTES_MAX = 60_000
"""How heavy a page may be, without its assets."""
BROKEN_OUT = (
    "x-hostile, [data-hostile], [onerror], [onload], [href^='javascript:' i], "
    "[action^='javascript:' i], script:not([src]), style, iframe, object, embed, base"
)
"""What no page of ours has, and a page that a text broke out of has."""


@cache
def routes() -> tuple[tuple[str, str], ...]:
    """Give the method and path of every page and of what its forms do."""
    with TemporaryDirectory() as folder:
        found = asyncio.run(_routes(Path(folder)))
    served = ((method, one.path) for one in found for method in (one.methods or ()))
    return tuple((method, path) for method, path in served if method in ("GET", "POST"))


def pages() -> list[str]:
    """Give the path of every page that is read."""
    return [path for method, path in routes() if method == "GET" and not path.endswith(EVENTS)]


def unseen(addresses: Collection[str]) -> list[str]:
    """Give the pages that none of these addresses is of."""
    seen = {_row_of(address, pages()) for address in addresses}
    return [path for path in pages() if path not in seen]


def undone(sent: Collection[tuple[str, str]]) -> list[str]:
    """Give what forms do that none of these requests did: its path."""
    actions = [path for method, path in routes() if method == "POST"]
    done = {_row_of(address, actions) for method, address in sent if method == "POST"}
    return [path for path in actions if path not in done]


def addresses(page: Page) -> Iterator[str]:
    """Open every page, by its own address or by a link to it, and give each while it is shown."""
    known = pages()
    waiting = [path for path in known if "{" not in path]
    seen: set[str] = set()
    visits: Counter[str] = Counter()
    while waiting:
        address = waiting.pop(0)
        row = _row_of(address, known)
        if address in seen or row is None or visits[row] == EACH_MAX:
            continue
        seen.add(address)
        visits[row] += 1
        page.open(address)
        yield address
        waiting += page.evaluate(_LINKS)


def faults(page: Page, *, picture: str = "") -> list[str]:
    """Give what is wrong with the page that is shown, in words: light, dark and on a phone.

    Args:
        picture: the name of the pictures that are left of it; "" for none.
    """
    found = [] if page.status == 200 else [f"status {page.status}"]
    found += [f"of its own text: {page.html(BROKEN_OUT)[:200]}"] * page.count(BROKEN_OUT)
    if page.script_value("typeof window.hostile") != "undefined":
        found.append("a text of somebody else's ran")
    if "49{" in page.text():
        found.append("a text of somebody else's was taken for a template")
    found += [f"a text turns the line around: {one}" for one in page.evaluate(_OPEN)]
    found += [f"a text lies over another: {one}" for one in page.evaluate(_SPILLED)]
    for look, shown in LOOKS.items():
        page.show(**shown)
        found += [f"{look}: {one}" for one in page.accessibility()]
        if picture:
            page.screenshot(PICTURES / f"{picture}-{look}.png")
    found += [f"phone: a text lies over another: {one}" for one in page.evaluate(_SPILLED)]
    if page.sideways_px:
        found.append(f"phone: {page.sideways_px} px wider than the window")
    page.show()
    return found


def faults_unscripted(page: Page) -> list[str]:
    """Give what is wrong with the page that is shown, where the browser runs no script."""
    found = [] if page.text("main h1").strip() else ["no heading"]
    found += [] if len(page.text("main").split()) > WORDS_MIN else ["nothing to read"]
    found += [f"waits for script: {page.html(_WAITING)[:200]}"] * page.count(_WAITING)
    weight = page.evaluate("() => performance.getEntriesByType('navigation')[0].decodedBodySize")
    return found + ([f"{weight} bytes"] if weight > PAGE_BYTES_MAX else [])


async def _routes(folder: Path) -> list[Route]:
    async with opened(folder) as gateway:
        calls = Calls((), gateway.parts.storage)
        made = dashboard(gateway.parts, calls, lambda: gateway.app).routes()
    return [one for one in made if one.path not in (door.ASSET, door.ELSE, f"{door.HOME}/")]


def _row_of(address: str, known: Collection[str]) -> str | None:
    """Give the one of some paths, as their routes name them, that an address is of."""
    path = address.partition("?")[0]
    if path in known:
        return path
    patterns = {re.sub(r"\{[a-z_]+(:path)?\}", "[^/]+", one): one for one in known}
    return next((one for pattern, one in patterns.items() if re.fullmatch(pattern, path)), None)
