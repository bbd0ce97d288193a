"""Chats for tests, made by hypothesis: for each dialect those that it can express.

A chat stands in the form that the dialect's parser gives: results one by one right after the turn
that called, in the calls' order. `CAN` says what a dialect has words for; a row more is a dialect
more.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from omniroute.routing.conversation import (
    Audio,
    Chat,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Shown,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from omniroute.routing.model import Dialect
from omniroute.routing.wire.fields import encode_text
from omniroute.routing.wire.signatures import marked

Made = st.SearchStrategy

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
WORDS = st.text(max_size=12)
SAID = st.text(min_size=1, max_size=12)
BASE64 = st.sampled_from(["AAAA", "iVBORw0KGgo="])
URLS = st.sampled_from(["https://example.com/a", "https://example.com/b.png"])
SCHEMAS = st.dictionaries(NAMES, st.sampled_from([{"type": "string"}, {"type": "number"}])).map(
    lambda properties: {"type": "object", "properties": properties}
)


class Can(Struct, frozen=True):
    """What a dialect can express.

    Attributes:
        instructing: roles of instructions, which may stand anywhere.
        asked: parts of the user's turns.
        told: parts of instructions and of what the assistant says.
        resulting: parts of a tool's result.
        thoughts: what the assistant's turn begins with.
        calls: a call, given its id.
        tools: the tools of a chat.
        settings: fields of a Chat by name; all are optional.
        rest: what the chat keeps for its own dialect, given whether it streams.
    """

    instructing: tuple[Role, ...]
    asked: Made[Shown]
    told: Made[Text]
    resulting: Made[Shown]
    thoughts: Made[tuple[Part, ...]]
    calls: Made[ToolCall]
    tools: Made[tuple[Tool, ...]]
    settings: Mapping[str, Made[Any]]
    rest: Mapping[bool, Made[dict[str, object]]]


@st.composite
def chats(draw: st.DrawFn, dialect: Dialect) -> Chat:
    """Give a chat that a dialect can express."""
    can = CAN[dialect]
    tools = draw(can.tools)
    settings = draw(st.fixed_dictionaries({}, optional=dict(can.settings)))
    settings["stream"] = draw(st.booleans())
    rest = draw(can.rest[settings["stream"]])
    if rest:
        settings["rest"] = {dialect: rest}
    if tools:
        settings["tool_choice"] = draw(st.none() | _choices(tools))
    return Chat(messages=draw(_conversations(can)), tools=tools, **settings)


@st.composite
def _conversations(draw: st.DrawFn, can: Can) -> tuple[Message, ...]:
    messages: list[Message] = []
    for number in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            role = draw(st.sampled_from(can.instructing))
            messages.append(Message(role, tuple(draw(st.lists(can.told, min_size=1, max_size=2)))))
        messages.append(Message("user", tuple(draw(st.lists(can.asked, min_size=1, max_size=3)))))
        if draw(st.booleans()):
            messages += draw(_answers(can, number))
    return tuple(messages)


@st.composite
def _answers(draw: st.DrawFn, can: Can, number: int) -> list[Message]:
    """Give a turn of the assistant and the results of its calls."""
    calls = draw(st.lists(can.calls, max_size=2))
    calls = [
        ToolCall(f"call_{number}_{place}", one.name, one.arguments, one.kind, one.namespace)
        for place, one in enumerate(calls)
    ]
    said = draw(st.lists(can.told, min_size=0 if calls else 1, max_size=2))
    turn = Message("assistant", (*draw(can.thoughts), *said, *calls))
    results = [
        ToolResult(call.call_id, tuple(draw(st.lists(can.resulting, min_size=1, max_size=2))))
        for call in calls
    ]
    return [turn, *(Message("tool", (result,)) for result in results)]


def _choices(tools: tuple[Tool, ...]) -> Made[ToolChoice]:
    parallel = st.none() | st.booleans()
    named = st.sampled_from([tool.name for tool in tools])
    return st.one_of(
        st.builds(
            ToolChoice, st.sampled_from(["auto", "none", "required"]), st.none(), parallel=parallel
        ),
        st.builds(ToolChoice, st.just("named"), named, parallel=parallel),
    )


def _kept(dialect: Dialect, **fields: object) -> dict[str, object]:
    return {dialect: fields}


_NUMBERS = st.floats(0, 2, allow_nan=False)
SAMPLING: Mapping[str, Made[Any]] = {
    "output_tokens_max": st.integers(1, 10**6),
    "temperature": _NUMBERS,
    "top_p": st.floats(0, 1, allow_nan=False),
}
_OPENAI: Mapping[str, Made[Any]] = {
    **SAMPLING,
    "user": st.text(min_size=1, max_size=64),
    "logprobs": st.integers(0, 20),
    "reasoning_effort": st.sampled_from(["none", "minimal", "low", "high"]),
    "json_schema": st.just({})
    | st.fixed_dictionaries(
        {"name": NAMES, "schema": SCHEMAS}, optional={"strict": st.booleans(), "description": WORDS}
    ),
}
_GRAMMARS = st.none() | st.fixed_dictionaries(
    {"syntax": st.sampled_from(["lark", "regex"]), "definition": WORDS}
)


def _images(dialect: Dialect, *rests: dict[str, object]) -> Made[Image]:
    rest = st.sampled_from([{dialect: rest} if rest else {} for rest in rests])
    return st.builds(Image, url=URLS, rest=rest) | st.builds(
        Image, media_type=st.sampled_from(["image/png", "image/webp"]), data=BASE64, rest=rest
    )


_FILES = st.builds(
    Document,
    media_type=st.sampled_from(["application/pdf", "text/csv"]),
    data=BASE64,
    title=SAID,
)


def _proof(**fields: object) -> str:
    return marked(encode_text(fields), "openai_chat")


_MARKER = {"cache_control": {"type": "ephemeral"}}
_DETAILS = st.one_of(
    st.builds(
        Reasoning,
        WORDS,
        signature=st.just(_proof(type="reasoning.text", signature="c2ln", index=0)),
    ),
    st.builds(Reasoning, encrypted=st.just(_proof(type="reasoning.encrypted", data="ZGF0"))),
)


def _chat_tool(name: str, description: str, schema: dict[str, object], strict: object) -> Tool:
    rest = {} if strict is None else _kept("openai_chat", function={"strict": strict})
    return Tool(name, description, schema, rest)


def _chat_custom(name: str, grammar: dict[str, object] | None) -> Tool:
    custom: dict[str, object] = {"name": name}
    if grammar is not None:
        custom["format"] = {"type": "grammar", "grammar": grammar}
    rest = _kept("openai_chat", type="custom", custom=custom)
    return Tool(name, rest=rest, kind="custom", grammar=grammar)


_OPENAI_CHAT = Can(
    instructing=("system", "developer"),
    asked=st.one_of(
        st.builds(Text, WORDS, st.sampled_from([{}, {"openai_chat": _MARKER}])),
        _images("openai_chat", {}, {"image_url": {"detail": "low"}}),
        st.builds(Audio, media_type=st.sampled_from(["audio/wav", "audio/mpeg"]), data=BASE64),
        _FILES,
    ),
    told=st.builds(Text, WORDS),
    resulting=st.builds(Text, WORDS),
    thoughts=st.lists(st.builds(Reasoning, SAID), max_size=1).map(tuple)
    | st.lists(_DETAILS, min_size=1, max_size=2).map(tuple),
    calls=st.builds(ToolCall, st.just(""), NAMES, SAID),
    tools=st.lists(
        st.builds(_chat_tool, NAMES, WORDS, SCHEMAS, st.none() | st.booleans())
        | st.builds(_chat_custom, NAMES, _GRAMMARS),
        max_size=3,
        unique_by=lambda tool: tool.name,
    ).map(tuple),
    settings={
        **_OPENAI,
        "stop": st.lists(SAID, min_size=1, max_size=3).map(tuple),
        "seed": st.integers(-(2**63), 2**63 - 1),
        "frequency_penalty": _NUMBERS,
        "presence_penalty": _NUMBERS,
    },
    rest={
        # A stream is always asked for its usage.
        True: st.just({"stream_options": {"include_usage": True}}),
        False: st.sampled_from([{}, {"metadata": {"a": "b"}, "n": 1, "unknown": [1]}]),
    },
)


@st.composite
def _response_tools(draw: st.DrawFn) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for namespace in (None, "mcp__one", "two"):
        # What a namespace is for is said once for all its tools.
        about = {} if namespace is None else draw(st.sampled_from([{}, {"description": "For."}]))
        names = draw(st.lists(NAMES, max_size=2, unique=True))
        tools += [draw(_response_tool(name, namespace, about)) for name in names]
    return tuple(tools)


@st.composite
def _response_tool(
    draw: st.DrawFn, name: str, namespace: str | None, about: Mapping[str, str]
) -> Tool:
    rest: dict[str, object] = {"namespace": about} if about else {}
    if draw(st.booleans()):
        kept = {"openai_responses": rest} if rest else {}
        grammar = draw(_GRAMMARS)
        return Tool(name, draw(WORDS), {}, kept, "custom", grammar, namespace)
    rest = {"strict": draw(st.booleans()), **rest}
    kept = {"openai_responses": rest}
    return Tool(name, draw(WORDS), draw(SCHEMAS), kept, namespace=namespace)


_RESPONSE_SHOWN: Made[Shown] = st.one_of(
    st.builds(
        Text,
        WORDS,
        st.sampled_from(
            [{}, _kept("openai_responses", prompt_cache_breakpoint={"mode": "explicit"})]
        ),
    ),
    _images("openai_responses", {"detail": "auto"}, {"detail": "high"}),
    _FILES,
    st.builds(Document, url=URLS),
)
_OPENAI_RESPONSES = Can(
    instructing=("system", "developer"),
    asked=_RESPONSE_SHOWN,
    told=st.builds(Text, WORDS),
    resulting=_RESPONSE_SHOWN,
    thoughts=st.lists(
        st.builds(Reasoning, WORDS, encrypted=st.just("openai_responses#gAAA")), max_size=2
    ).map(tuple),
    calls=st.builds(
        ToolCall,
        st.just(""),
        NAMES,
        SAID,
        st.sampled_from(["function", "custom"]),
        st.sampled_from([None, "mcp__one"]),
    ),
    tools=_response_tools(),
    settings=_OPENAI,
    rest=dict.fromkeys(
        (True, False),
        # Nothing is stored unless a client says so.
        st.sampled_from(
            [
                {"store": False},
                {"store": True, "metadata": {"a": "b"}, "text": {"verbosity": "low"}},
                {"store": False, "include": ["reasoning.encrypted_content"]},
            ]
        ),
    ),
)

CAN: Mapping[Dialect, Can] = {
    "openai_chat": _OPENAI_CHAT,
    "openai_responses": _OPENAI_RESPONSES,
}
