"""A forwarded answer is watched, not read."""

import gc
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.conversation import AnswerError, Delta, Usage
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Dialect
from omniroute.routing.wire.sniffing import summary
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, chunked, golden, read, sniffed, streamed

STREAMS: list[tuple[Dialect, str]] = [
    ("openai_chat", "text.stream"),
    ("openai_chat", "tools.stream"),
    ("openai_chat", "reasoning.stream"),
    ("anthropic", "text.stream"),
    ("anthropic", "tools.stream"),
    ("anthropic", "overloaded.stream"),
    ("openai_responses", "tools.stream"),
    ("gemini", "tools.stream"),
]
CUTS = st.lists(st.integers(0, 10_000), max_size=40)
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'


def _all(deltas: Sequence[Delta]) -> Delta:
    content = any(delta.content for delta in deltas)
    return summary(deltas, content=content)


def _chunk(delta: str, *, finish: str = "null", usage: str = "null") -> bytes:
    choice = f'{{"index":0,"delta":{delta},"finish_reason":{finish}}}'
    return f'data: {{"id":"c","model":"m","choices":[{choice}],"usage":{usage}}}\n\n'.encode()


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
@given(cuts=CUTS)
def test_any_chunking_is_read_alike(dialect: Dialect, case: str, cuts: list[int]) -> None:
    stream = golden(dialect, case)

    assert read(dialect, chunked(stream, cuts)) == read(dialect, [stream])


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
@given(cuts=CUTS)
def test_any_chunking_is_sniffed_alike(dialect: Dialect, case: str, cuts: list[int]) -> None:
    stream = golden(dialect, case)

    whole, parts = sniffed(dialect, [stream]), sniffed(dialect, chunked(stream, cuts))

    assert _all(parts) == _all(whole)
    assert len(parts) <= 4
    assert [delta.content for delta in parts].count(True) <= 1


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
def test_sniffing_finds_what_reading_finds(dialect: Dialect, case: str) -> None:
    stream = golden(dialect, case)
    deltas = read(dialect, [stream])

    (found,) = sniffed(dialect, [stream])

    assert found == summary(deltas, content=any(delta.has_content for delta in deltas))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_of_200_events_builds_at_most_four_deltas(dialect: Dialect) -> None:
    words = [Delta(text=f"word {number} ") for number in range(200)]
    ending = [Delta(finish="stop", ended=True), Delta(usage=Usage(10, 200), ended=True)]
    stream = streamed(dialect, [*words, *ending])
    feeds = [event + b"\n\n" for event in stream.split(b"\n\n")[:-1]]
    sniffer = codec(dialect).sniffer(stream=True)
    gc.collect()

    found, built = [], set[int]()
    for feed in feeds:
        found.append(sniffer.feed(feed))
        built |= {id(one) for one in gc.get_referrers(Delta) if isinstance(one, Delta)}

    assert len(feeds) >= 200
    deltas = [delta for delta in found if delta is not None]
    assert len(deltas) <= 4
    assert _all(deltas).content
    assert _all(deltas).usage == Usage(10, 200)
    assert _all(deltas).ended
