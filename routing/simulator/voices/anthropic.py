"""Anthropic Messages, as its API speaks them.

Source: Anthropic API documentation, "Messages", "Streaming messages", "Extended thinking",
"Count tokens" and "Errors", October 2026. `input_tokens` leaves out cached ones; thoughts
are part of `output_tokens`. The signature of a simulated thought says what it is and proves
nothing.
"""

from collections.abc import Iterator

import orjson

from ...conversation import Finish, Json, Usage
from ...errors import BadRequest
from ..script import (
    Asked,
    Breakdown,
    OfferedTool,
    Picture,
    Reason,
    Refusal,
    Script,
    Speech,
    Thought,
    ToolChoice,
    ToolUse,
)
from .hearing import (
    Call,
    Result,
    Turn,
    canonical,
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
from .voice import JSON_TYPE, STREAM_TYPE, Event, Headers, Occasion, Reply, retry_headers, sse

SIGNATURE = "c2ltdWxhdGVk"  # the word "simulated", in base64
_STOP_REASONS: dict[Finish, str] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_ERRORS: dict[Reason, str] = {
    "bad_request": "invalid_request_error",
    "bad_key": "authentication_error",
    "forbidden": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "context": "invalid_request_error",
    "policy": "invalid_request_error",
    "rate": "rate_limit_error",
    "quota": "billing_error",
    "spend": "rate_limit_error",
    "server": "api_error",
    "overloaded": "overloaded_error",
}
_STATUSES: dict[Reason, int] = {"quota": 402}


def read(body: bytes) -> Asked:
    asked = decode(body)
    limit = count_of(asked, "max_tokens")
    if limit is None:
        raise BadRequest("max_tokens: Field required", field="max_tokens")
    return _asked(asked, limit)


def read_count(body: bytes) -> Asked:
    """Give what a request to count tokens asks; it has no `max_tokens`.

    Raises:
        BadRequest: as for `read`.
    """
    return _asked(decode(body), None)


def headers(occasion: Occasion, *, stream: bool) -> Headers:
    return (
        ("content-type", STREAM_TYPE if stream else JSON_TYPE),
        ("request-id", occasion.name("req_")),
    )


def answer(script: Script, occasion: Occasion) -> bytes:
    blocks: list[Json] = []
    number = 0
    for step in script.steps:
        match step:
            case Picture():
                continue  # its answers have none
            case Thought(secret=True):
                blocks.append(_secret(step))
            case Thought():
                if step.shown:
                    thinking = "".join(step.pieces)
                    blocks.append(
                        {"type": "thinking", "thinking": thinking, "signature": SIGNATURE}
                    )
            case Speech():
                blocks.append({"type": "text", "text": "".join(step.pieces)})
            case ToolUse():
                blocks.append(_call_block(step, number, occasion, _object(step.pieces)))
                number += 1
            case Breakdown():
                break
    whole = _message(script, occasion)
    whole |= {"content": blocks, "stop_reason": _stop_reason(script)}
    whole["stop_sequence"] = script.stop_sequence
    if script.usage is not None:
        whole["usage"] = _usage(script.usage, script.usage.output_tokens)
    return orjson.dumps(whole)


def events(script: Script, occasion: Occasion) -> Iterator[Event]:
    message = _message(script, occasion)
    if script.usage is not None:
        message["usage"] = _usage(script.usage, 1)
    yield _event("message_start", message=message)
    index = number = 0
    for step in script.steps:
        if isinstance(step, Breakdown):
            yield Event(sse(_error_body(step.refusal, occasion), "error"))
            return
        if isinstance(step, ToolUse):
            yield from _call_events(step, index, _call_block(step, number, occasion, {}))
            number += 1
        elif isinstance(step, Picture) or (isinstance(step, Thought) and not step.shown):
            continue  # answers have no images
        elif isinstance(step, Thought):
            yield from _thought_events(step, index)
        else:
            yield from _speech_events(step, index)
        index += 1
    for _ in range(script.endings):
        yield _message_delta(script)
    if script.terminated:
        yield _event("message_stop")


def refuse(refusal: Refusal, occasion: Occasion, *, stream: bool = False) -> Reply:
    return Reply(
        _STATUSES.get(refusal.reason, refusal.status),
        (*headers(occasion, stream=False), *retry_headers(refusal, occasion)),
        orjson.dumps(_error_body(refusal, occasion)),
    )


def _message(script: Script, occasion: Occasion) -> dict[str, object]:
    return {
        "id": occasion.name("msg_"),
        "type": "message",
        "role": "assistant",
        "model": script.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _event(kind: str, *, content: bool = False, **fields: object) -> Event:
    return Event(sse({"type": kind, **fields}, kind), content)


def _message_delta(script: Script) -> Event:
    delta = {
        "stop_reason": _stop_reason(script),
        "stop_sequence": script.stop_sequence,
    }
    if script.usage is None:
        return _event("message_delta", delta=delta)
    usage = _usage(script.usage, script.usage.output_tokens)
    return _event("message_delta", delta=delta, usage=usage)


def _stop_reason(script: Script) -> str:
    refuses = any(isinstance(step, Speech) and step.refuses for step in script.steps)
    return "refusal" if refuses else _STOP_REASONS[script.finish]


def _secret(step: Thought) -> Json:
    return {"type": "redacted_thinking", "data": "".join(step.pieces)}


def _block_start(index: int, block: Json, *, content: bool = False) -> Event:
    return _event("content_block_start", index=index, content_block=block, content=content)


def _delta(index: int, kind: str, name: str, piece: str, *, content: bool = True) -> Event:
    delta = {"type": kind, name: piece}
    return _event("content_block_delta", index=index, delta=delta, content=content)


def _thought_events(step: Thought, index: int) -> Iterator[Event]:
    if step.secret:
        yield _block_start(index, _secret(step))
        yield _event("content_block_stop", index=index)
        return
    yield _block_start(index, {"type": "thinking", "thinking": "", "signature": ""})
    for piece in step.pieces:
        yield _delta(index, "thinking_delta", "thinking", piece)
    yield _delta(index, "signature_delta", "signature", SIGNATURE, content=False)
    yield _event("content_block_stop", index=index)


def _speech_events(step: Speech, index: int) -> Iterator[Event]:
    yield _block_start(index, {"type": "text", "text": ""})
    yield _event("ping")
    for piece in step.pieces:
        yield _delta(index, "text_delta", "text", piece)
    yield _event("content_block_stop", index=index)


def _call_events(step: ToolUse, index: int, block: Json) -> Iterator[Event]:
    yield _block_start(index, block, content=True)
    yield _delta(index, "input_json_delta", "partial_json", "", content=False)
    for piece in step.pieces:
        yield _delta(index, "input_json_delta", "partial_json", piece)
    yield _event("content_block_stop", index=index)


def _call_block(step: ToolUse, number: int, occasion: Occasion, value: Json) -> Json:
    call_id = occasion.name("toolu_", number)
    return {"type": "tool_use", "id": call_id, "name": step.name, "input": value}


def _object(pieces: tuple[str, ...]) -> Json:
    """Give the arguments as an object; text that is none, as a cut call has, gives an empty one."""
    try:
        value = orjson.loads("".join(pieces))
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _usage(usage: Usage, output_tokens: int) -> Json:
    written, for_an_hour = usage.cache_write_tokens, usage.cache_write_1h_tokens
    told = {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": output_tokens,
    }
    if not written:
        return told
    kept = {
        "ephemeral_5m_input_tokens": written - for_an_hour,
        "ephemeral_1h_input_tokens": for_an_hour,
    }
    return {**told, "cache_creation": kept}


def _error_body(refusal: Refusal, occasion: Occasion) -> Json:
    error: dict[str, object] = {"type": _ERRORS[refusal.reason], "message": refusal.message}
    if refusal.reason == "spend":
        error["details"] = {"error_code": "enforced_spend_limit_reached"}
    if refusal.field == "thread":
        error["details"] = {"error_code": "thread_unsupported_request", "unsupported": []}
    return {"type": "error", "error": error, "request_id": occasion.name("req_")}


def _asked(asked: Json, limit: int | None) -> Asked:
    if asked.get("thread") is not None:
        raise BadRequest("thread: no conversation is held here; send all of it", field="thread")
    turns = [Turn("system", _text(asked.get("system")))]
    turns += [_turn(message) for message in objects_of(asked, "messages", required=True)]
    check_results(turns)
    # The vendor's own tools have another type; they are taken and never called.
    tools = tuple(
        OfferedTool(text_of(item, "name"), object_of(item, "input_schema"))
        for item in objects_of(asked, "tools")
        if item.get("type") in (None, "custom")
    )
    wanted = object_of(asked, "tool_choice")
    choice, named = _choice(wanted)
    thinking = object_of(asked, "thinking").get("type") in ("enabled", "adaptive")
    return Asked(
        model=text_of(asked, "model"),
        said=last_words(turns),
        input_bytes=weigh(turns, tools),
        results=last_results(turns),
        tools=tools,
        tool_choice=choice,
        named=named,
        parallel=not flag_of(wanted, "disable_parallel_tool_use"),
        stream=flag_of(asked, "stream"),
        output_tokens_max=limit,
        stop=texts_of(asked.get("stop_sequences"), "stop_sequences"),
        thinking="shown" if thinking else "none",
        json_schema=_json_schema(asked),
    )


def _turn(message: Json) -> Turn:
    role = message.get("role")
    # Newer models take a system message between turns (Claude Code sends its reminders so).
    if role not in ("user", "assistant", "system"):
        raise BadRequest(f"messages: no role is named {role!r}", field="messages")
    content = message.get("content")
    if isinstance(content, str):
        return Turn(role, content)
    blocks = objects_of(message, "content", required=True)
    return Turn(
        role,
        joined(str(one.get("text", "")) for one in blocks if one.get("type") == "text"),
        calls=tuple(
            Call(text_of(one, "id"), text_of(one, "name"), canonical(object_of(one, "input")))
            for one in blocks
            if one.get("type") == "tool_use"
        ),
        results=tuple(
            Result(text_of(one, "tool_use_id"), _text(one.get("content")))
            for one in blocks
            if one.get("type") == "tool_result"
        ),
        images=sum(one.get("type") == "image" for one in blocks),
    )


def _text(content: object) -> str:
    """Give the text of a system prompt or tool result: a text or a list of text blocks."""
    if content is None or isinstance(content, str):
        return content or ""
    return joined(str(one.get("text", "")) for one in objects_of({"content": content}, "content"))


def _choice(wanted: Json) -> tuple[ToolChoice, str | None]:
    match wanted.get("type"):
        case None | "auto":
            return "auto", None
        case "none":
            return "none", None
        case "any":
            return "required", None
        case "tool":
            return "required", text_of(wanted, "name")
        case kind:
            raise BadRequest(f"tool_choice: no type is named {kind!r}", field="tool_choice")


def _json_schema(asked: Json) -> Json | None:
    wanted = object_of(object_of(asked, "output_config"), "format")
    return object_of(wanted, "schema") if wanted.get("type") == "json_schema" else None
