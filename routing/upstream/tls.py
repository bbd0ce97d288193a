"""Encryption toward providers: whom we believe, and how a further handshake is a short one.

A server is believed with a certificate for the name that was asked for, from an authority of
the system or of SSL_CERT_FILE. A further connection to that name offers to go on with the
session of an earlier one; a server that agrees sends no certificate, which saves both sides
the costly half of a handshake. Such a server has proved that it is the one whose certificate
was looked at, so a session serves its own name only, and for SESSION_S_MAX at most: then a
certificate is looked at again, however often the session was carried on meanwhile.
"""

import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HTTP2 = ("h2", "http/1.1")
"""What is offered to speak for accounts that ask for HTTP/2, the best first."""

RECORD_BYTES_MAX = 16 * 1024
"""What one record of TLS holds at most (RFC 8446, section 5.1)."""

SESSION_S_MAX = 3_600.0
SESSIONS_MAX = 1_024


@dataclass(frozen=True, slots=True)
class _Session:
    """A session and when its server last showed a certificate."""

    session: ssl.SSLSession
    verified_s: float


@dataclass(slots=True)
class Sessions:
    """The newest session for each name."""

    _by_name: dict[str, _Session] = field(default_factory=dict[str, _Session])

    def offered(self, name: str) -> _Session | None:
        """Give the session that a new connection to a name may offer."""
        known = self._by_name.get(name)
        if known is None or time.monotonic() - known.verified_s >= SESSION_S_MAX:
            return None
        return known

    def keep(self, name: str, session: ssl.SSLSession, *, verified_s: float) -> None:
        """Keep a session; the oldest name goes when there are too many."""
        self._by_name.pop(name, None)
        if len(self._by_name) >= SESSIONS_MAX:
            del self._by_name[next(iter(self._by_name))]
        self._by_name[name] = _Session(session, verified_s)


def verifying_context(*protocols: str) -> ssl.SSLContext:
    """Make a context for providers.

    Args:
        protocols: what is offered to speak inside (ALPN), the best first; HTTP/1.1 unless given.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(protocols or ("http/1.1",))
    context.sslobject_class = _resuming(Sessions())
    return context


def reason_of(error: ssl.SSLError, *, whose: str = "") -> str:
    """Give the words for a handshake that failed; `whose` follows "its certificate"."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate{whose} was not accepted: {error.verify_message}. Nothing was sent. "
            "Correct the base URL, or trust its authority with SSL_CERT_FILE"
        )
    return f"no encrypted connection came about ({error.reason or type(error).__name__})"


def _resuming(sessions: Sessions) -> type[ssl.SSLObject]:
    """Make the class of a context's connections: sessions cannot move between contexts."""

    class Resuming(ssl.SSLObject):
        """Offers a session before its handshake, and keeps its own after the first bytes.

        With TLS 1.3 the server sends the session after the handshake, with its first bytes.
        """

        begun = False
        kept = False
        verified_s: float | None = None

        def do_handshake(self) -> None:
            if not self.begun:
                self.begun = True
                known = sessions.offered(self.server_hostname or "")
                if known is not None:
                    self.session = known.session
                    self.verified_s = known.verified_s
            super().do_handshake()

        def read(self, len: int = 1024, buffer: "WriteableBuffer | None" = None) -> bytes:  # noqa: A002 - the base's name
            # One read gives one record at most. The loops ask for 256 KB, and room of that
            # size is mapped and unmapped by the kernel at each read.
            data = super().read(min(len, RECORD_BYTES_MAX), buffer)
            if not self.kept:
                self.kept = True
                self._keep()
            return data

        def _keep(self) -> None:
            session, verified_s = self.session, self.verified_s
            if verified_s is None or not self.session_reused:
                verified_s = time.monotonic()
            if session is not None and self.server_hostname is not None:
                sessions.keep(self.server_hostname, session, verified_s=verified_s)

    return Resuming
