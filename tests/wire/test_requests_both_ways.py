"""What Anthropic's and Gemini's dialects can express is read as it was written, and is valid."""

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniroute.routing.conversation import Chat
from omniroute.routing.errors import BadRequest
from omniroute.routing.wire.table import codec

from .chats_anthropic_gemini import anthropic_chats, gemini_chats
from .vendor_rules import anthropic_faults, gemini_faults

CLAUDES = ("claude-opus-4-6", "claude-opus-5")
GEMINIS = ("gemini-2.5-flash", "gemini-3-flash-preview")
# A conversation is large to make: as many as find what one rule forgets.
EXAMPLES = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
MARKERS = "more cache markers than are taken"
"""A fault of the client's: all that it sets are kept."""


@pytest.mark.parametrize("model", CLAUDES)
@EXAMPLES
@given(data=st.data())
def test_anthropic_reads_every_chat_as_it_was_written(model: str, data: st.DataObject) -> None:
    chat = data.draw(anthropic_chats(model))

    rendered = codec("anthropic").render_request(chat, model=model)

    assert codec("anthropic").parse_request(rendered.body) == chat
    assert rendered.dropped == ()
    assert set(anthropic_faults(json.loads(rendered.body))) <= {MARKERS}


@pytest.mark.parametrize("model", GEMINIS)
@EXAMPLES
@given(data=st.data())
def test_gemini_reads_every_chat_as_it_was_written(model: str, data: st.DataObject) -> None:
    chat = data.draw(gemini_chats(model))

    rendered = codec("gemini").render_request(chat, model=model)

    assert codec("gemini").parse_request(rendered.body) == chat
    assert rendered.dropped == ()
    assert gemini_faults(json.loads(rendered.body)) == []


CHATS = st.one_of(*map(anthropic_chats, CLAUDES), *map(gemini_chats, GEMINIS))


@pytest.mark.parametrize("model", [*CLAUDES, "claude-haiku-4-5", "claude-3-5-sonnet-20241022"])
@EXAMPLES
@given(chat=CHATS)
def test_what_goes_to_anthropic_is_valid_there_or_refused(model: str, chat: Chat) -> None:
    with suppress(BadRequest):  # a sound, or a file of another kind
        body = codec("anthropic").render_request(chat, model=model).body

        assert set(anthropic_faults(json.loads(body))) <= {MARKERS}


@pytest.mark.parametrize("model", [*GEMINIS, "gemini-2.5-pro", "gemini-2.0-flash"])
@EXAMPLES
@given(chat=CHATS)
def test_what_goes_to_gemini_is_valid_there_or_refused(model: str, chat: Chat) -> None:
    with suppress(BadRequest):
        body = codec("gemini").render_request(chat, model=model).body

        assert gemini_faults(json.loads(body)) == []
