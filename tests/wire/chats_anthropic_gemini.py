"""Chats for tests, made by hypothesis: those that Anthropic's and Gemini's dialects can express.

A chat stands in the form that the dialect's parser gives: turns alternate and begin with the
user's; results stand first in the turn after their calls, in the calls' order. What can be
expressed depends on the model, so each strategy is for one.
"""

from collections.abc import Mapping
from typing import Any, Literal

from hypothesis import strategies as st

from omniroute.routing.conversation import (
    Audio,
    Chat,
    Document,
    Image,
    Json,
    Message,
    Part,
    Reasoning,
    Shown,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

Made = st.SearchStrategy

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
SAID = st.text(min_size=1, max_size=12).filter(str.strip)  # white space alone says nothing
BASE64 = st.sampled_from(["AAAA", "iVBORw0KGgo="])
URLS = st.sampled_from(["https://example.com/a", "https://example.com/b.png"])
ARGUMENTS = st.sampled_from(["{}", '{"x":1}', '{"title":{"type":["a",null]}}'])
SCHEMAS = st.dictionaries(
    NAMES | st.sampled_from(["title", "format", "type", "properties"]),
    st.sampled_from([{"type": "string"}, {"$ref": "#/$defs/a"}, {"type": ["number", "null"]}]),
).map(lambda properties: {"type": "object", "properties": properties})
_NUMBERS = st.floats(0, 1, allow_nan=False)
_MARKER = {"cache_control": {"type": "ephemeral"}}


def _kept(dialect: str, *rests: Mapping[str, object]) -> Made[Json]:
    return st.sampled_from([{}, *({dialect: rest} for rest in rests)])


def _tools(rest: Made[Json]) -> Made[tuple[Tool, ...]]:
    tools = st.builds(Tool, NAMES, st.text(max_size=9), SCHEMAS, rest)
    return st.lists(tools, max_size=3, unique_by=lambda tool: tool.name).map(tuple)


@st.composite
def _conversations(
    draw: st.DrawFn,
    asked: Made[Shown],
    answered: Made[tuple[Part, ...]],
    resulting: Made[tuple[Shown, ...]],
    *,
    system_inside: bool,
) -> list[Message]:
    messages: list[Message] = []
    calls: list[ToolCall] = []
    for number in range(draw(st.integers(1, 3))):
        results = [ToolResult(one.call_id, draw(resulting), draw(st.booleans())) for one in calls]
        words = draw(st.lists(asked, min_size=0 if results else 1, max_size=2))
        messages.append(Message("user", (*results, *words)))
        if system_inside and draw(st.booleans()):
            messages.append(Message("system", (Text(draw(SAID)),)))
        answer = draw(answered)
        calls = [
            ToolCall(f"call_{number}_{place}", draw(NAMES), draw(ARGUMENTS))
            for place in range(draw(st.integers(0, 2)))
        ]
        if not answer and not calls:
            return messages
        messages.append(Message("assistant", (*answer, *calls)))
    results = [ToolResult(one.call_id, draw(resulting), draw(st.booleans())) for one in calls]
    return [*messages, Message("user", (*results, draw(asked)))]


def _instructions(told: Made[Text]) -> Made[list[Message]]:
    texts = st.lists(told, min_size=1, max_size=2).map(tuple)
    return st.lists(st.builds(Message, st.just("system"), texts), max_size=1)


_MODES: tuple[Literal["auto", "none", "required", "named"] | None, ...] = (
    *(None, "auto", "none"),
    *("required", "named"),
)


@st.composite
def _choices(
    draw: st.DrawFn, tools: tuple[Tool, ...], *, parallel: bool, forced: bool
) -> ToolChoice | None:
    if not tools:
        return None
    mode = draw(st.sampled_from(_MODES if forced else _MODES[:3]))
    if mode is None:
        return None
    name = draw(st.sampled_from([tool.name for tool in tools])) if mode == "named" else None
    says = parallel and mode != "none"
    return ToolChoice(mode, name, draw(st.none() | st.booleans()) if says else None)


_ANTHROPIC_TEXTS = st.builds(Text, SAID, _kept("anthropic", _MARKER))
_ANTHROPIC_IMAGES = st.builds(Image, url=URLS, rest=_kept("anthropic", _MARKER)) | st.builds(
    Image, media_type=st.just("image/png"), data=BASE64
)
_ANTHROPIC_FILES = st.one_of(
    st.builds(
        Document,
        st.just("application/pdf"),
        data=BASE64,
        title=st.none() | SAID,
        rest=_kept("anthropic", _MARKER, {"citations": {"enabled": True}, "context": "x"}),
    ),
    st.builds(Document, st.just("application/pdf"), url=URLS),
    st.builds(Document, st.just("text/plain"), text=st.text(max_size=9), title=st.none() | SAID),
)
_ANTHROPIC_SHOWN = st.one_of(_ANTHROPIC_TEXTS, _ANTHROPIC_IMAGES, _ANTHROPIC_FILES)
_THOUGHTS = st.one_of(
    st.builds(Reasoning, st.text(max_size=9), signature=st.just("c2ln")),
    st.builds(Reasoning, encrypted=st.just("cmVk")),
)


@st.composite
def _anthropic_answers(draw: st.DrawFn) -> tuple[Part, ...]:
    thoughts = draw(st.lists(_THOUGHTS, max_size=2))
    return (*thoughts, *draw(st.lists(_ANTHROPIC_TEXTS, max_size=2)))


@st.composite
def anthropic_chats(draw: st.DrawFn, model: str) -> Chat:
    """Give a chat that Anthropic's dialect can express, for Claude Opus 4.6 or 5."""
    adaptive = model == "claude-opus-5"
    limit = draw(st.integers(2000, 10**6))
    settings: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "stop": st.lists(SAID, min_size=1, max_size=6).map(tuple),
                "json_schema": SCHEMAS.map(
                    lambda schema: {"schema": {**schema, "additionalProperties": False}}
                ),
                "stream": st.booleans(),
                "user": SAID,
                "rest": _kept(
                    "anthropic",
                    {"service_tier": "auto", "context_management": {"edits": []}},
                    {"metadata": {"more": 1}, "cache_control": {"type": "ephemeral"}},
                ),
            },
        )
    )
    if "user" not in settings and "metadata" in settings.get("rest", {}).get("anthropic", {}):
        settings["user"] = "someone"
    thinks = draw(st.booleans())
    if thinks:
        settings |= draw(_anthropic_thinking(limit, adaptive=adaptive))
    elif not adaptive:
        names = draw(st.sets(st.sampled_from(["temperature", "top_k"])))
        settings |= {"temperature": draw(_NUMBERS)} if "temperature" in names else {}
        settings |= {"top_k": draw(st.integers(0, 500))} if "top_k" in names else {}
    tools = draw(_tools(_kept("anthropic", _MARKER, {"strict": True})))
    tools = tools or (Tool("f", "", {"type": "object"}),)  # calls demand that there are tools
    resulting = st.lists(_ANTHROPIC_SHOWN, max_size=2).map(tuple)
    turns = _conversations(
        _ANTHROPIC_SHOWN, _anthropic_answers(), resulting, system_inside=adaptive
    )
    messages = (*draw(_instructions(_ANTHROPIC_TEXTS)), *draw(turns))
    if settings.get("reasoning_tokens_max"):
        messages = tuple(map(_with_thought, messages))
    return Chat(
        messages=messages,
        tools=tools,
        tool_choice=draw(_choices(tools, parallel=True, forced=not thinks)),
        output_tokens_max=limit,
        **settings,
    )


def _with_thought(message: Message) -> Message:
    """Give the turn with a thought before it: within a budget Anthropic demands one with calls."""
    if message.role != "assistant" or isinstance(message.parts[0], Reasoning):
        return message
    return Message("assistant", (Reasoning("hm", signature="c2ln"), *message.parts))


@st.composite
def _anthropic_thinking(draw: st.DrawFn, limit: int, *, adaptive: bool) -> dict[str, Any]:
    shown = {"reasoning_shown": draw(st.none() | st.booleans())}
    efforts = ["low", "medium", "high", *(["xhigh"] if adaptive else []), "max"]
    effort = {"reasoning_effort": draw(st.sampled_from(efforts))}
    ways = ["off", "effort", *([] if adaptive else ["budget", "both"])]
    way = draw(st.sampled_from(ways))
    if way == "off":
        return {"reasoning_tokens_max": 0}
    if way == "effort":
        return {**effort, **shown}
    budget = {"reasoning_tokens_max": draw(st.integers(1024, limit - 256))}
    return {**budget, **shown, **(effort if way == "both" else {})}


_GEMINI_TEXTS = st.builds(Text, SAID, _kept("gemini", {"partMetadata": {"a": 1}}))
_GEMINI_MEDIA = st.one_of(
    st.builds(Image, URLS, st.none() | st.just("image/png")),
    st.builds(
        Image,
        media_type=st.just("image/webp"),
        data=BASE64,
        rest=_kept("gemini", {"displayName": "a"}, {"mediaResolution": {"level": "x"}}),
    ),
    st.builds(Audio, URLS, st.just("audio/mpeg")),
    st.builds(Audio, media_type=st.just("audio/wav"), data=BASE64),
    st.builds(Document, st.sampled_from(["application/pdf", "text/csv"]), data=BASE64),
    st.builds(Document, st.just("application/pdf"), url=URLS),
)
_SIGNED = st.builds(Reasoning, signature=st.just("gemini#c2ln"))


@st.composite
def _gemini_answers(draw: st.DrawFn) -> tuple[Part, ...]:
    parts: list[Part] = []
    for part in draw(st.lists(_GEMINI_TEXTS | _GEMINI_MEDIA, max_size=2)):
        parts += [draw(_SIGNED), part] if draw(st.booleans()) else [part]
    return tuple(parts)


@st.composite
def gemini_chats(draw: st.DrawFn, model: str) -> Chat:
    """Give a chat that Gemini's dialect can express, for Gemini 2.5 Flash or 3 Flash."""
    new = model.startswith("gemini-3")
    settings: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "output_tokens_max": st.integers(1, 10**6),
                "temperature": _NUMBERS,
                "top_p": _NUMBERS,
                "top_k": st.integers(0, 500),
                "seed": st.integers(-(2**31) + 1, 2**31 - 1),
                "frequency_penalty": _NUMBERS,
                "presence_penalty": _NUMBERS,
                "logprobs": st.integers(0, 20),
                "stop": st.lists(SAID, min_size=1, max_size=5).map(tuple),
                "json_schema": st.just({}) | SCHEMAS.map(lambda schema: {"schema": schema}),
                "rest": _kept(
                    "gemini",
                    {"safetySettings": [], "labels": {"a": "b"}},
                    {"generationConfig": {"audioTimestamp": True}},
                    {"toolConfig": {"retrievalConfig": {"languageCode": "en"}}},
                ),
            },
        )
    )
    if draw(st.booleans()):
        settings["reasoning_shown"] = draw(st.booleans())
        if new:
            levels = [None, "minimal", "low", "medium", "high"]
            settings["reasoning_effort"] = draw(st.sampled_from(levels))
        else:
            settings["reasoning_tokens_max"] = draw(st.none() | st.integers(0, 24_576))
    tools = draw(_tools(_kept("gemini", {"behavior": "BLOCKING"})))
    media = st.lists(_GEMINI_MEDIA, max_size=2 if new else 0)
    resulting = st.builds(
        lambda words, media: (*map(Text, words), *media), st.lists(SAID, max_size=1), media
    )
    turns = _conversations(
        _GEMINI_TEXTS | _GEMINI_MEDIA, _gemini_answers(), resulting, system_inside=False
    )
    return Chat(
        messages=(*draw(_instructions(_GEMINI_TEXTS)), *draw(turns)),
        tools=tools,
        tool_choice=draw(_choices(tools, parallel=False, forced=True)),
        **settings,
    )
