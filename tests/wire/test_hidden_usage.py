"""Usage of a stream whose client did not ask for it: asked for, counted, and not shown."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.wire.openai_chat.usage import UsageHider, ask_for_usage, usage_wanted
from omniroute.routing.wire.splice import fields_of

USAGE = b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
CHUNK = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}\n\n'
DONE = b"data: [DONE]\n\n"
COMMENT = b": keep-alive\n\n"


@pytest.mark.parametrize(
    "given_options", [{}, {"stream_options": None}, {"stream_options": {"include_usage": False}}]
)
def test_a_stream_without_usage_asks_for_it(given_options: dict[str, object]) -> None:
    body = json.dumps({"model": "m", "stream": True, **given_options}).encode()

    asking = ask_for_usage(body)

    assert asking is not None
    assert asking == ask_for_usage(body, wanted=usage_wanted(fields_of(body)))
    assert json.loads(asking)["stream_options"] == {"include_usage": True}
    assert json.loads(asking)["model"] == "m"


@pytest.mark.parametrize("options", ['{"include_usage": true}', '"nonsense"'])
def test_a_client_that_asked_or_sent_nonsense_keeps_its_own_words(options: str) -> None:
    body = f'{{"model": "m", "stream": true, "stream_options": {options}}}'.encode()

    assert ask_for_usage(body) is None
    assert ask_for_usage(body, wanted=usage_wanted(fields_of(body))) is None


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("", False),
        (',"mod\\u0065l":"m"', False),
        (',"stream_options":{"include_usage":true,"x":1}', True),
        (',"stream\\u005foptions":{"include_usage":true}', True),
        (',"stream_options":{"include_usage":false}', None),
        (',"stream_options":{}', None),
        (',"stream_options":null', None),
        (',"stream_options":"nonsense"', None),
        (',"tools":[{"stream_options":{"include_usage":true}}]', False),
    ],
)
def test_what_a_client_says_of_usage_is_known_from_its_own_field(
    options: str, wanted: bool | None
) -> None:
    body = f'{{"messages":[]{options}}}'.encode()

    assert usage_wanted(fields_of(body)) is wanted


@given(cuts=st.lists(st.integers(0, 500), max_size=8))
def test_only_the_usage_chunk_is_taken_out_however_the_bytes_are_cut(cuts: list[int]) -> None:
    stream = CHUNK + COMMENT + CHUNK + USAGE + DONE
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    hider = UsageHider()

    shown = b"".join(hider.feed(stream[start:end]) for start, end in pairwise(edges))

    assert shown + hider.rest() == CHUNK + COMMENT + CHUNK + DONE


def test_a_stream_that_breaks_off_keeps_what_came_of_its_last_event() -> None:
    hider = UsageHider()

    shown = hider.feed(CHUNK + CHUNK[:20])

    assert (shown, hider.rest()) == (CHUNK, CHUNK[:20])


def test_carriage_returns_are_kept_as_they_come() -> None:
    windows = [part.replace(b"\n", b"\r\n") for part in (CHUNK, USAGE, DONE)]

    assert UsageHider().feed(b"".join(windows)) == windows[0] + windows[2]
