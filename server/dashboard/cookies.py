"""The two cookies of the dashboard, below /dashboard alone: who is signed in, and who visits.

`session` says who has signed in. `visit` says nothing of anybody: what a form without a session
sends is bound to it, at the sign-in page and where nobody has to sign in. Both are for the host
that set them (`__Host-`), sent over TLS or to this machine, never to scripts, and never with
what another site begins. Where a setting allows it, they have another name and go over plain
HTTP as well.

Source: draft-ietf-httpbis-rfc6265bis, section 4.1.3.2 (what `__Host-` asks for), read 2026-11-23.
"""

from dataclasses import dataclass

from ..exchange import Head, Header

SESSION = "session"
VISIT = "visit"


@dataclass(frozen=True, slots=True)
class Jar:
    """How cookies are named and set on one connection.

    Attributes:
        is_secure: whether they go over TLS, or to this machine, alone.
    """

    is_secure: bool

    def name(self, which: str) -> str:
        """Give a cookie's whole name."""
        return f"{'__Host-' if self.is_secure else ''}omniroute-{which}"

    def read(self, head: Head, which: str) -> str:
        """Give a cookie's value; "" where there is none, or two that differ."""
        wanted = self.name(which)
        found = set[str]()
        for header, value in head.headers:
            if header == b"cookie":
                for pair in value.decode("latin-1").split(";"):
                    name, _, text = pair.strip().partition("=")
                    if name == wanted:
                        found.add(text)
        return found.pop() if len(found) == 1 else ""

    def put(self, which: str, value: str) -> Header:
        """Give the header that sets a cookie until the browser is closed."""
        return self._header(f"{self.name(which)}={value}")

    def drop(self, which: str) -> Header:
        """Give the header that removes a cookie."""
        return self._header(f"{self.name(which)}=; Max-Age=0")

    def _header(self, pair: str) -> Header:
        secure = "; Secure" if self.is_secure else ""
        text = f"{pair}; Path=/; HttpOnly; SameSite=Strict{secure}"
        return b"set-cookie", text.encode("latin-1")
