"""The conformance suite's resources, prompts, completion, log level and subscriptions.

Where the server has a handler of its own, what it gives comes first and the suite's beside it.
Source: as content.py.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp import MCPError
from mcp.server import Server
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ToolsListChanged,
)
from mcp.types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextResourceContents,
    UnsubscribeRequestParams,
)

from omniroute.tools.additions import AddedTool, Context

from .asking import content_of, elicitation
from .content import embedded, image, png, said, text, tool

BUS = InMemorySubscriptionBus()
"""What the suite's tools publish; the gateway's own streams carry it."""
PREFIX = "test://"
TEMPLATE = "test://template/{id}/data"
LISTS: dict[str, tuple[Any, str, list[Any]]] = {
    "resources/list": (
        ListResourcesResult,
        "resources",
        [
            Resource(uri=uri, name=uri, description="A fixture.", mime_type=kind)
            for uri, kind in (
                ("test://static-text", "text/plain"),
                ("test://static-binary", "image/png"),
                ("test://watched-resource", "text/plain"),
            )
        ],
    ),
    "resources/templates/list": (
        ListResourceTemplatesResult,
        "resource_templates",
        [ResourceTemplate(uri_template=TEMPLATE, name="template", description="A fixture.")],
    ),
    "prompts/list": (
        ListPromptsResult,
        "prompts",
        [
            Prompt(
                name=name,
                description="A fixture.",
                arguments=[PromptArgument(name=one, required=True) for one in arguments],
            )
            for name, arguments in (
                ("test_simple_prompt", ()),
                ("test_prompt_with_arguments", ("arg1", "arg2")),
                ("test_prompt_with_embedded_resource", ("resourceUri",)),
                ("test_prompt_with_image", ()),
                ("test_input_required_result_prompt", ()),
            )
        ],
    ),
}
CONTEXT = elicitation(
    "What context should the prompt use?",
    {
        "type": "object",
        "properties": {"context": {"type": "string"}},
        "required": ["context"],
    },
)

Handler = Callable[[Context, Any], Awaitable[Any]]


def finish(server: Server[Any]) -> None:
    """Register the suite's handlers, around those that are there."""
    for method, (result, field, items) in LISTS.items():
        own = _own(server, method)
        server.add_request_handler(
            method, PaginatedRequestParams, _listing(own, result, field, items)
        )
    for method, params, mine in (
        ("resources/read", ReadResourceRequestParams, _read),
        ("prompts/get", GetPromptRequestParams, _prompt),
        ("completion/complete", CompleteRequestParams, _complete),
        ("resources/subscribe", SubscribeRequestParams, _nothing),
        ("resources/unsubscribe", UnsubscribeRequestParams, _nothing),
    ):
        server.add_request_handler(method, params, _choosing(_own(server, method), mine))
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, _nothing)


def _own(server: Server[Any], method: str) -> Handler | None:
    entry = server.get_request_handler(method)
    return None if entry is None else entry.handler


def _listing(own: Handler | None, result: Any, field: str, items: list[Any]) -> Handler:
    async def run(ctx: Context, params: Any) -> Any:
        if own is None:
            return result(**{field: items})
        found = await own(ctx, params)
        # The suite's stand on the last page.
        more = [] if found.next_cursor else items
        return found.model_copy(update={field: [*getattr(found, field), *more]})

    return run


def _choosing(own: Handler | None, mine: Handler) -> Handler:
    async def run(ctx: Context, params: Any) -> Any:
        return await (mine if own is None or _is_ours(params) else own)(ctx, params)

    return run


def _is_ours(params: Any) -> bool:
    """Whether a request names something of the suite's that exists."""
    named = getattr(params, "ref", params)
    uri, name = str(getattr(named, "uri", "")), str(getattr(named, "name", ""))
    return name.startswith("test_") or (uri.startswith(PREFIX) and "nonexistent" not in uri)


async def _nothing(ctx: Context, params: Any) -> EmptyResult:
    return EmptyResult()


async def _read(ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    uri = str(params.uri)
    first, _, last = TEMPLATE.partition("{id}")
    if uri == "test://static-binary":
        blob = BlobResourceContents(uri=uri, mime_type="image/png", blob=png())
        return ReadResourceResult(contents=[blob])
    if uri in ("test://static-text", "test://watched-resource"):
        words, kind = "This is the content of the static text resource.", "text/plain"
    elif uri.startswith(first) and uri.endswith(last):
        wanted = uri.removeprefix(first).removesuffix(last)
        kind = "application/json"
        words = f'{{"id":"{wanted}","templateTest":true,"data":"Data for ID: {wanted}"}}'
    else:
        raise MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri})
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=kind, text=words)])


async def _prompt(
    ctx: Context, params: GetPromptRequestParams
) -> GetPromptResult | InputRequiredResult:
    given = params.arguments or {}
    if params.name == "test_input_required_result_prompt":
        found = content_of(params, "user_context")
        if found is None:
            return InputRequiredResult(input_requests={"user_context": CONTEXT})
        return _messages(text(f"The context is {found.get('context')}"))
    if params.name == "test_simple_prompt":
        return _messages(text("This is a simple prompt for testing."))
    if params.name == "test_prompt_with_arguments":
        first, second = given.get("arg1"), given.get("arg2")
        return _messages(text(f"Prompt with arguments: arg1='{first}', arg2='{second}'"))
    if params.name == "test_prompt_with_embedded_resource":
        words = "Embedded resource content for testing."
        resource = embedded(given.get("resourceUri", ""), "text/plain", words)
        return _messages(resource, text("Please process the embedded resource above."))
    if params.name == "test_prompt_with_image":
        return _messages(image(), text("Please analyze the image above."))
    raise MCPError(INVALID_PARAMS, f"no prompt is named {params.name!r}")


def _messages(*blocks: Any) -> GetPromptResult:
    return GetPromptResult(messages=[PromptMessage(role="user", content=one) for one in blocks])


async def _complete(ctx: Context, params: CompleteRequestParams) -> CompleteResult:
    begun = params.argument.value
    found = [word for word in ("paris", "park", "party") if word.startswith(begun)]
    return CompleteResult(completion=Completion(values=found, total=len(found), has_more=False))


async def _change_tools(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    await BUS.publish(ToolsListChanged())
    return said(text("told of other tools"))


async def _change_prompts(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    await BUS.publish(PromptsListChanged())
    return said(text("told of other prompts"))


TOOLS: tuple[AddedTool, ...] = (
    tool("test_trigger_tool_change", _change_tools),
    tool("test_trigger_prompt_change", _change_prompts),
)
