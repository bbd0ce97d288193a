"""OpenAI chat completions, as its API speaks them.

Source: OpenAI API reference, "Chat Completions" (create, the chat completion object, the
chat completion chunk object) and "Error codes", October 2026. Thoughts are sent as
`reasoning_content`, which is not OpenAI's but what OpenAI-compatible servers agree on
(DeepSeek API reference, vLLM "Reasoning outputs"); secret ones as `reasoning_details`, and
images as `images` (OpenRouter, "Reasoning tokens", "Image generation").
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from ...conversation import Finish, Json, Usage
from ...errors import BadRequest
from ..script import (
    LOGPROB,
    Asked,
    Breakdown,
    OfferedTool,
    Picture,
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
from .openai_errors import error_body
from .voice import JSON_TYPE, STREAM_TYPE, Event, Headers, Occasion, Reply, retry_headers, sse

DONE = b"data: [DONE]\n\n"
_FINGERPRINT = "fp_simulated"
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_FINISHES: dict[Finish, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


def read(body: bytes) -> Asked:
    asked = decode(body)
    turns = [_turn(message) for message in objects_of(asked, "messages", required=True)]
    check_results(turns)
    # The vendor's own tools and free-form ones are taken and never called.
    offered = objects_of(asked, "tools")
    tools = tuple(_tool(item) for item in offered if item.get("type") == "function")
    choice, named = _choice(asked.get("tool_choice"))
    if count_of(asked, "n") not in (None, 1):
        raise BadRequest("the simulator gives one choice: leave `n` out", field="n")
    limit = count_of(asked, "max_completion_tokens") or count_of(asked, "max_tokens")
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
        stream_usage=flag_of(object_of(asked, "stream_options"), "include_usage"),
        output_tokens_max=limit,
        stop=texts_of(asked.get("stop"), "stop"),
        thinking="none" if asked.get("reasoning_effort") == "none" else "shown",
        json_schema=_json_schema(object_of(asked, "response_format")),
        logprobs=flag_of(asked, "logprobs"),
    )


def headers(occasion: Occasion, *, stream: bool) -> Headers:
    return (
        ("content-type", STREAM_TYPE if stream else JSON_TYPE),
        ("x-request-id", occasion.name("req_")),
        ("openai-processing-ms", "1"),
    )


def answer(script: Script, occasion: Occasion) -> bytes:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "" if _speaks(script) else None,
        "refusal": None,
        "annotations": [],
    }
    for field, value in _said(script, occasion):
        old = message.get(field)
        message[field] = value if old is None else old + value
    words = [
        piece
        for step in script.steps
        if isinstance(step, Speech) and not step.refuses
        for piece in step.pieces
    ]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": weights(words) if script.logprobs and words else None,
        "finish_reason": _FINISHES[script.finish],
    }
    whole = _frame("chat.completion", script, occasion)
    whole["choices"] = [choice]
    if script.usage is not None:
        whole["usage"] = _usage(script.usage)
    return orjson.dumps(whole)


def events(script: Script, occasion: Occasion) -> Iterator[Event]:
    frame = _frame("chat.completion.chunk", script, occasion)
    if script.usage is not None:
        frame["usage"] = None
    content = "" if _speaks(script) else None
    yield Event(_chunk(frame, {"role": "assistant", "content": content, "refusal": None}))
    number = 0
    for step in script.steps:
        if isinstance(step, Breakdown):
            yield Event(sse(error_body(step.refusal)))
            return
        for delta, weighed in _deltas(step, number, script, occasion):
            yield Event(_chunk(frame, delta, logprobs=weighed), content=True)
        number += isinstance(step, ToolUse)
    for _ in range(script.endings):
        yield Event(_chunk(frame, {}, _FINISHES[script.finish]))
    if script.usage is not None:
        yield Event(sse({**frame, "choices": [], "usage": _usage(script.usage)}))
    if script.terminated:
        yield Event(DONE)


def refuse(refusal: Refusal, occasion: Occasion, *, stream: bool = False) -> Reply:
    return Reply(
        refusal.status,
        (*headers(occasion, stream=False), *retry_headers(refusal, occasion)),
        orjson.dumps(error_body(refusal)),
    )


def _frame(kind: str, script: Script, occasion: Occasion) -> dict[str, object]:
    return {
        "id": occasion.name("chatcmpl-"),
        "object": kind,
        "created": occasion.created_unix_s,
        "model": script.model,
        "service_tier": "default",
        "system_fingerprint": _FINGERPRINT,
    }


def weights(tokens: Sequence[str]) -> Json:
    """Give what each token weighs, with one alternative."""
    return {"content": [weight(token) for token in tokens], "refusal": None}


def weight(token: str) -> Json:
    """Give what a token weighs."""
    other = {"token": "or", "logprob": 2 * LOGPROB, "bytes": [111, 114]}
    spelled = {"token": token, "logprob": LOGPROB, "bytes": list(token.encode())}
    return {**spelled, "top_logprobs": [spelled, other]}


def _speaks(script: Script) -> bool:
    """Whether the message has content: calls alone and refusals leave it null."""
    return bool(script.text) or not any(
        isinstance(step, ToolUse) or (isinstance(step, Speech) and step.refuses)
        for step in script.steps
    )


def _said(script: Script, occasion: Occasion) -> Iterator[tuple[str, Any]]:
    """Give the fields of a whole message, in the order of what they say."""
    number = 0
    for step in script.steps:
        if isinstance(step, Breakdown):
            return
        if isinstance(step, ToolUse):
            yield "tool_calls", [_call_json(step, "".join(step.pieces), number, occasion)]
            number += 1
        else:
            field, values = _field(step)
            yield from ((field, value) for value in values)


def _deltas(
    step: Thought | Speech | Picture | ToolUse, number: int, script: Script, occasion: Occasion
) -> Iterator[tuple[Json, Json | None]]:
    """Give a step's deltas, and what their tokens weigh."""
    if isinstance(step, ToolUse):
        yield {"tool_calls": [{"index": number, **_call_json(step, "", number, occasion)}]}, None
        for piece in step.pieces:
            yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}, None
        return
    field, values = _field(step)
    weighs = script.logprobs and isinstance(step, Speech) and not step.refuses
    for value in values:
        yield {field: value}, weights([value]) if weighs else None


def _field(step: Thought | Speech | Picture) -> tuple[str, Sequence[Any]]:
    """Give the field of a message that a step goes into, and its pieces."""
    match step:
        case Picture():
            return "images", [[_image(step)]]
        case Thought(secret=True):
            return "reasoning_details", [[_secret(step)]]
        case Thought(tagged=True):
            return "content", _tagged(step)
        case Thought():
            return "reasoning_content", step.pieces if step.shown else ()
        case Speech():
            return "refusal" if step.refuses else "content", step.pieces


def _call_json(step: ToolUse, arguments: str, number: int, occasion: Occasion) -> Json:
    return {
        "id": occasion.name("call_", number),
        "type": "function",
        "function": {"name": step.name, "arguments": arguments},
    }


def _image(step: Picture) -> Json:
    url = f"data:{step.media_type};base64,{''.join(step.pieces)}"
    return {"type": "image_url", "image_url": {"url": url}, "index": 0}


def _secret(step: Thought) -> Json:
    return {"type": "reasoning.encrypted", "data": "".join(step.pieces), "index": 0}


def _tagged(step: Thought) -> tuple[str, ...]:
    """Give a thought as text, the tags cut where chunks are cut."""
    return "<thi", "nk>\n", *step.pieces, "</", "think>\n\n"


def _chunk(
    frame: Json, delta: Json, finish: str | None = None, *, logprobs: Json | None = None
) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return sse({**frame, "choices": [choice]})


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _turn(message: Json) -> Turn:
    role = message.get("role")
    if role not in _ROLES:
        raise BadRequest(f"no role is named {role!r}", field="messages")
    text, images = _content(message.get("content"))
    if role in ("tool", "function"):
        call_id = text_of(message, "tool_call_id" if role == "tool" else "name")
        return Turn("tool", results=(Result(call_id, text),))
    calls = tuple(_call(call) for call in objects_of(message, "tool_calls"))
    return Turn(str(role), text, calls=calls, images=images)


def _content(content: object) -> tuple[str, int]:
    """Give the text of a message and how many images it has."""
    if content is None or isinstance(content, str):
        return content or "", 0
    parts = objects_of({"content": content}, "content")
    texts = [str(part.get("text", "")) for part in parts if part.get("type") == "text"]
    return joined(texts), sum(part.get("type") == "image_url" for part in parts)


def _call(call: Json) -> Call:
    function = object_of(call, "function")
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        raise BadRequest("`arguments` of a tool call is JSON text", field="messages")
    return Call(text_of(call, "id"), text_of(function, "name"), canonical_text(arguments))


def _tool(item: Json) -> OfferedTool:
    function = object_of(item, "function")
    return OfferedTool(text_of(function, "name"), object_of(function, "parameters"))


def _choice(choice: object) -> tuple[ToolChoice, str | None]:
    match choice:
        case None | "auto":
            return "auto", None
        case "none":
            return "none", None
        case "required":
            return "required", None
        case {"type": "function", "function": {"name": str(name)}}:
            return "required", name
        case _:
            raise BadRequest(
                "`tool_choice` is none, auto, required or a named function", field="tool_choice"
            )


def _json_schema(wanted: Json) -> Json | None:
    match wanted.get("type"):
        case "json_object":
            return {"type": "object", "required": ["simulated"]}
        case "json_schema":
            return object_of(object_of(wanted, "json_schema"), "schema")
        case _:
            return None
