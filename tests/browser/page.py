"""A page as a person has it: things are found by the names that a screen reader says.

    with browser.page(gateway.url) as page:
        page.open("/dashboard")
        page.click("Make a key")
        page.fill("Name", "ci")
        page.choose("Scope", "agent")
        page.press("Enter")
        page.wait_for_text("Shown once")

Every wait is for a state of the page, never for a time. A click is a real one, at the middle of
what is clicked, and fails where something else lies over it. Leaving the `with` fails when the
page did what no page of ours may do (see complaints.py), unless the test has said so.
"""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack
from urllib.parse import urlsplit

from tests.browser import checker, finding, keys
from tests.browser.complaints import Complaints
from tests.browser.finding import Thing
from tests.browser.pipe import Pipe
from tests.browser.window import PATIENCE_S, Window

WIDTH, HEIGHT = 1280, 800
PHONE = (390, 844)
PICTURE_PX_MAX = 6000
"""A picture of a whole page is cut below this: what is longer shows nothing new."""


class Look(TypedDict, total=False):
    """How a window is shown: its size, WIDTH by HEIGHT if nothing is said, and light or dark."""

    width: int
    height: int
    dark: bool


@dataclass(frozen=True, slots=True)
class Manner:
    """How a person looks at pages.

    Args:
        dark: likes it dark.
        script: the browser runs the page's script.
        key: what every request presents, as a client does who needs no sign-in; "" for nothing.
        patience_s: how long a test waits for what it says must come.
    """

    dark: bool = False
    script: bool = True
    key: str = ""
    patience_s: float = PATIENCE_S


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie that the browser holds for the page's origin."""

    value: str
    http_only: bool
    secure: bool
    same_site: str
    path: str


class Page:
    """One tab at one origin."""

    def __init__(self, window: Window, origin: str, manner: Manner) -> None:
        self.origin = origin
        self._manner = manner
        self._window = window

    # Where it is

    def open(self, path: str) -> None:
        """Open a path of the origin and wait until it has loaded."""
        self._window.go(self.origin + path)

    def reload(self) -> None:
        """Load the page again."""
        self._window.going(lambda: self._do("Page.reload"))

    def follow(self, name: str, *, within: str = "") -> None:
        """Click what leads to another page and wait until that has loaded."""
        self._window.going(lambda: self.click(name, within=within))

    @property
    def path(self) -> str:
        """The path of the page that is shown, with its query."""
        href: str = self._window.run("() => location.href")
        parts = urlsplit(href)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def status(self) -> int | None:
        """The status that the shown document came with."""
        return self._window.status

    @property
    def headers(self) -> dict[str, str]:
        """The headers that the shown document came with, names in lower case."""
        return self._window.headers

    # What a person does

    def click(self, name: str, *, within: str = "") -> None:
        """Click the button, link, tab or box of this name, once it can be clicked.

        Args:
            name: as a screen reader says it; white space counts once.
            within: words of the row, form or section that it stands in, where several have it.
        """
        finding.click(self._window, self._find(name, finding.CLICKED, within))

    def fill(self, name: str, text: str, *, within: str = "") -> None:
        """Put a text into the field of this name in place of what is there, as typed."""
        field = self._find(name, finding.FILLED, within)
        finding.click(self._window, field)
        self._window.run("field => field.select ? field.select() : 0", field.handle)
        if text:
            self._do("Input.insertText", text=text)
        else:
            self.press("Delete")

    def choose(self, name: str, option: str, *, within: str = "") -> None:
        """Choose the option with this text in the list of this name."""
        chosen = self._find(name, finding.CHOSEN, within)
        found = self._window.run(finding.CHOOSE, chosen.handle, option)
        assert found is True, f"{name!r} has no option {option!r} but {found}"

    def tick(self, name: str, *, on: bool = True, within: str = "") -> None:
        """Have the box, switch or radio button of this name be on or off."""
        box = self._find(name, finding.TICKED, within)
        if box.checked != on:
            finding.click(self._window, box)

    def press(self, chord: str) -> None:
        """Press a key, with others held: `Tab`, `Shift+Tab`, `Enter`, `Control+k`, `x`."""
        key, modifiers = keys.parse(chord)
        down = "keyDown" if key.text else "rawKeyDown"
        for kind in (down, "keyUp"):
            text = {"text": key.text} if kind == "keyDown" else {}
            self._do(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key.key,
                code=key.key,
                windowsVirtualKeyCode=key.code,
                modifiers=modifiers,
                **text,
            )

    # What a person sees

    def text(self, selector: str = "body") -> str:
        """Give the text that is shown in the first element of a CSS selector."""
        shown: str | None = self._window.run(finding.TEXT, selector)
        assert shown is not None, f"nothing on the page is {selector}"
        return shown

    def wait_for_text(self, text: str, selector: str = "body") -> None:
        """Wait until a text is shown in an element of a CSS selector."""
        self.wait_for(lambda: text in (self._shown(selector) or ""), f"the text {text!r}")

    def wait_for_no_text(self, text: str, selector: str = "body") -> None:
        """Wait until a text is not shown in any element of a CSS selector."""
        self.wait_for(lambda: text not in (self._shown(selector) or ""), f"no text {text!r}")

    def wait_for_path(self, path: str) -> None:
        """Wait until another page of the origin is shown."""
        self.wait_for(lambda: self.path == path, f"the page {path}")

    def wait_for(self, look: Callable[[], bool], waited_for: str) -> None:
        """Wait until something can be said of the page."""
        self._window.until(lambda: True if look() else None, waited_for)

    def count(self, selector: str) -> int:
        """Give how many elements of a CSS selector there are."""
        found: int = self._window.run("what => document.querySelectorAll(what).length", selector)
        return found

    def html(self, selector: str) -> str:
        """Give the HTML of the first element of a CSS selector; nothing where there is none."""
        found: str = self._window.run(
            "what => document.querySelector(what)?.outerHTML ?? ''", selector
        )
        return found

    def attribute(self, selector: str, name: str) -> str | None:
        """Give an attribute of the first element of a CSS selector."""
        value: str | None = self._window.run(finding.ATTRIBUTE, selector, name)
        return value

    def value(self, name: str, *, within: str = "") -> str:
        """Give what is in the field of this name."""
        field = self._find(name, finding.FILLED + finding.CHOSEN, within)
        value: str = self._window.run("field => field.value ?? field.textContent", field.handle)
        return value

    def has(self, name: str) -> bool:
        """Whether a button, link or field of this name is on the page now."""
        return bool(finding.look(self._window, name, finding.ANY, ""))

    @property
    def focused(self) -> str:
        """The name of what the keyboard acts on now; empty when that is the page itself."""
        return finding.focused(self._window)

    @property
    def sideways_px(self) -> int:
        """How much wider than the window the page is."""
        wider: int = self._window.run(finding.SIDEWAYS)
        return wider

    def evaluate(self, function: str, *arguments: object) -> Any:
        """Give what a JavaScript function finds in the document, run beside the page's script."""
        return self._window.run(function, *arguments)

    def script_value(self, expression: str) -> object:
        """Give a value of the page's own script: what a test of what ran may look at."""
        answer = self._window.call("Runtime.evaluate", expression=expression, returnByValue=True)
        value: object = answer["result"].get("value")
        return value

    @property
    def cookies(self) -> dict[str, Cookie]:
        """The cookies that the browser would send to the page's address."""
        found = self._window.call("Network.getCookies", urls=[self.origin + self.path])["cookies"]
        return {
            one["name"]: Cookie(
                value=one["value"],
                http_only=one["httpOnly"],
                secure=one["secure"],
                same_site=one.get("sameSite", ""),
                path=one["path"],
            )
            for one in found
        }

    def forget_cookies(self) -> None:
        """Have the browser lose its cookies, as when a session ends."""
        self._window.pipe.call("Storage.clearCookies", browserContextId=self._window.context)

    # How it looks

    def show(self, **look: Unpack[Look]) -> None:
        """Give the window a size and the person a liking for light or dark."""
        self._window.show(
            width=look.get("width", WIDTH),
            height=look.get("height", HEIGHT),
            dark=look.get("dark", False),
        )

    def screenshot(self, path: Path, *, whole: bool = True) -> Path:
        """Write a picture, PNG or WebP after its name: of the whole page, or of the window."""
        kind = path.suffix.removeprefix(".")
        quality = {"quality": 80} if kind == "webp" else {}
        clip = {}
        if whole:
            size = self._window.call("Page.getLayoutMetrics")["cssContentSize"]
            high = min(size["height"], PICTURE_PX_MAX)
            clip = {"clip": {"x": 0, "y": 0, "width": size["width"], "height": high, "scale": 1}}
        taken = self._window.call(
            "Page.captureScreenshot", format=kind, captureBeyondViewport=whole, **quality, **clip
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(taken["data"]))
        return path

    def accessibility(self) -> list[str]:
        """Give what of WCAG 2.2 AA the page fails, a line each: rule, element, reason."""
        return checker.faults(self._window)

    @property
    def sent(self) -> list[tuple[str, str]]:
        """The method and path of every request that the page has made."""
        return self._window.complaints.sent

    # What it must not do

    @property
    def complaints(self) -> list[str]:
        """What was wrong with the page until now."""
        # After an answer, everything that happened before it has been told.
        self._window.run("() => 0")
        return self._window.complaints.told

    @contextmanager
    def expecting(self, *patterns: str) -> Iterator[None]:
        """Do what must lead to complaints and wait for them.

        Args:
            patterns: shell patterns (`POST * answered 409`), each for one complaint or several.
        """
        complaints, since = self._window.complaints, len(self.complaints)
        yield
        self.wait_for(
            lambda: not complaints.missing(patterns, since),
            f"complaints like {patterns}, not only {complaints.told[since:]}",
        )
        complaints.take(patterns, since)

    @contextmanager
    def beside(self) -> Iterator["Page"]:
        """Open another tab with the same cookies."""
        with opened(self._window.pipe, self.origin, self._window.context, self._manner) as page:
            yield page

    def _find(self, name: str, roles: tuple[str, ...], within: str) -> Thing:
        return finding.find(self._window, name, roles, within)

    def _shown(self, selector: str) -> str | None:
        shown: str | None = self._window.run(finding.TEXTS, selector)
        return shown

    def _do(self, command: str, **parameters: object) -> None:
        self._window.call(command, **parameters)


@contextmanager
def opened(pipe: Pipe, origin: str, context: str, manner: Manner) -> Iterator[Page]:
    """Open a tab in a browser context; leaving it tells what was wrong with the page."""
    window = Window(pipe, Complaints(origin), context=context, patience_s=manner.patience_s)
    try:
        window.show(width=WIDTH, height=HEIGHT, dark=manner.dark)
        window.call("Emulation.setTimezoneOverride", timezoneId="UTC")
        window.set_script(on=manner.script)
        if manner.key:
            sent = {"authorization": f"Bearer {manner.key}"}
            window.call("Network.setExtraHTTPHeaders", headers=sent)
        page = Page(window, origin, manner)
        try:
            yield page
        except BaseException as error:
            for told in window.complaints.told:
                error.add_note(told)
            raise
        assert page.complaints == [], "\n".join(["the page misbehaved", *page.complaints])
    finally:
        window.close()
