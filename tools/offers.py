"""Resources, prompts and completion, bound to the MCP SDK: what is offered beside the tools.

Everything is listed, completed and read by the scope of its row. What a caller can mend is a
JSON-RPC error in words: -32602 for arguments, cursors and names, -32003 for a missing scope. A
resource that does not exist is -32602 in the newer protocol era and -32002 in the older one,
with the address in its data (2026-07-28, "Resources", error handling; 2025-11-25, the same).
"""

from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from mcp import MCPError
from mcp.server import Server
from mcp.server.caching import CacheHint
from mcp.shared.uri_template import UriTemplate
from mcp.types import (
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    PromptReference,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BadRequest, NotFound, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, Combo

from .additions import Context
from .calls import demand, may
from .completions import offered
from .invocation import Invocation
from .pages import page
from .prompts import PROMPTS, PromptRow, checked_arguments
from .resources import JSON, RESOURCES, ResourceRow, Variables

COMPLETIONS_MAX = 100
"""Values of one completion. Source: 2025-11-25 and 2026-07-28, "Completion"."""
URI_CHARS_MAX = 2048
NO_RESOURCE = -32002
"""The older era's code of a resource that does not exist."""
REFUSED = -32000
"""What else the gateway refuses, such as while its storage is away."""
COMBO = "omniroute://combos/{combo}"
LIST_HINT = CacheHint(ttl_ms=30_000, scope="private")
"""How long a client may keep a list. It is private: it depends on the key."""

Row = TypeVar("Row")
WhoCalls = Callable[[Context], Caller]
Answer = Callable[[Context, Any, Caller], Awaitable[BaseModel]]


class Offers:
    """Lists, reads and completes what is offered.

    Args:
        gateway: is asked with the caller's own rights.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._rows = [(UriTemplate.parse(row.uri), row) for row in RESOURCES]
        self._fixed = [row for template, row in self._rows if not template.variables]
        self._templates = [row for template, row in self._rows if template.variables]
        self._combo = next(one for one, row in self._rows if row.uri == COMBO)
        self._prompts = {row.name: row for row in PROMPTS}

    def found(self, uri: str) -> tuple[ResourceRow, Variables] | None:
        """Give the row of an address with the values in it; None when there is none."""
        if len(uri) > URI_CHARS_MAX:
            return None
        for template, row in self._rows:
            values = template.match(uri)
            if values is not None and all(values.values()):
                return row, {name: str(value) for name, value in values.items()}
        return None

    def scope(self, method: object, params: Mapping[str, Any]) -> str | None:
        """Give the scope that a message needs; None when it needs none, or names nothing of ours.

        Args:
            method: the JSON-RPC method.
            params: as they came: nothing of them was checked.
        """
        reference = params.get("ref")
        named = reference if isinstance(reference, dict) else params
        uri, name = named.get("uri"), named.get("name")
        if method in {"resources/read", "resources/subscribe"} and isinstance(uri, str):
            found = self.found(uri)
            return None if found is None else found[0].scope
        if method == "prompts/get" and isinstance(name, str):
            prompt = self._prompts.get(name)
            return None if prompt is None else prompt.scope
        if method == "completion/complete":
            row = self._referred(uri, name)
            return None if row is None else row.scope
        return None

    def add_to(self, server: Server[Any], who_calls: WhoCalls) -> None:
        """Register what answers each method."""

        def add(method: str, params: type[BaseModel], answer: Answer) -> None:
            async def asked(ctx: Context, given: Any) -> BaseModel:
                return await answer(ctx, given, who_calls(ctx))

            server.add_request_handler(method, params, asked)

        add("resources/list", PaginatedRequestParams, self.list_resources)
        add("resources/templates/list", PaginatedRequestParams, self.list_templates)
        add("resources/read", ReadResourceRequestParams, self.read)
        add("prompts/list", PaginatedRequestParams, self.list_prompts)
        add("prompts/get", GetPromptRequestParams, self.get_prompt)
        add("completion/complete", CompleteRequestParams, self.complete)

    async def list_resources(
        self, ctx: Context, params: PaginatedRequestParams, caller: Caller
    ) -> ListResourcesResult:
        """Give what can be read without filling in anything: our lists, and each combo."""
        rows = [_resource(row) for row in self._fixed if may(caller, row.scope)]
        if may(caller, "read:combos"):
            rows += map(self._combo_resource, self._gateway.view.configs.current().combos)
        shown, cursor = paged(rows, params, lambda one: one.uri)
        return ListResourcesResult(resources=shown, next_cursor=cursor)

    async def list_templates(
        self, ctx: Context, params: PaginatedRequestParams, caller: Caller
    ) -> ListResourceTemplatesResult:
        """Give the kinds of addresses that are filled in."""
        rows = [_template(row) for row in self._templates if may(caller, row.scope)]
        shown, cursor = paged(rows, params, lambda one: one.uri_template)
        return ListResourceTemplatesResult(resource_templates=shown, next_cursor=cursor)

    async def read(
        self, ctx: Context, params: ReadResourceRequestParams, caller: Caller
    ) -> ReadResourceResult:
        """Give the text at an address.

        Raises:
            MCPError: nothing is there, or the caller lacks its scope.
        """
        uri = params.uri
        row, values = self.readable(ctx, uri, caller)
        with _in_words(uri=uri, missing=_missing_code(ctx)):
            text = await row.read(self._invocation(caller), values)
        contents = TextResourceContents(uri=uri, mime_type=row.mime_type, text=text)
        return ReadResourceResult(contents=[contents], ttl_ms=row.ttl_ms, cache_scope="private")

    def readable(self, ctx: Context, uri: str, caller: Caller) -> tuple[ResourceRow, Variables]:
        """Give the row of an address that the caller may read, with the values in it.

        Raises:
            MCPError: nothing is there, or the caller lacks its scope.
        """
        found = self.found(uri)
        if found is None:
            words = (
                f"no resource is at {uri[:80]!r}; resources/list and resources/templates/list "
                "tell what there is"
            )
            raise MCPError(_missing_code(ctx), words, {"uri": uri[:URI_CHARS_MAX]})
        demand(caller, found[0].scope)
        return found

    async def list_prompts(
        self, ctx: Context, params: PaginatedRequestParams, caller: Caller
    ) -> ListPromptsResult:
        """Give the prompts whose facts the caller may see."""
        rows = [_prompt(row) for row in PROMPTS if may(caller, row.scope)]
        shown, cursor = paged(rows, params, lambda one: one.name)
        return ListPromptsResult(prompts=shown, next_cursor=cursor)

    async def get_prompt(
        self, ctx: Context, params: GetPromptRequestParams, caller: Caller
    ) -> GetPromptResult:
        """Give a prompt with its facts.

        Raises:
            MCPError: no prompt has that name, the caller lacks its scope, an argument is wrong.
        """
        row = self._prompts.get(params.name)
        if row is None:
            known = ", ".join(self._prompts)
            words = f"no prompt is named {params.name[:80]!r}; known are {known}"
            raise MCPError(INVALID_PARAMS, words)
        demand(caller, row.scope)
        with _in_words():
            given = checked_arguments(row, params.arguments or {})
            text = await row.write(self._invocation(caller), given)
        message = PromptMessage(role="user", content=TextContent(type="text", text=text))
        return GetPromptResult(description=row.description, messages=[message])

    async def complete(
        self, ctx: Context, params: CompleteRequestParams, caller: Caller
    ) -> CompleteResult:
        """Give what an argument may be filled with.

        Raises:
            MCPError: no such template or prompt, no such argument, or the caller lacks its scope.
        """
        row = self._referred(getattr(params.ref, "uri", None), getattr(params.ref, "name", None))
        if row is None:
            kind = "prompt" if isinstance(params.ref, PromptReference) else "resource template"
            raise MCPError(INVALID_PARAMS, f"there is no such {kind}")
        demand(caller, row.scope)
        name = params.argument.name
        known = self._fillable(row)
        if name not in known:
            listed = ", ".join(known) or "none"
            words = f"it has no argument {name[:80]!r}; known are {listed}"
            raise MCPError(INVALID_PARAMS, words)
        with _in_words():
            values = await offered(self._gateway, caller, name, params.argument.value)
        return CompleteResult(
            completion=Completion(
                values=values[:COMPLETIONS_MAX],
                total=len(values),
                has_more=len(values) > COMPLETIONS_MAX,
            )
        )

    def _referred(self, uri: object, name: object) -> ResourceRow | PromptRow | None:
        """Give what a completion is for: a template by its address, a prompt by its name."""
        if isinstance(uri, str):
            return next((row for row in RESOURCES if row.uri == uri), None)
        return self._prompts.get(name) if isinstance(name, str) else None

    def _fillable(self, row: ResourceRow | PromptRow) -> Iterable[str]:
        if isinstance(row, PromptRow):
            return [one.name for one in row.arguments]
        return next(one.variable_names for one, other in self._rows if other is row)

    def _combo_resource(self, combo: Combo) -> Resource:
        models = ", ".join(one.target for one in combo.models)
        return Resource(
            uri=self._combo.expand({"combo": combo.name}),
            name=f"combo/{combo.name}",
            title=f"Combo {combo.name}",
            description=combo.description or f"{combo.strategy}: {models}"[:300],
            mime_type=JSON,
        )

    def _invocation(self, caller: Caller) -> Invocation:
        return Invocation(self._gateway, caller, new_request_id(), _nobody)


def paged(
    rows: Sequence[Row], params: PaginatedRequestParams | None, name: Callable[[Row], str]
) -> tuple[list[Row], str | None]:
    """Give the page that was asked for, and the cursor of the next one.

    Raises:
        MCPError: the cursor is none of this list's.
    """
    with _in_words():
        return page(rows, None if params is None else params.cursor, name)


async def _nobody(progress: float, words: str) -> None:
    """Tell nobody: what is read here is there at once."""


def _missing_code(ctx: Context) -> int:
    return INVALID_PARAMS if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS else NO_RESOURCE


@contextmanager
def _in_words(uri: str | None = None, missing: int = INVALID_PARAMS) -> Generator[None]:
    """Give what the gateway refuses as an error of the protocol."""
    try:
        yield
    except RoutingError as error:
        data: dict[str, Any] = {"code": error.code}
        if uri is not None:
            data["uri"] = uri
        field = getattr(error, "field", None)
        if field is not None:
            data["field"] = field
        code = REFUSED
        if isinstance(error, NotFound):
            code = missing
        elif isinstance(error, BadRequest):
            code = INVALID_PARAMS
        raise MCPError(code, str(error), data) from None


def _resource(row: ResourceRow) -> Resource:
    return Resource(
        uri=row.uri,
        name=row.name,
        title=row.title,
        description=row.description,
        mime_type=row.mime_type,
    )


def _template(row: ResourceRow) -> ResourceTemplate:
    return ResourceTemplate(
        uri_template=row.uri,
        name=row.name,
        title=row.title,
        description=row.description,
        mime_type=row.mime_type,
    )


def _prompt(row: PromptRow) -> Prompt:
    return Prompt(
        name=row.name,
        title=row.title,
        description=row.description,
        arguments=[
            PromptArgument(name=one.name, description=one.description, required=one.required)
            for one in row.arguments
        ],
    )
