"""A Chat into an OpenAI Responses request.

What differs from other dialects and how it is met:
- Nothing is stored at the provider: `store` is false unless a client of OpenAI's dialects said
  otherwise.
- Instructions keep their places among the turns: all of them, each with its role.
- Thoughts go back only as what this provider encrypted itself. A model that thinks is asked for
  that, so that it can go on thinking in the next turn, and for a summary where thoughts are to be
  shown.
- Tools are strict only where the client said so: the API's default is strict, which most schemas
  do not bear.
- Models that think refuse the parameters of sampling: they are left out and named.
- There is no place for `stop`, `seed`, penalties, names of speakers, and for whether a tool's
  result is an error: they are left out and named. A sound is refused.

Source: OpenAI API reference, "Create a model response", read 2026-11.
"""

from collections.abc import Mapping

from ...conversation import Chat, Tool, ToolChoice
from ..codec import Rendered
from ..dropped import Dropped
from ..fields import encode, present
from ..openai_hints import carried, note_sampling, reasoning_effort, user_name
from ..openai_models import is_openai, reasons, takes_sampling
from ..parts import own, refuse_foreign
from ..plain import without_offers
from ..turns import regrouped
from .input import input_items
from .parse import LOGPROBS
from .tools import DIALECT, NAMESPACE

# The name of a schema is demanded here and unknown to other dialects.
SCHEMA_NAME = "answer"

_ENCRYPTED = "reasoning.encrypted_content"
_TEXT_FIELDS = ("verbosity",)


def render_request(chat: Chat, *, model: str) -> Rendered:
    """Give the body for a provider of this dialect.

    Raises:
        BadRequest: the chat holds what this dialect cannot say; names it.
    """
    refuse_foreign(chat, DIALECT)
    dropped = Dropped()
    rest = {**carried(chat, DIALECT, model, dropped), **own(chat.rest, DIALECT)}
    tools = without_offers(chat, DIALECT, dropped)
    body: dict[str, object] = {"model": model}
    body["input"] = input_items(regrouped(chat.messages), tools, dropped)
    if tools:
        body["tools"] = _tools(tools)
        for tool in tools:
            dropped.note_tool(tool.rest, DIALECT, told=("strict",))
        if chat.tool_choice is not None:
            body.update(_tool_choice(chat.tool_choice, tools))
    reasoning = _reasoning(chat, rest, model, dropped)
    body |= present(
        max_output_tokens=chat.output_tokens_max,
        user=user_name(chat.user),
        **_sampling(chat, dropped, taken=takes_sampling(model, reasoning.get("effort"))),
    )
    if text := _text(chat, rest):
        body["text"] = text
    if reasoning:
        body["reasoning"] = reasoning
    if included := _included(chat, rest, model):
        body["include"] = included
    if chat.logprobs:
        body["top_logprobs"] = chat.logprobs
    if chat.stream:
        body["stream"] = True
    return Rendered(encode({"store": False, **rest, **body}), dropped.names)


def _sampling(chat: Chat, dropped: Dropped, *, taken: bool) -> dict[str, float | None]:
    dropped.note_if("stop", chat.stop or None)
    for name in ("seed", "top_k", "frequency_penalty", "presence_penalty"):
        dropped.note_if(name, getattr(chat, name))
    if not taken:
        note_sampling(chat, dropped)
        return {}
    return {"temperature": chat.temperature, "top_p": chat.top_p}


def _text(chat: Chat, rest: dict[str, object]) -> dict[str, object]:
    text = dict(_object(rest, "text"))
    for name in _TEXT_FIELDS:
        if name in rest:
            text[name] = rest.pop(name)
    if chat.json_schema is not None:
        text["format"] = _format(chat.json_schema)
    return text


def _reasoning(
    chat: Chat, rest: Mapping[str, object], model: str, dropped: Dropped
) -> dict[str, object]:
    reasoning = dict(_object(rest, "reasoning"))
    taken = reasons(model) or not is_openai(model)
    effort = reasoning_effort(chat, model, dropped, taken=taken)
    if effort is not None:
        reasoning["effort"] = effort
    if chat.reasoning_shown and "summary" not in reasoning:
        if reasons(model):
            reasoning["summary"] = "auto"
        else:
            dropped.note("reasoning_shown")
    return reasoning


def _included(chat: Chat, rest: Mapping[str, object], model: str) -> list[object]:
    own_ones = rest.get("include")
    included: list[object] = list(own_ones) if isinstance(own_ones, list) else []
    # Clients of this dialect say themselves whether they want to carry thoughts.
    if reasons(model) and DIALECT not in chat.rest and _ENCRYPTED not in included:
        included.append(_ENCRYPTED)
    if chat.logprobs is not None:
        included.append(LOGPROBS)
    return included


def _tools(tools: tuple[Tool, ...]) -> list[dict[str, object]]:
    """Give the tools, those of one namespace together in the place of the first."""
    rendered: list[dict[str, object]] = []
    namespaces: dict[str, list[dict[str, object]]] = {}
    for tool in tools:
        if tool.namespace is None:
            rendered.append(_tool(tool))
            continue
        if tool.namespace not in namespaces:
            namespaces[tool.namespace] = []
            about = _object(own(tool.rest, DIALECT), NAMESPACE)
            rendered.append(
                {
                    "type": "namespace",
                    "name": tool.namespace,
                    "description": about.get("description", ""),
                    "tools": namespaces[tool.namespace],
                }
            )
        namespaces[tool.namespace].append(_tool(tool))
    return rendered


def _tool(tool: Tool) -> dict[str, object]:
    rest = own(tool.rest, DIALECT)
    if "type" in rest:
        return dict(rest)
    rest = {name: value for name, value in rest.items() if name != NAMESPACE}
    rendered: dict[str, object] = {"type": tool.kind, "name": tool.name}
    if tool.kind == "custom":
        if tool.description:
            rendered["description"] = tool.description
        if tool.grammar is not None:
            rendered["format"] = {"type": "grammar", **tool.grammar}
        return {**rendered, **rest}
    return {
        **rendered,
        "description": tool.description,
        "parameters": tool.parameters or {"type": "object", "properties": {}},
        "strict": _object(own(tool.rest, "openai_chat"), "function").get("strict", False),
        **rest,
    }


def _tool_choice(choice: ToolChoice, tools: tuple[Tool, ...]) -> dict[str, object]:
    chosen: object = choice.mode
    if choice.mode == "named":
        chosen = _named(choice.name or "", tools)
    rendered = {"tool_choice": chosen}
    if choice.parallel is not None:
        rendered["parallel_tool_calls"] = choice.parallel
    return rendered


def _named(name: str, tools: tuple[Tool, ...]) -> dict[str, object]:
    tool = next((one for one in tools if one.name == name), Tool(name))
    kind = own(tool.rest, DIALECT).get("type")
    return {"type": tool.kind, "name": name} if kind is None else {"type": kind}


def _format(json_schema: Mapping[str, object]) -> dict[str, object]:
    if not json_schema:
        return {"type": "json_object"}
    return {"name": SCHEMA_NAME, **json_schema, "type": "json_schema"}


def _object(rest: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = rest.get(name)
    return value if isinstance(value, Mapping) else {}
