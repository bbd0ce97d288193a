"""The management API for callers in this process: the same rows, without bytes between.

The dashboard shows and changes everything through here, so that whatever a person can do in a
page a script can do at /api, with the same right, checks, optimistic concurrency and audit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

import msgspec
from starlette.routing import compile_path
from starlette.types import Scope

from omniroute.routing.access import require
from omniroute.routing.errors import NotFound
from omniroute.routing.model import Caller

from .editing import Edited
from .pages import next_cursor
from .rows import Row, performed, with_body

_NOTHING: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class Called:
    """What a call gave.

    Attributes:
        value: of the row's handler: a value of its answer's type, Lines, or a whole Response.
        tag: the ETag of what is shown or was edited; None where the route has none.
        cursor: of the next page of a list, None at its end.
    """

    value: Any
    tag: str | None = None
    cursor: str | None = None


class Calls:
    """Calls routes of the management API.

    Args:
        rows: its routes.
        edited: what edits are made to.
    """

    def __init__(self, rows: Sequence[Row], edited: Edited) -> None:
        self._edited = edited
        self._rows = tuple((*compile_path(row.path), row) for row in rows)

    async def call(
        self,
        asked: tuple[str, str],
        caller: Caller,
        *,
        query: Mapping[str, object] = _NOTHING,
        body: object = None,
        tag: str | None = None,
    ) -> Called:
        """Call one route.

        Args:
            asked: method and path, its parts percent-encoded (see `path_to`).
            caller: who asks.
            query: parameters; None among them are left out.
            body: a value for the request's JSON body; None sends none.
            tag: an ETag: the edit is made only if the thing is still what has it.

        Raises:
            NotFound: there is no such route, or what the row says is not there.
            NotAllowed: the caller lacks the row's scope.
            RoutingError: whatever else the row raises.
        """
        method, path = asked
        row, params = self._found(method, path)
        require(caller, row.scope)
        told = {name: _text(value) for name, value in query.items() if value is not None}
        headers = [] if tag is None else [(b"if-match", tag.encode())]
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "path_params": params,
            "query_string": urlencode(told).encode(),
            "headers": headers,
        }
        request = with_body(scope, b"" if body is None else msgspec.json.encode(body))
        value = await performed(row, request, caller, self._edited)
        shown = None if row.thing is None or value is None else row.thing.tag(value)
        return Called(value, shown, next_cursor(request))

    def _found(self, method: str, path: str) -> tuple[Row, dict[str, Any]]:
        for pattern, _, convertors, row in self._rows:
            match = pattern.match(path) if row.method == method else None
            if match is not None:
                found = match.groupdict().items()
                return row, {name: convertors[name].convert(unquote(one)) for name, one in found}
        raise NotFound(f"{method} {path} is no route of the management API")


def path_to(template: str, *names: str) -> str:
    """Give a path whose `{}` are names that may hold any character."""
    return template.format(*(quote(name, safe="") for name in names))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
