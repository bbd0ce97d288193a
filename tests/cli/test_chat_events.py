"""A stream's events, however its bytes are cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from omniroute.server.cli.chat import events

STREAM = (
    b': keep-alive\n\ndata: {"choices": [{"delta": {"content": "h\xc3\xa9"}}]}\n\n'
    b'data:{"choices": []}\r\n\r\nevent: x\ndata: [DONE]\n\n'
)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_any_cutting_of_the_bytes_gives_the_same_events(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[begin:end] for begin, end in pairwise(places)]

    found = list(events(iter(chunks)))

    assert found == [
        b'{"choices": [{"delta": {"content": "h\xc3\xa9"}}]}',
        b'{"choices": []}',
        b"[DONE]",
    ]
