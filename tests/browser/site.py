"""A tiny site on loopback: the pages of a test, under a policy as strict as ours or another."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
KINDS = {"js": "text/javascript", "css": "text/css"}
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><title>A page</title>
{head}<main><h1>A page</h1>{body}</main>
"""


@dataclass(frozen=True)
class Site:
    """Pages by path; a path that ends in .js or .css is served as such."""

    origin: str
    pages: dict[str, str]

    def put(self, path: str, body: str, *, head: str = "") -> None:
        """Serve a page with this in it."""
        self.pages[path] = PAGE.format(head=head, body=body)

    def put_script(self, path: str, body: str, script: str) -> None:
        """Serve a page whose script is this."""
        self.pages[path + "of.js"] = script
        self.put(path, body, head=f'<script src="{path}of.js" defer></script>')


@contextmanager
def served(policy: str = POLICY) -> Iterator[Site]:
    """Serve a site under a content policy."""
    pages: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(self.path.partition("?")[0])

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self._answer(self.path)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

        def _answer(self, path: str) -> None:
            content = pages.get(path)
            self.send_response(404 if content is None else 200)
            kind = KINDS.get(path.rpartition(".")[2], "text/html")
            self.send_header("content-type", f"{kind}; charset=utf-8")
            self.send_header("content-security-policy", policy)
            self.send_header("set-cookie", "seen=yes; HttpOnly; SameSite=Strict; Path=/")
            self.end_headers()
            self.wfile.write((content or "nothing here").encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_port}", pages)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
