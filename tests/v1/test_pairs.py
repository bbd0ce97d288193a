"""Every dialect reaches every dialect: a table of pairs and cases, streamed and whole.

The whole gateway stands between a client of one dialect and the simulator, which speaks
another over HTTP and sends one byte at a time. The simulator's voices were written apart from
our codecs: what they hear of a request and what they say in an answer is judged by neither.

A case is a chat and what must be heard of it and seen in its answer; a dialect that has no
word for it is named in the row.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs

from omniroute.routing.conversation import (
    Audio,
    Chat,
    Document,
    Image,
    Message,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
)
from omniroute.routing.model import Account, Dialect
from omniroute.routing.simulator.directives import Directives
from omniroute.routing.simulator.director import IMAGE, REFUSAL, TAGGED, UNREADABLE
from omniroute.routing.simulator.script import LOGPROB
from omniroute.routing.simulator.voices.table import VOICES
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.fold import Answer, fold
from omniroute.routing.wire.table import codec
from omniroute.server.simulator.routes import BASES
from omniroute.server.simulator.simulator import Simulator
from tests.wire.answers import DIALECTS, folded

from .mounted import CHATS, KEY, Mounted, mounted

pytestmark = pytest.mark.anyio

HEAD = Head("answer", "m", 0)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER, TIME = Tool("get_weather", "Weather", SCHEMA), Tool("get_time", "Time", SCHEMA)
ARGUMENTS = {"city": "simulated"}
PNG = b"iVBORw0KGgo="
PICTURE = Image(media_type="image/png", data=PNG.decode())
SIGNATURE = "c2ltdWxhdGVk"
SAID = "[simulated by sim/fast] You said: "
NO_LOGPROBS: frozenset[Dialect] = frozenset({"anthropic"})


THINKING: dict[str, Any] = {"reasoning_shown": True, "reasoning_tokens_max": 2048}


NO_SOUND: frozenset[Dialect] = frozenset({"anthropic", "openai_responses"})


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def _look(part: Image | Document | Audio) -> Chat:
    return Chat((Message("user", (Text("look"), part)),))


@dataclass(frozen=True)
class Case:
    """One row: what is asked, what the provider does, what must come of it.

    Attributes:
        heard: what the voice must have heard, by the names of `Asked`.
        seen: gives what is wrong with the answer, None when nothing is.
        carries: what must stand in the provider's body.
        without: dialects of clients or providers that have no word for the case.
    """

    chat: Chat
    seen: Callable[[Answer, Dialect, Dialect], object]
    heard: Mapping[str, object] = field(default_factory=dict)
    does: Mapping[str, Any] = field(default_factory=dict)
    without: frozenset[Dialect] = frozenset()
    carries: bytes = b""


def _says(text: str, finish: str = "stop") -> Callable[[Answer, Dialect, Dialect], object]:
    def seen(answer: Answer, source: Dialect, target: Dialect) -> object:
        return _differs((answer.text, answer.finish), (text, finish))

    return seen


def _calls(*names: str) -> Callable[[Answer, Dialect, Dialect], object]:
    def seen(answer: Answer, source: Dialect, target: Dialect) -> object:
        ids = {call.call_id for call in answer.calls}
        found = [(call.name, json.loads(call.arguments)) for call in answer.calls]
        wanted = [(name, ARGUMENTS) for name in names]
        return _differs((found, answer.finish, len(ids)), (wanted, "tool_calls", len(names)))

    return seen


def _unasked(answer: Answer, source: Dialect, target: Dialect) -> object:
    """Anthropic's and Gemini's clients see no thoughts that they have not asked for."""
    hidden = source != target and source in ("anthropic", "gemini")
    return _differs((answer.reasoning, answer.text), ("" if hidden else TAGGED, f"{SAID}hi"))


def _differs(found: object, wanted: object) -> object:
    return None if found == wanted else (found, wanted)


def _is_refused(answer: Answer, source: Dialect, target: Dialect) -> object:
    """OpenAI's dialects say a refusal apart; Anthropic says by the reason that it was one."""
    apart = ("openai_chat", "openai_responses")
    if source in apart and target in apart:
        return _differs((answer.refusal, answer.text, answer.finish), (REFUSAL, "", "stop"))
    said = (answer.text or answer.refusal) == REFUSAL
    by_reason = target == "anthropic" or (source == "anthropic" and target in apart)
    filtered = answer.finish == "content_filter"
    return None if said and filtered == by_reason else answer


def _has_image(answer: Answer, source: Dialect, target: Dialect) -> object:
    if target == "anthropic":  # its answers hold none
        return _differs(answer.text, f"{SAID}draw")
    if source == "anthropic":
        return None if "image/png" in answer.text else answer
    return _differs([image.data for image in answer.images], [IMAGE])


def _is_weighed(answer: Answer, source: Dialect, target: Dialect) -> object:
    tokens = [one.token for one in answer.logprobs]
    odds = {one.logprob for one in answer.logprobs}
    tops = {one.top[1] for one in answer.logprobs}
    wanted = (answer.text, {LOGPROB}, {("or", 2 * LOGPROB)})
    return _differs(("".join(tokens), odds, tops), wanted)


def _thinks_unreadably(answer: Answer, source: Dialect, target: Dialect) -> object:
    """Whose thought it is travels with it, so that it comes back to its provider alone."""
    found = [
        part.encrypted
        for part in answer.parts
        if isinstance(part, Reasoning) and part.encrypted is not None
    ]
    if "gemini" in (source, target):
        return _differs(found, [])
    return _differs([UNREADABLE in one for one in found], [True])


def _thinks_first(thought: str, text: str) -> Callable[[Answer, Dialect, Dialect], object]:
    def seen(answer: Answer, source: Dialect, target: Dialect) -> object:
        return _differs((answer.reasoning, answer.text), (thought, text))

    return seen


def _thinks_and_calls(answer: Answer, source: Dialect, target: Dialect) -> object:
    """A proof comes with its thought, Google's with its call, where it can come back."""
    signed = [
        part.signature
        for part in answer.parts
        if isinstance(part, Reasoning) and part.signature is not None
    ]
    wanted: list[str] = []
    if target == "anthropic" and source in ("anthropic", "openai_chat"):
        wanted = [SIGNATURE]
    if target == "gemini" and source != "openai_responses":
        wanted = [f"gemini#{SIGNATURE}"]
    names = [call.name for call in answer.calls]
    return _differs((answer.reasoning, names, signed), (TAGGED, ["get_time"], wanted))


def _costs(answer: Answer, source: Dialect, target: Dialect) -> object:
    """What one side cannot count is not counted: nothing is guessed, and nothing counted twice."""
    sides = {source, target}
    written = 0 if "gemini" in sides else 20
    hour = 5 if sides == {"anthropic"} else 0
    thought = 0 if target == "anthropic" else 7
    return _differs(answer.usage, Usage(100, 40, 30, written, thought, hour))


CASES: dict[str, Case] = {
    "text": Case(
        Chat((Message("system", (Text("be brief"),)), user('say "hëllo" \U0001f600\n\nand bye'))),
        _says(SAID + 'say "hëllo" \U0001f600\n\nand bye'),
        {"said": 'say "hëllo" \U0001f600\n\nand bye'},
    ),
    "turns": Case(
        Chat((user("one"), Message("assistant", (Text("two"),)), user("three"))),
        _says(SAID + "three"),
        {"said": "three"},
    ),
    "parallel calls": Case(
        Chat((user("get_weather, get_time"),), tools=(WEATHER, TIME)),
        _calls("get_weather", "get_time"),
    ),
    "one call at a time": Case(
        Chat(
            (user("get_weather, get_time"),),
            tools=(WEATHER, TIME),
            tool_choice=ToolChoice("auto", parallel=False),
        ),
        _calls("get_weather"),
        {"parallel": False},
        without=frozenset({"gemini"}),
    ),
    "a call is required": Case(
        Chat((user("hi"),), tools=(WEATHER, TIME), tool_choice=ToolChoice("required")),
        _calls("get_weather"),
        {"tool_choice": "required", "named": None},
    ),
    "a call is named": Case(
        Chat((user("hi"),), tools=(WEATHER, TIME), tool_choice=ToolChoice("named", "get_time")),
        _calls("get_time"),
        {"named": "get_time"},
    ),
    "no call is wanted": Case(
        Chat((user("get_time"),), tools=(WEATHER, TIME), tool_choice=ToolChoice("none")),
        _says(SAID + "get_time"),
        {"tool_choice": "none"},
    ),
    "results of calls": Case(
        Chat(
            (
                user("get_weather, get_time"),
                Message(
                    "assistant",
                    (
                        ToolCall("call_a", "get_weather", '{"city":"Oslo"}'),
                        ToolCall("call_b", "get_time", '{"city":"Oslo"}'),
                    ),
                ),
                Message(
                    "tool",
                    (
                        ToolResult("call_a", (Text("4 degrees"),)),
                        ToolResult("call_b", (Text("noon"),)),
                    ),
                ),
            ),
            tools=(WEATHER, TIME),
        ),
        _says("[simulated by sim/fast] The tool answered: 4 degrees noon"),
        {"results": ("4 degrees", "noon")},
    ),
    "a result with an image": Case(
        Chat(
            (
                user("hello"),
                Message("assistant", (ToolCall("call_a", "get_time", '{"city":"Oslo"}'),)),
                Message("tool", (ToolResult("call_a", (Text("a clock"), PICTURE)),)),
            ),
            tools=(TIME,),
        ),
        # Where results hold no images the user shows it, and is who spoke last.
        lambda answer, source, target: None if answer.parts else answer,
        carries=PNG,
    ),
    "a result that is an error": Case(
        Chat(
            (
                user("get_time"),
                Message("assistant", (ToolCall("call_a", "get_time", '{"city":"Oslo"}'),)),
                Message("tool", (ToolResult("call_a", (Text("no clock"),), is_error=True),)),
            ),
            tools=(TIME,),
        ),
        lambda answer, source, target: None if "no clock" in answer.text else answer,
    ),
    "an image is shown": Case(_look(PICTURE), _says(SAID + "look"), carries=PNG),
    "an image is named": Case(
        _look(Image(url="https://example.com/cat.png", media_type="image/png")),
        _says(SAID + "look"),
        carries=b"https://example.com/cat.png",
    ),
    "a document": Case(
        _look(Document(media_type="application/pdf", data="JVBERi0xLjQK", title="a.pdf")),
        _says(SAID + "look"),
        carries=b"JVBERi0xLjQK",
    ),
    "a sound": Case(
        _look(Audio(media_type="audio/wav", data="UklGRgAAAAA=")),
        _says(SAID + "look"),
        without=NO_SOUND,
        carries=b"UklGRgAAAAA=",
    ),
    "sampling": Case(Chat((user("hi"),), temperature=0.625), _says(SAID + "hi"), carries=b"0.625"),
    "a limit": Case(
        Chat((user("a text that is longer than five tokens"),), output_tokens_max=5),
        _says("[simulated by sim/fa", "length"),
        {"output_tokens_max": 5},
    ),
    "a filter": Case(
        Chat((user("hi"),)), _says(SAID + "hi", "content_filter"), does={"finish": "content_filter"}
    ),
    "a stop sequence": Case(
        Chat((user("before STOP after"),), stop=("STOP",)),
        lambda answer, source, target: _differs(
            (answer.text, answer.stop_sequence),
            (f"{SAID}before ", "STOP" if source == target == "anthropic" else None),
        ),
        {"stop": ("STOP",)},
        without=frozenset({"openai_responses"}),
    ),
    "a schema": Case(
        Chat((user("hi"),), json_schema={"name": "answer", "schema": SCHEMA}),
        lambda answer, source, target: _differs(json.loads(answer.text), ARGUMENTS),
    ),
    "a refusal": Case(Chat((user("hi"),)), _is_refused, does={"says": "refusal"}),
    "a generated image": Case(Chat((user("draw"),)), _has_image, does={"says": "image"}),
    "probabilities": Case(
        Chat((user("hi there"),), logprobs=2),
        _is_weighed,
        {"logprobs": True},
        without=NO_LOGPROBS,
    ),
    "a thought before a call": Case(
        Chat((user("get_time"),), tools=(TIME,), **THINKING),
        _thinks_and_calls,
        does={"says": "tags"},
    ),
    "a thought that only its provider reads": Case(
        Chat((user("hi"),), **THINKING), _thinks_unreadably, does={"says": "secret"}
    ),
    "a thought between tags": Case(
        Chat((user("hi"),), **THINKING), _thinks_first(TAGGED, f"{SAID}hi"), does={"says": "tags"}
    ),
    "a thought that nobody asked for": Case(Chat((user("hi"),)), _unasked, does={"says": "tags"}),
    "usage": Case(
        Chat((user("hi"),)),
        _costs,
        does={
            "input_tokens": 100,
            "output_tokens": 40,
            "cached_tokens": 30,
            "written_tokens": 20,
            "written_1h_tokens": 5,
            "reasoning_tokens": 7,
        },
    ),
}
BROKEN = {"one": "error_later", "two": "hang_up", "three": "stops_early"}
"""Faults after which no client may take the answer for a complete one."""


@asynccontextmanager
async def gateway(
    folder: Path, simulator: Simulator, dialect: Dialect, *names: str
) -> AsyncIterator[Mounted]:
    """Serve a gateway with accounts of the simulator, which speaks a dialect there."""
    async with mounted(folder) as here:
        for name in names:
            base = simulator.url + BASES[dialect]
            account = Account(name, name, dialect, base, KEY, models=("fast",))
            await here.composed.parts.storage.configs.put_account(account, actor="test")
        yield here


@pytest.fixture
async def simulator(anyio_backend: str) -> AsyncIterator[Simulator]:
    async with Simulator() as running:
        yield running


async def ask(
    here: Mounted, source: Dialect, model: str, chat: Chat, *, stream: bool
) -> httpx.Response:
    """Send a chat as a client of a dialect would."""
    body = codec(source).render_request(structs.replace(chat, stream=stream), model=model).body
    path = CHATS[source].replace("one/m", model)
    if source == "gemini" and stream:
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
    return await here.client.post(path, content=body, headers={"content-type": "application/json"})


async def run(
    here: Mounted, simulator: Simulator, pair: tuple[Dialect, Dialect], case: Case
) -> list[object]:
    """Give what is wrong with a case of a pair, streamed and whole."""
    source, target = pair
    wrong: list[object] = []
    answers: list[Answer] = []
    for stream in (False, True):
        does = Directives(latency=0, pace=0, chunk=1, **case.does)
        simulator.control.set(does, requests=1)
        response = await ask(here, source, "one/fast", case.chat, stream=stream)
        if response.status_code != 200:
            simulator.control.clear()
            return [(stream, response.status_code, response.text[:500])]
        heard = VOICES[target].read(simulator.control.seen[-1].body)
        for name, value in case.heard.items():
            if getattr(heard, name) != value:
                wrong.append((stream, "heard", name, getattr(heard, name)))
        if case.carries not in simulator.control.seen[-1].body:
            wrong.append((stream, "carries", simulator.control.seen[-1].body[:500]))
        answers.append(_read(source, response.content, stream=stream))
        problem = case.seen(answers[-1], source, target)
        if problem is not None:
            wrong.append((stream, "seen", problem))
        if stream and source != target:
            # As the vendor's own clients fold it: everything must be there, and nothing twice.
            again = json.dumps(folded(source, response.content)).encode()
            answers.append(_read(source, again, stream=False))
    whole, *streamed = (
        _comparable(answer, ordered="openai_chat" not in pair) for answer in answers
    )
    wrong += [("differs", whole, other) for other in streamed if other != whole]
    return wrong


def _read(dialect: Dialect, body: bytes, *, stream: bool) -> Answer:
    if not stream:
        return fold(codec(dialect).parse_answer(body), HEAD)
    deltas = list(codec(dialect).reader().feed(body))
    assert deltas[-1].ended, "a stream without its end"
    return fold(deltas, HEAD)


def _comparable(answer: Answer, *, ordered: bool) -> Answer:
    """Give an answer without what is made anew for every request.

    A whole chat message has a field for each kind of part, so that their order is not told.
    """
    parts = [
        structs.replace(part, call_id="") if isinstance(part, ToolCall) else part
        for part in answer.parts
    ]
    if not ordered:
        parts.sort(key=lambda part: type(part).__name__)
    return structs.replace(answer, parts=tuple(parts))


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
async def test_every_case_of_a_pair(
    source: Dialect, target: Dialect, tmp_path: Path, simulator: Simulator
) -> None:
    wrong: dict[str, list[object]] = {}

    async with gateway(tmp_path, simulator, target, "one") as here:
        for name, case in CASES.items():
            if not case.without & {source, target}:
                found = await run(here, simulator, (source, target), case)
                wrong |= {name: found} if found else {}

    assert wrong == {}


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
async def test_what_breaks_off_is_never_taken_for_an_answer(
    source: Dialect, target: Dialect, tmp_path: Path, simulator: Simulator
) -> None:
    chat = Chat((user("one two three four five six"),))
    told: dict[str, object] = {}

    async with gateway(tmp_path, simulator, target, *BROKEN) as here:
        for name, fault in BROKEN.items():
            does = Directives(fault=fault, after=4, latency=0, pace=0, chunk=1)
            simulator.control.set(does, requests=1)
            response = await ask(here, source, f"{name}/fast", chat, stream=True)
            deltas = codec(source).reader().feed(response.content)
            told[fault] = (
                response.status_code,
                SAID.startswith("".join(delta.text for delta in deltas)[:20]),
                any(delta.error is not None for delta in deltas),
                [delta.finish for delta in deltas if delta.finish is not None],
            )

    assert told == dict.fromkeys(BROKEN.values(), (200, True, True, []))


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
async def test_a_whole_answer_that_fails_is_an_error_in_the_clients_words(
    source: Dialect, target: Dialect, tmp_path: Path, simulator: Simulator
) -> None:
    async with gateway(tmp_path, simulator, target, "one") as here:
        simulator.control.set(Directives(fault="hang_up", latency=0, pace=0), requests=None)

        response = await ask(here, source, "one/fast", Chat((user("hi"),)), stream=False)

    assert response.status_code >= 500
    assert codec(source).error_message(response.content)
    assert "error" in response.json()
