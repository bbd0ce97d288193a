"""What is written in a dialect is read as it was: parse after render is the identity.

And it is what the vendor takes: the types of OpenAI's own library judge each body.
"""

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniroute.routing.conversation import Chat
from omniroute.routing.errors import Inexpressible
from omniroute.routing.model import Dialect
from omniroute.routing.wire.table import codec

from .chats import CAN, chats
from .chats_anthropic_gemini import anthropic_chats, gemini_chats
from .openai_types import check

# One that thinks and is not OpenAI's own: nothing is left out for it.
MODEL = "gpt-oss-120b"
MODELS = st.sampled_from([MODEL, "gpt-5.5", "gpt-4o", "llama-3.3-70b"])


@pytest.mark.parametrize("dialect", CAN)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_chat_is_read_as_it_was_written(dialect: Dialect, data: st.DataObject) -> None:
    chat = data.draw(chats(dialect))

    rendered = codec(dialect).render_request(chat, model=MODEL)

    assert codec(dialect).parse_request(rendered.body) == chat
    assert rendered.dropped == ()
    check(dialect, json.loads(rendered.body))


@pytest.mark.parametrize("dialect", CAN)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    chat=st.one_of(
        *(chats(dialect) for dialect in CAN),
        anthropic_chats("claude-opus-5"),
        gemini_chats("gemini-3-flash-preview"),
    ),
    model=MODELS,
)
def test_any_dialects_chat_is_one_that_openai_takes(
    dialect: Dialect, chat: Chat, model: str
) -> None:
    with suppress(Inexpressible):
        body = json.loads(codec(dialect).render_request(chat, model=model).body)

        check(dialect, body)
        assert codec(dialect).parse_request(json.dumps(body).encode())
