"""Gemini generateContent, as its API speaks it.

Source: Gemini API reference, "Generating content" (GenerateContentRequest and -Response,
UsageMetadata, FinishReason), "Thinking", "Function calling" and "Troubleshooting", October
2026; errors: google.rpc.Status with its details. With `alt=sse` a stream is events of
`data:`, else one JSON array. Usage comes in every chunk, counted from the start. Thoughts
are not part of `candidatesTokenCount`. A blocked prompt is a 200 without candidates. The
model and whether to stream stand in the path, so `read` leaves both to the caller.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    Reason,
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
from .voice import JSON_TYPE, Event, Headers, Occasion, Reply, retry_headers

_SIGNATURE = "c2ltdWxhdGVk"  # the word "simulated", in base64
_FINISHES: dict[Finish, str] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
}
_STATUSES: dict[Reason, str] = {
    "bad_request": "INVALID_ARGUMENT",
    "bad_key": "INVALID_ARGUMENT",
    "forbidden": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "too_large": "INVALID_ARGUMENT",
    "context": "INVALID_ARGUMENT",
    "policy": "INVALID_ARGUMENT",
    "rate": "RESOURCE_EXHAUSTED",
    "quota": "RESOURCE_EXHAUSTED",
    "spend": "RESOURCE_EXHAUSTED",
    "server": "INTERNAL",
    "overloaded": "UNAVAILABLE",
}
_STATUS_BY_CODE = {503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


def read(body: bytes) -> Asked:
    asked = decode(body)
    turns = [Turn("system", _turn(_either(asked, "systemInstruction")).text)]
    turns += [_turn(content) for content in objects_of(asked, "contents", required=True)]
    check_results(turns)
    tools = tuple(
        _tool(item)
        for group in objects_of(asked, "tools")
        for item in objects_of({"functionDeclarations": _declarations(group)}, _DECLARATIONS)
    )
    settings = _either(asked, "generationConfig")
    choice, named = _choice(_either(_either(asked, "toolConfig"), "functionCallingConfig"))
    return Asked(
        model="",
        said=last_words(turns),
        input_bytes=weigh(turns, tools),
        results=last_results(turns),
        tools=tools,
        tool_choice=choice,
        named=named,
        output_tokens_max=count_of(settings, _spelled(settings, "maxOutputTokens")),
        stop=texts_of(settings.get(_spelled(settings, "stopSequences")), "stopSequences"),
        thinking=_thinking(_either(settings, "thinkingConfig")),
        json_schema=_json_schema(settings),
        logprobs=flag_of(settings, _spelled(settings, "responseLogprobs")),
    )


def headers(occasion: Occasion, *, stream: bool) -> Headers:
    if stream and occasion.sse:
        return (("content-type", "text/event-stream"),)
    return (("content-type", f"{JSON_TYPE}; charset=UTF-8"),)


def answer(script: Script, occasion: Occasion) -> bytes:
    parts = [
        _part(step, "".join(step.pieces), script)
        for step in script.steps
        if not isinstance(step, Breakdown) and _speaks(step)
    ]
    chunk = _chunk(script, occasion, parts, finish=_finish(script))
    words = [piece for step in script.steps if isinstance(step, Speech) for piece in step.pieces]
    return orjson.dumps(_weighed(chunk, words) if script.logprobs else chunk)


def events(script: Script, occasion: Occasion) -> Iterator[Event]:
    frame = _Framing(sse=occasion.sse)
    sent = 0
    for step in script.steps:
        if isinstance(step, Breakdown):
            yield frame.event(_error_body(step.refusal))
            if not occasion.sse:
                yield Event(b"]")
            return
        if not _speaks(step):
            continue
        for piece in ("".join(step.pieces),) if isinstance(step, ToolUse) else step.pieces:
            sent += len(piece.encode())
            chunk = _chunk(
                script, occasion, [_part(step, piece, script)], tokens_sent=-(-sent // 4)
            )
            if script.logprobs and isinstance(step, Speech):
                chunk = _weighed(chunk, [piece])
            yield frame.event(chunk, content=True)
    if script.terminated:
        last = _chunk(script, occasion, [{"text": ""}], finish=_finish(script))
        for _ in range(script.endings):
            yield frame.event(last)
        if not occasion.sse:
            yield Event(b"]")


def refuse(refusal: Refusal, occasion: Occasion, *, stream: bool = False) -> Reply:
    if refusal.reason == "policy":
        blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
        if not stream:
            return Reply(200, headers(occasion, stream=False), orjson.dumps(blocked))
        told = _Framing(sse=occasion.sse).event(blocked).data
        end = b"" if occasion.sse else b"]"
        return Reply(200, headers(occasion, stream=True), told + end)
    body = _error_body(refusal)
    status = 400 if refusal.reason == "bad_key" else refusal.status
    # The wait stands in the body; only a date, which has no place there, needs the header.
    waits = retry_headers(refusal, occasion) if refusal.retry == "date" else ()
    return Reply(status, (*headers(occasion, stream=False), *waits), orjson.dumps(body))


class _Framing:
    """Frames chunks as events, or as items of one JSON array."""

    def __init__(self, *, sse: bool) -> None:
        self._sse = sse
        self._first = True

    def event(self, chunk: Json, *, content: bool = False) -> Event:
        data = orjson.dumps(chunk)
        if self._sse:
            return Event(b"data: %b\r\n\r\n" % data, content)
        opening, self._first = (b"[" if self._first else b",\r\n"), False
        return Event(opening + data, content)


def _chunk(
    script: Script,
    occasion: Occasion,
    parts: Sequence[Json],
    *,
    tokens_sent: int | None = None,
    finish: str | None = None,
) -> Json:
    candidate: dict[str, object] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    chunk: dict[str, object] = {"candidates": [candidate]}
    if script.usage is not None:
        chunk["usageMetadata"] = _usage(script.usage, tokens_sent)
    chunk["modelVersion"] = script.model
    chunk["responseId"] = occasion.name("sim")
    return chunk


def _weighed(chunk: Mapping[str, Any], tokens: Sequence[str]) -> Json:
    """Give a chunk whose candidate says what each token weighs, with one alternative."""
    if not tokens:
        return chunk
    chosen = [{"token": token, "tokenId": 1, "logProbability": LOGPROB} for token in tokens]
    other = {"token": "or", "tokenId": 2, "logProbability": 2 * LOGPROB}
    result = {
        "topCandidates": [{"candidates": [one, other]} for one in chosen],
        "chosenCandidates": chosen,
    }
    (candidate,) = chunk["candidates"]
    return {**chunk, "candidates": [{**candidate, "logprobsResult": result}]}


def _speaks(step: Step) -> bool:
    """Whether a client sees the step: hidden thoughts and broken arguments are left out."""
    if isinstance(step, Thought):
        return step.shown and not step.secret
    return not isinstance(step, ToolUse) or _arguments(step) is not None


def _part(step: Thought | Speech | Picture | ToolUse, piece: str, script: Script) -> Json:
    match step:
        case Picture():
            return {"inlineData": {"mimeType": step.media_type, "data": piece}}
        case Thought():
            return {"text": piece, "thought": True}
        case Speech():
            return {"text": piece}
        case ToolUse():
            part: dict[str, object] = {
                "functionCall": {"name": step.name, "args": _arguments(step) or {}}
            }
            if any(isinstance(one, Thought) for one in script.steps):
                part["thoughtSignature"] = _SIGNATURE
            return part


def _arguments(step: ToolUse) -> Json | None:
    """Give the arguments as an object, None when they are not JSON."""
    try:
        value = orjson.loads("".join(step.pieces))
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _finish(script: Script) -> str:
    broken = any(isinstance(one, ToolUse) and _arguments(one) is None for one in script.steps)
    if broken and script.finish == "tool_calls":
        return "MALFORMED_FUNCTION_CALL"
    return _FINISHES[script.finish]


def _usage(usage: Usage, tokens_sent: int | None) -> Json:
    """Give the usage, thoughts apart; None has sent everything."""
    output_tokens = usage.output_tokens
    if tokens_sent is not None:
        output_tokens = min(tokens_sent, output_tokens)
    told: dict[str, object] = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": max(output_tokens - usage.reasoning_tokens, 0),
        "totalTokenCount": usage.input_tokens + output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input_tokens}],
    }
    if usage.cached_input_tokens:
        told["cachedContentTokenCount"] = usage.cached_input_tokens
    if usage.reasoning_tokens:
        told["thoughtsTokenCount"] = min(usage.reasoning_tokens, output_tokens)
    return told


def _error_body(refusal: Refusal) -> Json:
    status = _STATUS_BY_CODE.get(refusal.status, _STATUSES[refusal.reason])
    error: dict[str, object] = {
        "code": 400 if refusal.reason == "bad_key" else refusal.status,
        "message": refusal.message,
        "status": status,
    }
    kind = "type.googleapis.com/google.rpc."
    if refusal.reason == "bad_key":
        info = {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        error["details"] = [{"@type": f"{kind}ErrorInfo", **info}]
    elif refusal.reason in ("quota", "spend"):
        violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}
        error["details"] = [{"@type": f"{kind}QuotaFailure", "violations": [violation]}]
    elif refusal.retry == "seconds":
        delay = f"{refusal.retry_after_s}s"
        error["details"] = [{"@type": f"{kind}RetryInfo", "retryDelay": delay}]
    return {"error": error}


_DECLARATIONS = "functionDeclarations"


def _declarations(group: Json) -> object:
    return group.get(_spelled(group, _DECLARATIONS))


def _either(owner: Json, name: str) -> Json:
    """Give an optional object under its camel-case or its snake-case name: both are taken."""
    return object_of(owner, _spelled(owner, name))


def _spelled(owner: Json, name: str) -> str:
    """Give the name as the owner spells it.

    Source: ProtoJSON, "JSON mapping": parsers accept both forms of a field's name.
    """
    if name in owner:
        return name
    snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
    return snake if snake in owner else name


def _turn(content: Json) -> Turn:
    role = content.get("role") or "user"
    if role not in ("user", "model", "function", "system"):
        raise BadRequest(f"no role is named {role!r}", field="contents")
    parts = objects_of(content, "parts", required=bool(content))
    calls = [_either(part, "functionCall") for part in parts]
    results = [_either(part, "functionResponse") for part in parts]
    return Turn(
        "assistant" if role == "model" else str(role),
        joined(str(one.get("text", "")) for one in parts if not one.get("thought")),
        calls=tuple(
            Call(text_of(one, "name"), text_of(one, "name"), canonical(object_of(one, "args")))
            for one in calls
            if one
        ),
        results=tuple(
            Result(text_of(one, "name"), _result_text(object_of(one, "response")))
            for one in results
            if one
        ),
        images=sum(bool(_either(part, "inlineData")) for part in parts),
    )


def _result_text(response: Json) -> str:
    """Give what a function answered: a lone text as it is, all else as JSON."""
    for name in ("result", "output", "content"):
        value = response.get(name)
        if isinstance(value, str) and len(response) == 1:
            return value
    return canonical(response)


def _tool(item: Json) -> OfferedTool:
    for name in ("parametersJsonSchema", "parameters"):
        schema = _either(item, name)
        if schema:
            return OfferedTool(text_of(item, "name"), schema)
    return OfferedTool(text_of(item, "name"), {})


def _choice(wanted: Json) -> tuple[ToolChoice, str | None]:
    mode = str(wanted.get("mode", "AUTO")).upper()
    allowed = texts_of(wanted.get(_spelled(wanted, "allowedFunctionNames")), "allowedFunctionNames")
    match mode:
        case "AUTO" | "VALIDATED" | "MODE_UNSPECIFIED":
            return "auto", None
        case "NONE":
            return "none", None
        case "ANY":
            return "required", allowed[0] if len(allowed) == 1 else None
        case _:
            raise BadRequest(f"no function calling mode is named {mode!r}", field="toolConfig")


def _thinking(wanted: Json) -> Thinking:
    if wanted.get(_spelled(wanted, "thinkingBudget")) == 0:
        return "none"
    shown = flag_of(wanted, _spelled(wanted, "includeThoughts"))
    return "shown" if shown else "hidden"


def _json_schema(settings: Json) -> Json | None:
    for name in ("responseJsonSchema", "responseSchema"):
        schema = _either(settings, name)
        if schema:
            return schema
    mime = settings.get(_spelled(settings, "responseMimeType"))
    return {"type": "object", "required": ["simulated"]} if mime == JSON_TYPE else None
