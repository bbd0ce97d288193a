"""The browser of the tests: `browser.page(url)` gives a page, with cookies of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.browser import chromium
from tests.browser.page import Manner, Page, opened
from tests.browser.pipe import Pipe

PLAIN = Manner()


class Browser:
    """One running Chromium, shared by the tests of a worker."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    @contextmanager
    def page(self, origin: str, manner: Manner = PLAIN) -> Iterator[Page]:
        """Open a tab of a person who was never here; leaving it tells what was wrong.

        Args:
            origin: where the paths that are opened lie, such as http://127.0.0.1:20128.
            manner: how the person looks at it: light and with script if nothing is said.
        """
        made = self._pipe.call("Target.createBrowserContext")
        context: str = made["browserContextId"]
        try:
            with opened(self._pipe, origin, context, manner) as page:
                yield page
        finally:
            self._pipe.call("Target.disposeBrowserContext", browserContextId=context)


@contextmanager
def running() -> Iterator[Browser]:
    """Run a browser."""
    with chromium.started() as pipe:
        yield Browser(pipe)
