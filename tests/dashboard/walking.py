"""Walks through the dashboard: every page, and every link from one to another."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from omniroute.server.dashboard.visits import PageRow
from tests.browser.page import PHONE, Look, Page

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "server" / "dashboard" / "pages"
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
  const found = [], text = document.body.innerText;
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
_WAITING = "main [hidden]:not([data-copy])"
"""What only script shows; a button that copies is no loss where there is none."""
WORDS_MIN = 5
BROKEN_OUT = (
    "x-hostile, [data-hostile], [onerror], [onload], [href^='javascript:' i], "
    "[action^='javascript:' i], script:not([src]), style, iframe, object, embed, base"
)
"""What no page of ours has, and a page that a text broke out of has."""


@cache
def rows() -> tuple[PageRow, ...]:
    """Give every page that is read."""
    names = sorted(path.stem for path in PAGES.glob("*.py"))
    modules = [import_module(f"omniroute.server.dashboard.pages.{name}") for name in names]
    found = [row for module in modules if hasattr(module, "rows") for row in module.rows()]
    return tuple(row for row in found if row.method == "GET")


def unseen(addresses: Collection[str]) -> list[str]:
    """Give the pages that none of these addresses is of."""
    seen = {_row_of(address) for address in addresses}
    return [row.path for row in rows() if row.path not in seen]


def addresses(page: Page) -> Iterator[str]:
    """Open every page, by its own address or by a link to it, and give each while it is shown."""
    waiting = [row.path for row in rows() if "{" not in row.path]
    seen: set[str] = set()
    visits: Counter[str] = Counter()
    while waiting:
        address = waiting.pop(0)
        row = _row_of(address)
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


def faults_unscripted(page: Page, address: str) -> list[str]:
    """Give what cannot be read at an address by a browser that runs no script."""
    page.open(address)
    found = [] if page.text("main h1").strip() else ["no heading"]
    found += [] if len(page.text("main").split()) > WORDS_MIN else ["nothing to read"]
    found += [f"waits for script: {page.html(_WAITING)[:200]}"] * page.count(_WAITING)
    return found


def _row_of(address: str) -> str | None:
    """Give the path, as its row names it, of the page at an address."""
    path = address.partition("?")[0]
    paths = [row.path for row in rows()]
    if path in paths:
        return path
    patterns = {re.sub(r"\{[a-z_]+(:path)?\}", "[^/]+", one): one for one in paths}
    return next((one for pattern, one in patterns.items() if re.fullmatch(pattern, path)), None)
