"""Event streams cut and split: any chunking gives the same events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.wire.sse import (
    Event,
    EventBlocks,
    SseSplitter,
    data_event,
    events_at,
    named_event,
)

from .answers import chunked

STREAM = (
    b": a comment\n\n"
    b"data: one\n\n"
    b"event: named\r\ndata: two\r\n\r\n"
    b"data:without a space\nid: 7\nretry: 10\n\n"
    b"event: many\ndata: first\ndata:\ndata: third\n\n"
    b"event: no data, so no event\n\n"
    b"data: \xc3\xa5\xe2\x82\xac\n\n"
)
EVENTS = [
    Event(b"", b"one"),
    Event(b"named", b"two"),
    Event(b"", b"without a space"),
    Event(b"many", b"first\n\nthird"),
    Event(b"", "å€".encode()),
]


def _split(feeds: list[bytes], bytes_max: int = 2**20) -> list[Event]:
    splitter = SseSplitter(bytes_max)
    return [event for feed in feeds for event in splitter.feed(feed)]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_any_chunking_gives_the_same_events(cuts: list[int]) -> None:
    assert _split(chunked(STREAM, cuts)) == EVENTS


def test_a_byte_at_a_time_gives_the_same_events() -> None:
    assert _split([STREAM[at : at + 1] for at in range(len(STREAM))]) == EVENTS


def test_the_mark_that_some_servers_begin_with_is_no_part_of_the_first_field() -> None:
    assert _split([b"\xef\xbb\xbfdata: one\n\n"]) == [Event(b"", b"one")]


def test_an_event_that_has_not_ended_is_not_given() -> None:
    splitter = SseSplitter()

    assert splitter.feed(b"data: one\n") == []
    assert splitter.feed(b"\n") == [Event(b"", b"one")]


@given(cuts=st.lists(st.integers(0, 300), max_size=5))
def test_an_event_past_the_limit_is_refused_however_it_comes(cuts: list[int]) -> None:
    stream = b"data: ok\n\n" + b"data: " + b"x" * 100 + b"\n\n" + b"data: ok\n\n"

    with pytest.raises(UpstreamFailure) as refused:
        _split(chunked(stream, cuts), bytes_max=100)

    assert refused.value.kind == "too_large"


def test_an_event_of_just_the_limit_passes() -> None:
    event = data_event(b"x" * 92)

    assert len(event) == 100
    assert len(_split([event * 3], bytes_max=100)) == 3


def test_an_endless_line_is_refused_while_it_comes() -> None:
    blocks = EventBlocks(100)
    blocks.feed(b"x" * 60)

    with pytest.raises(UpstreamFailure) as refused:
        blocks.feed(b"x" * 60)

    assert refused.value.kind == "too_large"


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html>\n<html>\n\n</html>\n\n",
        b'{"error": {"message": "no"}}\n\n',
        b"\x00\x01\n\n",
    ],
)
def test_what_is_no_event_stream_is_malformed(page: bytes) -> None:
    with pytest.raises(UpstreamFailure) as refused:
        _split([page])

    assert refused.value.kind == "malformed"


def test_written_events_are_read_back() -> None:
    written = data_event(b'{"a":1}') + named_event("ping", b"{}")

    assert _split([written]) == [Event(b"", b'{"a":1}'), Event(b"ping", b"{}")]


@given(
    events=st.lists(st.sampled_from([b"data: x", b"data: y\ndata: z", b": note"]), min_size=1),
    ends=st.lists(st.sampled_from([b"\n\n", b"\r\n\r\n", b"\n\r\n"]), min_size=1),
    positions=st.lists(st.integers(0, 400), max_size=9),
)
def test_the_events_at_positions_are_those_that_hold_them(
    events: list[bytes], ends: list[bytes], positions: list[int]
) -> None:
    whole = [event + ends[number % len(ends)] for number, event in enumerate(events)]
    block = b"".join(whole)
    inside = [at for at in positions if block[at : at + 1].strip()]

    spans = events_at(block, inside)

    begins = [len(b"".join(whole[:number])) for number in range(len(whole))]
    all_spans = [(begin, begin + len(one)) for begin, one in zip(begins, whole, strict=True)]
    wanted = [span for span in all_spans if any(span[0] <= at < span[1] for at in inside)]
    assert spans == wanted
