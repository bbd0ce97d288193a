"""What is written in a dialect is read as it was: parse after render is the identity."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniroute.routing.model import Dialect
from omniroute.routing.wire.table import codec

from .chats import CAN, chats

# One that thinks and is not OpenAI's own: nothing is left out for it.
MODEL = "gpt-oss-120b"


@pytest.mark.parametrize("dialect", CAN)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_chat_is_read_as_it_was_written(dialect: Dialect, data: st.DataObject) -> None:
    chat = data.draw(chats(dialect))

    rendered = codec(dialect).render_request(chat, model=MODEL)

    assert codec(dialect).parse_request(rendered.body) == chat
    assert rendered.dropped == ()
