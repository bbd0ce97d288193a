"""Errors of everything that is not a hot door, in the words of the dialect that its path is of."""

import logging
from collections.abc import Callable, Iterable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import NotFound, RoutingError
from omniroute.routing.wire.failures import status_of
from omniroute.routing.wire.ollama import render_error as in_ollamas_words
from omniroute.routing.wire.table import codec

from .exchange import Exchange, Wait, headers_of
from .paths import OLLAMAS, ROOTS, dialect_of, meant
from .request_ids import request_id_of
from .v1.answers import error_lines

log = logging.getLogger("omniroute")


class WrongMethod(RoutingError):
    """The path is served, by another method."""

    status = 405
    code = "method_not_allowed"


class NotForHere(RoutingError):
    """The Host or Origin is not one that this gateway answers for."""

    code = "host_not_allowed"

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Refusals:
    """Turns what the router and the routes refuse into answers.

    Args:
        posted: whether a POST to this path has a hot door; None where there are none.
        paths: of all hot doors.
        routes: that are served beside them.
    """

    def __init__(
        self,
        posted: Callable[[str], bool] | None,
        paths: Iterable[str],
        routes: Iterable[Route],
    ) -> None:
        self._posted = posted
        self._routes = tuple(routes)
        self._paths = (*(one.path for one in self._routes), *paths)

    async def refuse_http(self, request: Request, error: Exception) -> Response:
        """Answer the router's own refusals: no such path, or a wrong method."""
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
        path, method = request.url.path, request.method
        allowed = self._allowed(request.scope["path"])
        if self._posted is not None and self._posted(path):
            allowed.add("POST")
        if allowed and error.status_code in (404, 405):
            allow = ", ".join(sorted(allowed))
            wrong = WrongMethod(f"{method} is not answered at {path}; {allow} is")
            return refusal(request.scope, wrong, allow=allow)
        if error.status_code == 404:
            return refusal(request.scope, NotFound(self._nothing_at(path)))
        failure = RoutingError(str(error.detail))
        failure.status = error.status_code
        return refusal(request.scope, failure)

    def _allowed(self, path: str) -> set[str]:
        """Give the methods of all routes of a path; the router itself knows those of one."""
        return {
            method
            for route in self._routes
            if route.include_in_schema and route.path_regex.match(path)
            for method in route.methods or ()
        }

    def _nothing_at(self, path: str) -> str:
        root = next((one for one in ROOTS if path == one or path.startswith(f"{one}/")), None)
        if root is None:
            return f"nothing is served at {path}; see the README for what is"
        known = sorted({one for one in self._paths if one.startswith(f"{root}/")})
        return f"nothing is served at {path}; below {root} there are {', '.join(known)}"


async def refuse(request: Request, error: Exception) -> Response:
    """Turn a RoutingError into a response of its status."""
    assert isinstance(error, RoutingError)  # noqa: S101 - registered for this class alone
    return refusal(request.scope, error)


async def refuse_fault(request: Request, error: Exception) -> Response:
    """Answer a fault of ours; the traceback is logged once, the client sees none of it."""
    facts = {"request_id": request_id_of(request.scope)}
    log.error("unexpected_error", exc_info=error, extra=facts)
    fault = RoutingError("the gateway failed to handle this request; its log has the cause")
    return refusal(request.scope, fault)


def refusal(scope: Scope, error: RoutingError, **headers: str) -> Response:
    """Give the answer to a request that is refused, in the words of its path's dialect."""
    anthropic = any(name == b"anthropic-version" for name, _ in scope["headers"])
    request_id = request_id_of(scope)
    status, lines, body = _told(scope["path"], error, request_id, anthropic=anthropic)
    more = {name.decode(): value.decode("latin-1") for name, value in headers_of(lines)}
    return Response(body, status, {**more, **headers})


def hot_refusal(exchange: Exchange, error: RoutingError) -> Wait:
    """Answer a request to a hot door that is refused, in the door's own words."""
    return exchange.whole(*_told(exchange.head.path, error, new_request_id()))


def _told(
    path: str, error: RoutingError, request_id: str, *, anthropic: bool = False
) -> tuple[int, bytes, bytes]:
    if meant(path) in OLLAMAS:
        lines = error_lines(error, "openai_chat", request_id=request_id)
        return error.status, lines, in_ollamas_words(error)
    dialect = dialect_of(path, anthropic=anthropic)
    lines = error_lines(error, dialect, request_id=request_id)
    body = codec(dialect).render_error(error, request_id=request_id)
    return status_of(error, dialect), lines, body
