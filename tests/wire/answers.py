"""Answers for tests: made by hypothesis, and folded from streams as the vendors' clients do."""

import json
from collections.abc import Sequence, Set
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from omniroute.routing.conversation import (
    Delta,
    Finish,
    Image,
    TokenLogprob,
    ToolCallDelta,
    ToolKind,
    Usage,
)
from omniroute.routing.model import Dialect
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.table import codec

GOLDEN = Path(__file__).parent.parent / "golden"
DIALECTS: tuple[Dialect, ...] = ("openai_chat", "anthropic", "openai_responses", "gemini")
FINISHES: tuple[Finish, ...] = (
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "stop_sequence",
)
HEAD = Head("answer-1", "a-model", 1_700_000_000, include_usage=True)


def golden(dialect: Dialect, case: str) -> bytes:
    return (GOLDEN / dialect / case).read_bytes()


def chunked(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut bytes at positions that may lie anywhere."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def read(dialect: Dialect, feeds: Sequence[bytes]) -> list[Delta]:
    reader = codec(dialect).reader()
    return [delta for feed in feeds for delta in reader.feed(feed)]


def sniffed(dialect: Dialect, feeds: Sequence[bytes]) -> list[Delta]:
    sniffer = codec(dialect).sniffer(stream=True)
    return [delta for feed in feeds if (delta := sniffer.feed(feed)) is not None]


def streamed(dialect: Dialect, deltas: Sequence[Delta], head: Head = HEAD) -> bytes:
    writer = codec(dialect).writer(head)
    return b"".join([*(writer.write(delta) for delta in deltas), writer.end()])


def events(stream: bytes) -> list[tuple[str, Any]]:
    """Give each event's name and JSON; `[DONE]` is given as it is."""
    found: list[tuple[str, Any]] = []
    for event in stream.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in event.split("\n"))
        data = fields["data"]
        found.append((fields.get("event", ""), data if data == "[DONE]" else json.loads(data)))
    return found


def folded(dialect: Dialect, stream: bytes) -> Any:
    """Fold a stream into a whole answer the way the dialect's own clients do."""
    folds = {
        "openai_chat": _fold_openai_chat,
        "anthropic": _fold_anthropic,
        "openai_responses": _fold_openai_responses,
        "gemini": _fold_gemini,
    }
    return folds[dialect](events(stream))


def _fold_openai_chat(steps: list[tuple[str, Any]]) -> Any:
    """OpenAI's own accumulator, without the fields that it adds."""
    state: Any = ChatCompletionStreamState()
    for _, chunk in steps[:-1]:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    whole = state.current_completion_snapshot.to_dict()
    (choice,) = whole["choices"]
    message = choice["message"]
    for call in message.get("tool_calls") or ():
        del call["index"]
        call.get("function", {}).pop("parsed_arguments", None)
    kept = {"content", "refusal", "role", "logprobs"}
    return _without_null(
        {**whole, "choices": [{**choice, "message": _without_null(message, kept)}]}
    )


def _without_null(fields: dict[str, Any], kept: Set[str] = frozenset()) -> dict[str, Any]:
    """Leave out what the accumulator adds as null, beside the fields that are kept so."""
    return {name: value for name, value in fields.items() if value is not None or name in kept}


def _fold_anthropic(steps: list[tuple[str, Any]]) -> Any:
    """By Anthropic's "Streaming messages" page: blocks by index, counts replaced."""
    message: Any = steps[0][1]["message"]
    inputs: dict[int, str] = {}
    for name, step in steps:
        assert name == step["type"]
        if name == "content_block_start":
            assert step["index"] == len(message["content"])
            message["content"].append(step["content_block"])
        elif name == "content_block_delta":
            _grow_block(step["index"], message["content"], step["delta"], inputs)
        elif name == "message_delta":
            message.update(step["delta"])
            message["usage"].update(step["usage"])
    for index, text in inputs.items():
        message["content"][index]["input"] = json.loads(text)
    return message


def _grow_block(index: int, content: list[Any], delta: Any, inputs: dict[int, str]) -> None:
    block = content[index]
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            inputs[index] = inputs.get(index, "") + delta["partial_json"]


def _fold_openai_responses(steps: list[tuple[str, Any]]) -> Any:
    """The last event holds the whole; every item in it must have been streamed as it is."""
    last, pieces, done = steps[-1][1], dict[str, str](), dict[int, Any]()
    weights: dict[str, list[Any]] = {}
    for number, (name, step) in enumerate(steps):
        assert (name, step["sequence_number"]) == (step["type"], number)
        if name.endswith(".delta"):
            pieces[step["item_id"]] = pieces.get(step["item_id"], "") + step["delta"]
            weights[step["item_id"]] = weights.get(step["item_id"], []) + step.get("logprobs", [])
        if name == "response.output_item.done":
            done[step["output_index"]] = step["item"]
    output = [item for _, item in sorted(done.items())]
    assert output == last["response"]["output"]
    for item in output:
        shown = item.get("content") or item.get("summary") or [item]
        text = next((shown[0][name] for name in _SAYING if name in shown[0]), "")
        assert text == pieces.get(item["id"], "")
        assert shown[0].get("logprobs", []) == weights.get(item["id"], [])
    return last["response"]


_SAYING = ("text", "refusal", "arguments", "input")


def _fold_gemini(steps: list[tuple[str, Any]]) -> Any:
    """By Google's SDKs: parts in order, texts of one kind joined, the last of all else."""
    whole: Any = {}
    parts: list[Any] = []
    weights: dict[str, list[Any]] = {}
    for _, chunk in steps:
        (candidate,) = chunk["candidates"]
        for name, tokens in candidate.pop("logprobsResult", {}).items():
            weights.setdefault(name, []).extend(tokens)
        for part in candidate["content"]["parts"]:
            last = parts[-1] if parts else {}
            if "text" in part and "text" in last and part.get("thought") == last.get("thought"):
                last["text"] += part["text"]
            else:
                parts.append(part)
        whole = {**whole, **chunk}
    whole["candidates"][0]["content"]["parts"] = parts
    if weights:
        whole["candidates"][0]["logprobsResult"] = weights
    return whole


_tokens = st.integers(0, 10**6)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    cached, written, fresh = draw(_tokens), draw(_tokens), draw(_tokens)
    reasoning, said = draw(_tokens), draw(_tokens)
    hour = draw(st.integers(0, written))
    return Usage(
        input_tokens=cached + written + fresh,
        output_tokens=reasoning + said,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
        cache_write_1h_tokens=hour,
    )


_logprob = st.floats(-30, 0).map(lambda one: round(one, 3))
_logprobs = st.lists(
    st.builds(
        TokenLogprob,
        st.text(max_size=3),
        _logprob,
        st.lists(st.tuples(st.text(max_size=3), _logprob), max_size=2).map(tuple),
    ),
    max_size=2,
).map(tuple)
_images = st.builds(
    Image, media_type=st.sampled_from(["image/png", "image/webp"]), data=st.just("iVBORw0KGgo=")
)
SIGNATURES = ("c2lnbmF0dXJl", "gemini#c2ln", "openai_chat#sig")
_signature = st.sampled_from(SIGNATURES)
_plain = st.one_of(
    st.builds(Delta, text=st.text(min_size=1)),
    st.builds(Delta, text=st.text(min_size=1), logprobs=_logprobs),
    st.builds(Delta, refusal=st.text(min_size=1)),
    st.builds(Delta, image=_images),
)
_shown = st.one_of(_plain, st.builds(Delta, logprobs=_logprobs))
_thoughts = st.one_of(
    st.builds(Delta, reasoning=st.text(min_size=1)),
    st.builds(Delta, reasoning_signature=_signature),
    st.builds(Delta, reasoning_encrypted=st.just("openai_responses#gAAA")),
    st.builds(Delta, reasoning=st.text(), reasoning_signature=_signature),
)
_exact = st.one_of(_plain, st.builds(Delta, reasoning=st.text(min_size=1)))


@st.composite
def answers(draw: st.DrawFn, *, exact: bool = False, custom: bool = False) -> list[Delta]:
    """Deltas as readers give them, with the pieces of several calls in any order.

    With `exact` there is only what every dialect holds in its place: no thought has a proof
    or a part that only its provider can read, and no probabilities stand without their text.
    """
    calls = draw(st.integers(0, 3))
    kinds: tuple[ToolKind, ...] = ("function", "custom") if custom else ("function",)
    pieces = [_call_pieces(draw, draw(st.sampled_from(kinds))) for _ in range(calls)]
    begun: dict[int, int] = {}
    deltas: list[Delta] = []
    said = _exact if exact else st.one_of(_shown, _thoughts)
    for _ in range(draw(st.integers(0, 8))):
        deltas.append(draw(said))
        if any(pieces) and draw(st.booleans()):
            which = draw(st.sampled_from([n for n in range(calls) if pieces[n]]))
            deltas.append(_next_piece(pieces, begun, which))
    for which in range(calls):
        deltas += [_next_piece(pieces, begun, which) for _ in list(pieces[which])]
    if draw(st.booleans()):
        deltas.append(Delta(usage=draw(usages())))
    if draw(st.booleans()):
        deltas.append(_finished(draw(st.sampled_from(FINISHES))))
    if draw(st.booleans()):
        deltas.append(Delta(usage=draw(usages()), ended=True))
    return deltas


def _finished(finish: Finish) -> Delta:
    sequence = "STOP" if finish == "stop_sequence" else None
    return Delta(finish=finish, stop_sequence=sequence, ended=True)


def _call_pieces(draw: st.DrawFn, kind: ToolKind) -> list[ToolCallDelta]:
    arguments = draw(st.dictionaries(st.text(), st.text(), max_size=3))
    spelled = draw(st.booleans())
    text = json.dumps(arguments) if arguments or spelled else ""
    if kind == "custom":
        text = draw(st.text())
    call_id = draw(st.sampled_from(["call_a", "functions.f:0", None]))
    name = draw(st.sampled_from(["f", "get_weather"]))
    first = ToolCallDelta(0, call_id, name, kind=kind)
    size = max(1, draw(st.integers(1, 20)))
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [first, *(ToolCallDelta(0, arguments=piece) for piece in pieces)]


def _next_piece(pieces: list[list[ToolCallDelta]], begun: dict[int, int], which: int) -> Delta:
    piece = pieces[which].pop(0)
    number = begun.setdefault(which, len(begun))
    call_id = f"{piece.call_id}{number}" if piece.call_id else None
    return Delta(tool_call=ToolCallDelta(number, call_id, piece.name, piece.arguments, piece.kind))
