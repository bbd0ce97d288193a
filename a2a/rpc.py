"""The JSON-RPC 2.0 envelope: bytes to a call, an answer to bytes.

Source: JSON-RPC 2.0 specification, sections 4 to 6. A2A has no notifications from a client
and no batches (each of its calls answers, and a stream could not be part of a batch).
"""

from dataclasses import dataclass

import orjson

from .faults import Fault
from .task import Json

METHOD_CHARS_MAX = 128

RequestId = str | int | None


@dataclass(frozen=True, slots=True)
class RpcCall:
    """One request."""

    request_id: RequestId
    method: str
    params: Json


def read_json(body: bytes) -> object:
    """Give the value of a body.

    Raises:
        Fault: it is not JSON: broken, not UTF-8, NaN, or nested deeper than the parser goes.
    """
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Fault("parse", f"the body is not JSON: {error.msg}") from None
    return value


def read_id(value: object) -> RequestId:
    """Give the request's id for the answer, null when there is none that can be given back."""
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def read_call(value: object) -> RpcCall:
    """Give the call of a request object.

    Raises:
        Fault: it is no request object of JSON-RPC 2.0.
    """
    if isinstance(value, list):
        raise Fault("invalid_request", "batches are not supported; send one request at a time")
    if not isinstance(value, dict):
        raise Fault("invalid_request", "a request must be a JSON object")
    if value.get("jsonrpc") != "2.0":
        raise Fault("invalid_request", 'jsonrpc must be "2.0"', field="jsonrpc")
    _check_id(value)
    method = value.get("method")
    if not isinstance(method, str) or not 0 < len(method) <= METHOD_CHARS_MAX:
        raise Fault("invalid_request", "method must be a string that names one", field="method")
    params = value.get("params")
    if params is None:
        params = {}
    if isinstance(params, list):
        raise Fault("invalid_params", "params must be an object, by name", field="params")
    if not isinstance(params, dict):
        raise Fault("invalid_request", "params must be an object", field="params")
    return RpcCall(read_id(value), method, params)


def answer(request_id: RequestId, result: object) -> bytes:
    """Give the bytes of a result."""
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "result": result})


def refusal(request_id: RequestId, error: Json) -> bytes:
    """Give the bytes of an error."""
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": error})


def _check_id(value: Json) -> None:
    if "id" not in value:
        raise Fault("invalid_request", "id is required: every call here is answered", field="id")
    found = value["id"]
    if found is not None and (isinstance(found, bool) or not isinstance(found, str | int)):
        raise Fault("invalid_request", "id must be a string, a whole number or null", field="id")
