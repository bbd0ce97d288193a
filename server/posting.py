"""One POST to a URL, over a connection that routing's egress has judged: what is no model call.

The name is looked up once for each new connection, each of its addresses is judged by what the
purpose permits, and the connection goes to a judged one. There are no redirects and no proxies
from the environment.
"""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Limits
from omniroute.routing.upstream.client import send
from omniroute.routing.upstream.egress import Egress, Permit, parse_base_url
from omniroute.routing.upstream.exchange import Exchange
from omniroute.routing.upstream.pool import Pool, Way
from omniroute.routing.upstream.refused import error_body
from omniroute.routing.upstream.tls import verifying_context
from omniroute.routing.upstream.tunnel import parse_proxy


class Poster:
    """Posts for one purpose.

    Args:
        egress: judges every address.
        permit: what the purpose may reach beside public servers over TLS.
        tls: makes what verifies servers.
    """

    def __init__(
        self,
        egress: Egress,
        permit: Permit,
        tls: Callable[..., ssl.SSLContext] = verifying_context,
    ) -> None:
        self._egress = egress
        self._permit = permit
        self._tls = tls
        self._pool: Pool | None = None

    async def status(
        self, url: str, headers: Sequence[tuple[str, str]], body: bytes, limits: Limits
    ) -> int:
        """Send a body and give the status of the answer, whose body is never read.

        Raises:
            UpstreamFailure: the URL may not be reached, or no answer came.
        """
        answer = await self._sent(url, headers, body, limits, None)
        try:
            return answer.status
        finally:
            answer.close()

    async def answer(
        self,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        limits: Limits,
        proxy: str | None,
    ) -> tuple[int, bytes]:
        """Send a body, through a proxy if one is given; give status and body of the answer.

        Raises:
            UpstreamFailure: as `status`.
        """
        answer = await self._sent(url, headers, body, limits, proxy)
        try:
            return answer.status, await error_body(answer)
        finally:
            answer.close()

    def close(self) -> None:
        """Cut what is open."""
        if self._pool is not None:
            self._pool.close()

    async def _sent(
        self,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        limits: Limits,
        proxy: str | None,
    ) -> Exchange:
        if self._pool is None:
            self._pool = Pool(self._egress, self._tls)
        base = parse_base_url(url)
        through = parse_proxy(proxy) if proxy else None
        permit = self._permit
        if through is not None:
            # An administrator has named the proxy, and it may be on a network of his own.
            permit = replace(permit, private=True)
        lane = self._pool.lane(Way(base.origin, permit, through))
        path = urlsplit(url).path or "/"
        target = f"{path}?{base.query}" if base.query else path
        lines = [
            f"POST {target} HTTP/1.1",
            f"host: {base.origin.authority}",
            "user-agent: omniroute",
            "accept-encoding: identity",
            f"content-length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        if any("\r" in line or "\n" in line for line in lines):
            raise UpstreamFailure("a header has a line break", kind="egress_refused")
        head = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
        return await send(lane, head, body, limits)
