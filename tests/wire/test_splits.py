"""A stream cut in two at every byte says the same: everything that a provider can say is in it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.conversation import Usage
from omniroute.routing.model import Dialect
from omniroute.routing.simulator.director import IMAGE, UNREADABLE
from omniroute.routing.simulator.script import Picture, Script, Speech, Thought, ToolUse
from omniroute.routing.simulator.voices.table import VOICES
from omniroute.routing.simulator.voices.voice import Occasion
from omniroute.routing.wire.fold import fold
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, HEAD, chunked, folded, read, streamed

NOW = Occasion("0123456789ab", 1_790_000_000)
USAGE = Usage(100, 40, 30, 20, 7, 5)
EVERYTHING = Script(
    model="m",
    steps=(
        Thought(("Hm, ", "wörds \U0001f600"), tagged=True),
        Thought((UNREADABLE,), secret=True),
        Speech(("Yes", ", so\r\n", '"quoted"')),
        ToolUse("get_weather", ('{"city":', '"Oslo"}')),
        ToolUse("get_time", ("{}",)),
        Picture((IMAGE,)),
        Speech(("No.",), refuses=True),
    ),
    finish="tool_calls",
    usage=USAGE,
    logprobs=True,
)


def _spoken(dialect: Dialect) -> bytes:
    return b"".join(event.data for event in VOICES[dialect].events(EVERYTHING, NOW))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_cut_in_two_anywhere_gives_the_same_deltas(dialect: Dialect) -> None:
    stream = _spoken(dialect)
    whole = read(dialect, [stream])

    different = [
        cut for cut in range(1, len(stream)) if read(dialect, [stream[:cut], stream[cut:]]) != whole
    ]

    assert different == []
    assert whole[-1].ended


@pytest.mark.parametrize("dialect", DIALECTS)
@given(cuts=st.lists(st.integers(0, 10_000), max_size=30))
def test_any_chunking_gives_the_same_deltas(dialect: Dialect, cuts: list[int]) -> None:
    stream = _spoken(dialect)

    assert read(dialect, chunked(stream, cuts)) == read(dialect, [stream])


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
def test_what_a_provider_streams_reaches_every_client_as_its_whole_answer(
    source: Dialect, target: Dialect
) -> None:
    stream = _spoken(source)
    deltas = read(source, [stream[at : at + 1] for at in range(len(stream))])

    written = streamed(target, deltas)

    whole = json.loads(codec(target).render_answer(deltas, HEAD))
    assert folded(target, written) == whole


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_whole_answer_says_what_the_stream_says(dialect: Dialect) -> None:
    whole = fold(codec(dialect).parse_answer(VOICES[dialect].answer(EVERYTHING, NOW)), HEAD)
    stream = fold(read(dialect, [_spoken(dialect)]), HEAD)

    names = ["text", "refusal", "reasoning", "calls", "images", "usage", "finish"]
    if dialect != "openai_chat":  # whose whole text says not which tokens are the thought's
        names.append("logprobs")
    for name in names:
        assert getattr(whole, name) == getattr(stream, name), name
