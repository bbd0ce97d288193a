"""OpenAI Responses, as its API speaks them.

Source: OpenAI API reference, "Responses" (create, the response object) and "Streaming
events", October 2026. Every event has the next `sequence_number`; an item's events carry its
`output_index`; the last event is response.completed, .incomplete or .failed; there is no
[DONE]. Thoughts are shown as a summary where the request asks for one, else the reasoning
item is empty.
"""

from collections.abc import Iterator, Sequence

import orjson

from ...conversation import Json, Usage
from ...errors import BadRequest
from ..script import (
    Asked,
    Breakdown,
    OfferedTool,
    Picture,
    Refusal,
    Script,
    Speech,
    Step,
    Thinking,
    Thought,
    ToolChoice,
    ToolUse,
)
from .hearing import (
    Call,
    Result,
    Turn,
    canonical_text,
    check_results,
    count_of,
    decode,
    flag_of,
    joined,
    last_results,
    last_words,
    object_of,
    objects_of,
    text_of,
    texts_of,
    weigh,
)
from .openai_chat import weight
from .openai_errors import WORDS, error_body
from .voice import JSON_TYPE, STREAM_TYPE, Event, Headers, Occasion, Reply, retry_headers, sse

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ROLES = frozenset({"system", "developer", "user", "assistant"})


def read(body: bytes) -> Asked:
    asked = decode(body)
    turns = [Turn("system", str(asked.get("instructions") or "")), *_turns(asked.get("input"))]
    if asked.get("previous_response_id") is None:
        check_results(turns)
    # The vendor's own tools and free-form ones are taken and never called.
    offered = objects_of(asked, "tools")
    tools = tuple(_tool(item) for item in offered if item.get("type") == "function")
    choice, named = _choice(asked.get("tool_choice"))
    return Asked(
        model=text_of(asked, "model"),
        said=last_words(turns),
        input_bytes=weigh(turns, tools),
        results=last_results(turns),
        tools=tools,
        tool_choice=choice,
        named=named,
        parallel=flag_of(asked, "parallel_tool_calls", default=True),
        stream=flag_of(asked, "stream"),
        output_tokens_max=count_of(asked, "max_output_tokens"),
        thinking=_thinking(object_of(asked, "reasoning")),
        json_schema=_json_schema(object_of(object_of(asked, "text"), "format")),
        logprobs="message.output_text.logprobs" in texts_of(asked.get("include"), "include"),
    )


def headers(occasion: Occasion, *, stream: bool) -> Headers:
    return (
        ("content-type", STREAM_TYPE if stream else JSON_TYPE),
        ("x-request-id", occasion.name("req_")),
        ("openai-processing-ms", "1"),
    )


def answer(script: Script, occasion: Occasion) -> bytes:
    items = [
        _item(step, index, occasion, script)
        for index, step in enumerate(script.steps)
        if not isinstance(step, Breakdown)
    ]
    return orjson.dumps(_finished(script, occasion, items))


def events(script: Script, occasion: Occasion) -> Iterator[Event]:
    count = _Counter()
    begun = {"response": _response(script, occasion, "in_progress", [])}
    yield count.event("response.created", begun)
    yield count.event("response.in_progress", begun)
    items: list[Json] = []
    for index, step in enumerate(script.steps):
        if isinstance(step, Breakdown):
            yield _failed(step.refusal, script, occasion, items, count)
            return
        item = _item(step, index, occasion, script)
        started = {**item, **_EMPTY[type(step)], "status": "in_progress"}
        added = {"output_index": index, "item": started}
        shown = isinstance(step, ToolUse)
        yield count.event("response.output_item.added", added, content=shown)
        place: Json = {"item_id": item["id"], "output_index": index}
        match step:
            case Thought():
                yield from _thought_events(step, place, count)
            case Speech():
                yield from _speech_events(step, place, count, weighed=script.logprobs)
            case Picture():
                yield count.event("response.image_generation_call.completed", place)
            case ToolUse():
                yield from _call_events(step, place, count)
        yield count.event("response.output_item.done", {"output_index": index, "item": item})
        items.append(item)
    if script.terminated:
        kind = "incomplete" if script.finish in _INCOMPLETE else "completed"
        for _ in range(script.endings):
            finished = {"response": _finished(script, occasion, items)}
            yield count.event(f"response.{kind}", finished)


def refuse(refusal: Refusal, occasion: Occasion, *, stream: bool = False) -> Reply:
    return Reply(
        refusal.status,
        (*headers(occasion, stream=False), *retry_headers(refusal, occasion)),
        orjson.dumps(error_body(refusal)),
    )


class _Counter:
    """Numbers the events of one stream."""

    def __init__(self) -> None:
        self._next = 0

    def event(self, kind: str, fields: Json, *, content: bool = False) -> Event:
        payload = {"type": kind, "sequence_number": self._next, **fields}
        self._next += 1
        return Event(sse(payload, kind), content)


_EMPTY: dict[type[Step], Json] = {
    Thought: {"summary": []},
    Speech: {"content": []},
    ToolUse: {"arguments": ""},
    Picture: {"result": None},
}


def _thought_events(step: Thought, place: Json, count: _Counter) -> Iterator[Event]:
    if not step.shown or step.secret:
        return
    kind = "response.reasoning_summary"
    place = {**place, "summary_index": 0}
    empty, whole = _summary(""), _summary("".join(step.pieces))
    yield count.event(f"{kind}_part.added", {**place, "part": empty})
    for piece in step.pieces:
        yield count.event(f"{kind}_text.delta", {**place, "delta": piece}, content=True)
    yield count.event(f"{kind}_text.done", {**place, "text": whole["text"]})
    yield count.event(f"{kind}_part.done", {**place, "part": whole})


def _speech_events(step: Speech, place: Json, count: _Counter, *, weighed: bool) -> Iterator[Event]:
    place = {**place, "content_index": 0}
    empty, whole = _part(Speech((), step.refuses)), _part(step, weighed=weighed)
    kind, holds = ("refusal", "refusal") if step.refuses else ("output_text", "text")
    yield count.event("response.content_part.added", {**place, "part": empty})
    for piece in step.pieces:
        told = {**place, **_logprobs(step, (piece,), weighed=weighed), "delta": piece}
        yield count.event(f"response.{kind}.delta", told, content=True)
    said = {**_logprobs(step, step.pieces, weighed=weighed), holds: whole[holds]}
    yield count.event(f"response.{kind}.done", {**place, **said})
    yield count.event("response.content_part.done", {**place, "part": whole})


def _call_events(step: ToolUse, place: Json, count: _Counter) -> Iterator[Event]:
    kind = "response.function_call_arguments"
    for piece in step.pieces:
        yield count.event(f"{kind}.delta", {**place, "delta": piece}, content=True)
    yield count.event(f"{kind}.done", {**place, "arguments": "".join(step.pieces)})


def _failed(
    refusal: Refusal, script: Script, occasion: Occasion, items: list[Json], count: _Counter
) -> Event:
    """Give how a stream breaks: an error event before any output, response.failed after some."""
    if not items:
        code = WORDS[refusal.reason][1]
        return count.event("error", {"code": code, "message": refusal.message, "param": None})
    response = _response(script, occasion, "failed", items)
    response["error"] = {"code": "server_error", "message": refusal.message}
    return count.event("response.failed", {"response": response})


def _item(step: Step, index: int, occasion: Occasion, script: Script) -> Json:
    match step:
        case Thought():
            text = "".join(step.pieces)
            thought = {"id": occasion.name("rs_", index), "type": "reasoning"}
            if step.secret:
                return {**thought, "summary": [], "encrypted_content": text}
            return {**thought, "summary": [_summary(text)] if step.shown else []}
        case Speech():
            return {
                "id": occasion.name("msg_", index),
                "type": "message",
                "status": "incomplete" if script.finish in _INCOMPLETE else "completed",
                "role": "assistant",
                "content": [_part(step, weighed=script.logprobs)],
            }
        case Picture():
            return {
                "id": occasion.name("ig_", index),
                "type": "image_generation_call",
                "status": "completed",
                "result": "".join(step.pieces),
                "output_format": step.media_type.removeprefix("image/"),
            }
        case ToolUse():
            return {
                "id": occasion.name("fc_", index),
                "type": "function_call",
                "status": "incomplete" if script.finish in _INCOMPLETE else "completed",
                "call_id": occasion.name("call_", index),
                "name": step.name,
                "arguments": "".join(step.pieces),
            }
        case Breakdown():
            raise AssertionError("a breakdown is no item of an answer")


def _summary(text: str) -> Json:
    return {"type": "summary_text", "text": text}


def _part(step: Speech, *, weighed: bool = False) -> Json:
    text = "".join(step.pieces)
    if step.refuses:
        return {"type": "refusal", "refusal": text}
    logprobs = _logprobs(step, step.pieces, weighed=weighed)
    return {"type": "output_text", "text": text, "annotations": [], **logprobs}


def _logprobs(step: Speech, tokens: Sequence[str], *, weighed: bool) -> Json:
    """Give what the tokens weigh; a refusal has no field for it."""
    if step.refuses:
        return {}
    return {"logprobs": [weight(token) for token in tokens] if weighed else []}


def _finished(script: Script, occasion: Occasion, items: list[Json]) -> Json:
    reason = _INCOMPLETE.get(script.finish)
    response = _response(script, occasion, "incomplete" if reason else "completed", items)
    if reason:
        response["incomplete_details"] = {"reason": reason}
    else:
        response["completed_at"] = occasion.created_unix_s
    if script.usage is not None:
        response["usage"] = _usage(script.usage)
    return response


def _response(
    script: Script, occasion: Occasion, status: str, items: list[Json]
) -> dict[str, object]:
    return {
        "id": occasion.name("resp_"),
        "object": "response",
        "created_at": occasion.created_unix_s,
        "status": status,
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": script.model,
        "output": list(items),
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
    }


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _turns(given: object) -> list[Turn]:
    if isinstance(given, str) and given:
        return [Turn("user", given)]
    return [_turn(item) for item in objects_of({"input": given}, "input", required=True)]


def _turn(item: Json) -> Turn:
    match item.get("type", "message"):
        case "message":
            role = item.get("role")
            if role not in _ROLES:
                raise BadRequest(f"no role is named {role!r}", field="input")
            text, images = _content(item.get("content"))
            return Turn(str(role), text, images=images)
        case "function_call":
            arguments = canonical_text(str(item.get("arguments") or ""))
            call = Call(text_of(item, "call_id"), text_of(item, "name"), arguments)
            return Turn("assistant", calls=(call,))
        case "function_call_output":
            text, _ = _content(item.get("output"))
            return Turn("tool", results=(Result(text_of(item, "call_id"), text),))
        case str():
            # Thoughts, references and the vendor's own tools: nothing of them is answered.
            return Turn("assistant")
        case kind:
            raise BadRequest(f"`type` of an input item is a text, not {kind!r}", field="input")


def _content(content: object) -> tuple[str, int]:
    """Give the text of an item and how many images it has."""
    if content is None or isinstance(content, str):
        return content or "", 0
    parts = objects_of({"content": content}, "content")
    texts = [str(part.get("text", "")) for part in parts if "text" in part]
    return joined(texts), sum(part.get("type") == "input_image" for part in parts)


def _tool(item: Json) -> OfferedTool:
    return OfferedTool(text_of(item, "name"), object_of(item, "parameters"))


def _choice(choice: object) -> tuple[ToolChoice, str | None]:
    match choice:
        case None | "auto":
            return "auto", None
        case "none":
            return "none", None
        case "required":
            return "required", None
        case {"type": "function", "name": str(name)}:
            return "required", name
        case _:
            raise BadRequest(
                "`tool_choice` is none, auto, required or a named function", field="tool_choice"
            )


def _thinking(wanted: Json) -> Thinking:
    if wanted.get("effort") == "none":
        return "none"
    return "shown" if wanted.get("summary") else "hidden"


def _json_schema(wanted: Json) -> Json | None:
    match wanted.get("type"):
        case "json_object":
            return {"type": "object", "required": ["simulated"]}
        case "json_schema":
            return object_of(wanted, "schema")
        case _:
            return None
