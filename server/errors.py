"""Errors of the routes that speak plain JSON: /v1 lists, /api and whatever has no dialect."""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from omniroute.routing.errors import RoutingError

log = logging.getLogger("omniroute")


async def refuse(request: Request, error: Exception) -> Response:
    """Turn a RoutingError into a response of its status."""
    assert isinstance(error, RoutingError)  # noqa: S101 - registered for this class alone
    headers = {}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(round(error.retry_after_s + 0.5), 1))
    if error.status == 401:
        headers["www-authenticate"] = 'Bearer realm="omniroute"'
    return error_response(
        error.status,
        str(error),
        code=error.code,
        field=getattr(error, "field", None),
        headers=headers,
    )


async def refuse_http(request: Request, error: Exception) -> Response:
    """Turn the router's own refusals (no such path, wrong method) into JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    words = {
        404: f"nothing is served at {request.url.path}; see the README for what is",
        405: f"{request.method} is not answered at {request.url.path}",
    }
    codes = {404: "not_found", 405: "method_not_allowed"}
    return error_response(
        error.status_code,
        words.get(error.status_code, str(error.detail)),
        code=codes.get(error.status_code, "bad_request"),
        headers=dict(error.headers or {}),
    )


async def refuse_fault(request: Request, error: Exception) -> Response:
    """Answer a fault of ours; the traceback is logged once, the client sees none of it."""
    log.error("unexpected_error", exc_info=error, extra={"path": request.url.path})
    return error_response(
        500,
        "the gateway failed to handle this request; its log has the cause",
        code="internal_error",
    )


def error_response(
    status: int,
    message: str,
    *,
    code: str,
    field: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Give an error in the shape that OpenAI's clients read."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return JSONResponse(
        {"error": {"message": message, "type": kind, "param": field, "code": code}},
        status_code=status,
        headers=headers,
    )
