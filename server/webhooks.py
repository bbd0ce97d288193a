"""Webhooks on their way out: a client's URL is asked like a provider's, and trusted less.

The URL came from a client, so by default it leads to public servers over TLS and nowhere else.
The name is looked up once for each new connection, each of its addresses is judged, and the
connection goes to a judged one (routing's egress.py): a name that changes its address between
two looks gains nothing. There are no redirects and no proxies, a try ends after POST_S, and of
the answer only the status is taken: its body is never read.
"""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Limits
from omniroute.routing.upstream.egress import Egress, Permit, Resolve, parse_base_url, zone_of
from omniroute.routing.upstream.tls import verifying_context

from .posting import Poster

POST_S = 10.0
CONNECT_S = 5.0
ANSWER_BYTES_MAX = 64 * 1024
SETTING = "OMNIROUTE_A2A_PRIVATE_WEBHOOKS"

_LIMITS = Limits(
    connect_s=CONNECT_S,
    first_byte_s=POST_S,
    idle_s=POST_S,
    total_s=POST_S,
    answer_bytes_max=ANSWER_BYTES_MAX,
)


class Webhooks:
    """Posts to receivers. Fulfils the agent's port Outgoing.

    Args:
        private: whether receivers may be on this machine or its networks, without TLS too.
        own_addresses: where this gateway listens, so that no notification comes back to it.
        resolve: the resolver, replaced in tests.
        tls: makes what verifies receivers, replaced in tests.
    """

    def __init__(
        self,
        *,
        private: bool,
        own_addresses: tuple[tuple[str, int], ...] = (),
        resolve: Resolve | None = None,
        tls: Callable[..., ssl.SSLContext] = verifying_context,
    ) -> None:
        self._permit = Permit(private=private)
        self._private = private
        self._egress = Egress(own_addresses, resolve)
        self._poster = Poster(self._egress, self._permit, tls)

    def check(self, url: str) -> None:
        """See whether a URL may be a receiver's, as far as can be told without a look-up.

        Raises:
            ValueError: it may not.
        """
        try:
            origin = parse_base_url(url).origin
            plain = origin.scheme != "https"
            if plain and (not self._private or zone_of(origin.host) == "public"):
                raise ValueError("must begin with https://")
            # Where a name leads is judged when it is asked, with its addresses.
            self._egress.behind_proxy(replace(origin, scheme="https"), self._permit)
        except UpstreamFailure:
            hint = "" if self._private else f"; {SETTING}=on allows private ones"
            raise ValueError(
                "is no URL of a server that may be told: it must be a whole https:// URL, "
                f"without a user, and lead to a public address{hint}"
            ) from None

    def host(self, url: str) -> str:
        """Give scheme, host and port of a URL."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}".lower()

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
        """Send a body and give the status of the answer.

        Raises:
            UpstreamFailure: the URL may not be reached, or no answer came.
        """
        return await self._poster.status(url, headers, body, _LIMITS)

    def close(self) -> None:
        """Cut what is open."""
        self._poster.close()
