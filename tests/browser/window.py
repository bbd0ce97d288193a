"""The lower half of a page: its sessions, where it is, its own world for questions to it.

Everything asked of a page runs in a world of its own: it sees the same document as the page's
script, shares no name with it, and no content policy stands in its way.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.browser.complaints import DOMAINS, Complaints
from tests.browser.pipe import CommandRefused, Message, Pipe

PATIENCE_S = 30.0
"""How long a page may take to come to a state: a hundred times what it takes."""
LOOK_S = 0.02
"""How often a state is looked at that no event tells of."""
WORLD = "tests"
PHONE_PX_MAX = 600
"""A window no wider is a phone's: letters and view port as there."""

Found = TypeVar("Found")


class NotSeen(AssertionError):
    """The page never came to the state that the test waited for."""


class Window:
    """One tab in a browser context of its own, or beside another that it shares cookies with."""

    def __init__(
        self, pipe: Pipe, complaints: Complaints, *, context: str, patience_s: float
    ) -> None:
        self.pipe = pipe
        self.context = context
        self.complaints = complaints
        self.patience_s = patience_s
        self.script = True
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self._loaded: set[str] = set()
        self._world: int | None = None
        made = pipe.call("Target.createTarget", url="about:blank", browserContextId=context)
        self.target: str = made["targetId"]
        attached = pipe.call("Target.attachToTarget", targetId=self.target, flatten=True)
        self.session: str = attached["sessionId"]
        pipe.listen(self.session, self._hear)
        self.frame: str = self.call("Page.getFrameTree")["frameTree"]["frame"]["id"]
        for domain in DOMAINS:
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        self.call(
            "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True
        )

    def close(self) -> None:
        """Close the tab; what it says while it closes is no complaint."""
        self.pipe.leave(self.session)
        self.pipe.call("Target.closeTarget", targetId=self.target)

    def call(self, command: str, **parameters: Any) -> Message:
        """Give what the browser answers to a command about this tab."""
        return self.pipe.call(command, self.session, **parameters)

    def run(self, function: str, *arguments: object) -> Any:
        """Give what a JavaScript function gives, run beside the page's script."""
        answer = self._call_function(function, arguments, by_value=True)
        return answer.get("value")

    def handle(self, function: str, *arguments: object) -> str | None:
        """Give the browser's name for the object that a JavaScript function gives."""
        found: str | None = self._call_function(function, arguments, by_value=False).get("objectId")
        return found

    def until(self, look: Callable[[], Found | None], waited_for: str) -> Found:
        """Give what `look` gives as soon as it gives something.

        Raises:
            NotSeen: it gave nothing for as long as the test has patience.
        """
        limit = time.monotonic() + self.patience_s
        while True:
            found = look()
            if found is not None:
                return found
            if time.monotonic() > limit:
                shown = self.run("() => document.body?.innerText ?? ''")[:2000]
                raise NotSeen(f"{waited_for}: not seen; the page shows\n{shown}")
            self.pipe.take_events(LOOK_S)

    def go(self, url: str) -> None:
        """Open an address and wait until it has loaded, with all that it loads."""
        going = self.call("Page.navigate", url=url)
        if "errorText" in going:
            raise NotSeen(f"{url}: {going['errorText']}")
        loader = going.get("loaderId")
        if loader is not None:
            self.until(lambda: True if loader in self._loaded else None, f"{url} has loaded")

    def going(self, act: Callable[[], None]) -> None:
        """Do what leads to another page and wait until that has loaded."""
        before = set(self._loaded)
        act()
        self.until(lambda: True if self._loaded - before else None, "another page")

    def set_script(self, *, on: bool) -> None:
        """Have the browser run what script the page brings, or none."""
        self.script = on
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    @contextmanager
    def script_enabled(self) -> Iterator[None]:
        """Run script for a while: a page that has loaded does not start its own again."""
        before = self.script
        self.set_script(on=True)
        yield
        self.set_script(on=before)

    def show(self, *, width: int, height: int, dark: bool) -> None:
        """Give the window a size and the person a liking for light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width <= PHONE_PX_MAX,
        )
        likings = {
            "prefers-color-scheme": "dark" if dark else "light",
            # What moves could be caught half way by a picture or by the checker of contrasts.
            "prefers-reduced-motion": "reduce",
        }
        features = [{"name": name, "value": value} for name, value in likings.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def _call_function(
        self, function: str, arguments: tuple[object, ...], *, by_value: bool
    ) -> Message:
        """Run a function in the world of ours; again in the next page's when this one is left."""
        limit = time.monotonic() + self.patience_s
        while True:
            try:
                answer = self.call(
                    "Runtime.callFunctionOn",
                    functionDeclaration=function,
                    arguments=[_argument(one) for one in arguments],
                    executionContextId=self.world(),
                    returnByValue=by_value,
                    awaitPromise=True,
                    userGesture=True,
                )
                break
            except CommandRefused:
                if self._world is not None or time.monotonic() > limit:
                    raise
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"]["exception"].get("description"))
        result: Message = answer["result"]
        return result

    def world(self) -> int:
        if self._world is None:
            made = self.call("Page.createIsolatedWorld", frameId=self.frame, worldName=WORLD)
            self._world = made["executionContextId"]
        return self._world

    def _hear(self, name: str, event: Message) -> None:
        self.complaints.hear(name, event)
        match name:
            case "Page.lifecycleEvent" if event["frameId"] == self.frame:
                if event["name"] == "load":
                    self._loaded.add(event["loaderId"])
            case "Page.frameNavigated" if event["frame"]["id"] == self.frame:
                self._world = None
            case "Runtime.executionContextsCleared":
                self._world = None
            case "Network.responseReceived" if _is_page(event, self.frame):
                self.status = event["response"]["status"]
                self.headers = {k.lower(): v for k, v in event["response"]["headers"].items()}
            case "Page.javascriptDialogOpening":
                leaving = event["type"] == "beforeunload"
                self.pipe.tell("Page.handleJavaScriptDialog", self.session, accept=leaving)
            case "Target.attachedToTarget":
                self._attach(event["sessionId"])

    def _attach(self, session: str) -> None:
        """Listen to a frame or a worker of the page before it does anything."""
        self.pipe.listen(session, self.complaints.hear)
        for domain in DOMAINS:
            self.pipe.tell(f"{domain}.enable", session)
        self.pipe.tell("Runtime.runIfWaitingForDebugger", session)


class Handle(str):
    """The browser's name for an object, as an argument."""

    __slots__ = ()


def _argument(value: object) -> Message:
    return {"objectId": str(value)} if isinstance(value, Handle) else {"value": value}


def _is_page(event: Message, frame: str) -> bool:
    return bool(event["type"] == "Document" and event.get("frameId") == frame)
