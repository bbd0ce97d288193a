"""Judges of requests: what the vendors' references demand of a body, written from them.

They know nothing of our code: a body is what a provider would get. Each gives the rules that are
broken, in words.

Sources: Anthropic, "Create a Message", "Tool use", "Extended thinking", "Mid-conversation system
messages", "Prompt caching"; Gemini, "Generating content", "Function calling", "Thought
signatures"; read 2026-11.
"""

import itertools
import re
from typing import Any

MARKERS_MAX = 4
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+\Z")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}\Z")
_GEMINI_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}\Z")
_KINDS = {
    "user": ("text", "image", "document", "tool_result", "search_result"),
    "assistant": ("text", "thinking", "redacted_thinking", "tool_use", "server_tool_use"),
    "system": ("text", "tool_addition", "tool_removal"),
}
_BOUNDS = {"minimum", "maximum", "minLength", "maxLength", "maxItems", "multipleOf", "oneOf"}
_DATA = (
    *("text", "inlineData", "fileData", "functionCall", "functionResponse"),
    *("executableCode", "codeExecutionResult", "toolCall", "toolResponse"),
)
_SHOWN = ("text", "image", "document", "search_result", "tool_reference")


def anthropic_faults(body: dict[str, Any]) -> list[str]:
    """Give what Anthropic would refuse a body for."""
    faults: list[str] = []
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
        faults.append("max_tokens is demanded")
    if not body["messages"]:
        faults.append("there must be a message")
    for number, message in enumerate(body["messages"]):
        faults += [f"messages.{number}: {fault}" for fault in _turn_faults(message)]
    faults += _order_faults(body["messages"])
    faults += _call_faults(body["messages"])
    faults += [f"system: {fault}" for block in body.get("system", ()) for fault in _text(block)]
    faults += [f"tools: {tool}" for tool in body.get("tools", ()) if not _is_tool(tool)]
    kinds = {block["type"] for message in body["messages"] for block in message["content"]}
    if kinds & {"tool_use", "tool_result"} and "tools" not in body:
        faults.append("requests which include tool_use or tool_result blocks must define tools")
    if not all(stop.strip() for stop in body.get("stop_sequences", ())):
        faults.append("each stop sequence must contain non-whitespace")
    if "tool_choice" in body and "tools" not in body:
        faults.append("tool_choice without tools")
    if _markers(body) > MARKERS_MAX:
        faults.append("more cache markers than are taken")
    answer = body.get("output_config", {}).get("format", {}).get("schema", {})
    return faults + _thinking_faults(body) + _schema_faults(answer)


def _schema_faults(schema: Any) -> list[str]:
    """Give what is wrong with the schema of an answer, which follows rules of its own."""
    if not isinstance(schema, dict):
        return []
    faults = [f"for 'object' or others {name} is not supported" for name in _BOUNDS & schema.keys()]
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        faults.append("for 'object' type, 'additionalProperties' must be explicitly set to false")
    below = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    below += [schema.get("items"), *schema.get("anyOf", ()), *schema.get("allOf", ())]
    return faults + [fault for one in below for fault in _schema_faults(one)]


def _turn_faults(message: dict[str, Any]) -> list[str]:
    faults = [] if message["content"] else ["a turn must not be empty"]
    for block in message["content"]:
        if block["type"] not in _KINDS[message["role"]]:
            faults.append(f"{block['type']} has no place in the turn of {message['role']}")
        if block["type"] == "text":
            faults += _text(block)
        if block["type"] == "thinking" and not block["signature"]:
            faults.append("a thought without signature")
        if block["type"] == "tool_result":
            faults += [one for part in block.get("content", ()) for one in _shown(part)]
    return faults


def _text(block: dict[str, Any]) -> list[str]:
    return [] if block["text"].strip() else ["text content blocks must contain non-whitespace text"]


def _shown(block: dict[str, Any]) -> list[str]:
    if block["type"] not in _SHOWN:
        return [f"{block['type']} has no place in a result"]
    return _text(block) if block["type"] == "text" else []


def _order_faults(messages: list[dict[str, Any]]) -> list[str]:
    roles = [message["role"] for message in messages]
    faults = []
    spoken = [role for role in roles if role != "system"]
    if any(first == second for first, second in itertools.pairwise(spoken)):
        faults.append("turns do not alternate")
    for place, role in enumerate(roles):
        if role != "system":
            continue
        if place == 0 or roles[place - 1] != "user":
            faults.append("role 'system' must follow a 'user' message")
        if roles[place + 1 : place + 2] not in ([], ["assistant"]):
            faults.append("role 'system' must precede an 'assistant' message or end the array")
    if roles[-1:] == ["assistant"]:
        last = messages[-1]["content"][-1]
        if last["type"] == "text" and last["text"] != last["text"].rstrip():
            faults.append("final assistant content cannot end with trailing whitespace")
    return faults


def _call_faults(messages: list[dict[str, Any]]) -> list[str]:
    faults = []
    calls: list[str] = []
    for message in messages:
        if message["role"] == "system":
            continue
        results = [one["tool_use_id"] for one in message["content"] if one["type"] == "tool_result"]
        kinds = [block["type"] for block in message["content"]]
        if results and kinds[: len(results)] != ["tool_result"] * len(results):
            faults.append("results must stand first in their turn")
        if set(results) - set(calls):
            faults.append("unexpected tool_use_id found in tool_result blocks")
        if message["role"] == "user" and set(calls) - set(results):
            faults.append("tool_use ids were found without tool_result blocks immediately after")
        if len(results) != len(set(results)):
            faults.append("each tool_use must have a single result")
        calls = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        if len(calls) != len(set(calls)):
            faults.append("tool_use ids must be unique")
        faults += [f"id {one!r}" for one in calls if not _TOOL_ID.match(one)]
    return faults


def _is_tool(tool: dict[str, Any]) -> bool:
    if tool.get("type", "custom") != "custom":
        return True
    schema = tool["input_schema"]
    return _TOOL_NAME.match(tool["name"]) is not None and schema["type"] == "object"


def _markers(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_markers, value))
    if not isinstance(value, dict):
        return 0
    return ("cache_control" in value) + sum(map(_markers, value.values()))


def _thinking_faults(body: dict[str, Any]) -> list[str]:
    thinking = body.get("thinking")
    if thinking is None or thinking["type"] == "disabled":
        return []
    faults = []
    if thinking["type"] == "enabled" and not 1024 <= thinking["budget_tokens"] < body["max_tokens"]:
        faults.append("budget_tokens must be at least 1024 and less than max_tokens")
    if body.get("temperature", 1) != 1 or "top_k" in body:
        faults.append("thinking is not compatible with temperature or top_k")
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        faults.append("thinking is not compatible with forced tool use")
    if body["messages"][-1]["role"] == "assistant":
        faults.append("thinking is not compatible with a prefilled answer")
    return faults


def gemini_faults(body: dict[str, Any]) -> list[str]:
    """Give what Gemini would refuse a body for."""
    faults = [] if body["contents"] else ["contents are demanded"]
    roles = [content["role"] for content in body["contents"]]
    if any(first == second for first, second in itertools.pairwise(roles)):
        faults.append("turns do not alternate")
    for content in (*body["contents"], body.get("systemInstruction", {"parts": [{"text": "x"}]})):
        if not content["parts"]:
            faults.append("a turn must not be empty")
        faults += [fault for part in content["parts"] for fault in _part_faults(part)]
    for tool in body.get("tools", ()):
        for function in tool.get("functionDeclarations", ()):
            if not _GEMINI_NAME.match(function["name"]):
                faults.append(f"the name {function['name']!r}")
            if "parameters" in function and "parametersJsonSchema" in function:
                faults.append("parameters and parametersJsonSchema exclude each other")
    thinking = body.get("generationConfig", {}).get("thinkingConfig", {})
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        faults.append("thinkingBudget and thinkingLevel exclude each other")
    return faults + _function_faults(body["contents"])


def _part_faults(part: dict[str, Any]) -> list[str]:
    if sum(name in part for name in _DATA) != 1:
        return [f"a part must hold exactly one of {_DATA}"]
    call = part.get("functionCall") or part.get("functionResponse") or {}
    held = call.get("args", call.get("response", {}))
    return [] if isinstance(held, dict) else ["args and response must be objects"]


def _function_faults(contents: list[dict[str, Any]]) -> list[str]:
    faults = []
    for before, after in zip(contents, [*contents[1:], {"parts": []}], strict=True):
        calls = [part for part in before["parts"] if "functionCall" in part]
        answers = [part for part in after["parts"] if "functionResponse" in part]
        if calls and after["parts"] and len(calls) != len(answers):
            faults.append("as many function responses as calls in the turn before")
    return faults
