"""Requests as a guard leaves them: how deep it looks, and what of a form."""

import json

import pytest

from omniroute.routing.content import Mode
from omniroute.routing.errors import BadRequest
from omniroute.routing.guarding.body import json_text, looked_at
from omniroute.routing.guarding.pii import PiiGuard
from omniroute.routing.guarding.text import Watch
from omniroute.routing.model import Features, Operation
from omniroute.routing.wire.services.form import form_in

MAIL = "a@b.co"
SHOWN = "[EMAIL_REDACTED]"


def watch(mode: Mode = "redact") -> Watch:
    return Watch(PiiGuard(), mode, ())


def operation(body: bytes) -> Operation:
    return Operation("chat", "openai_chat", body, Features(input_tokens_max=100), model_at=3)


@pytest.mark.parametrize(("wraps", "is_found"), [(0, True), (1, True), (2, True), (3, False)])
def test_json_in_a_field_is_looked_into_so_deep(wraps: int, is_found: bool) -> None:
    # Escaped, so that only who reads it as JSON sees an address.
    text = r'{"mail": "a\u0040b.co"}'
    for _ in range(wraps):
        text = json.dumps({"inside": text})

    changed = looked_at(operation(text.encode()), watch())

    assert (SHOWN.encode() in changed.body) is is_found


@pytest.mark.parametrize("begin", ["[see ", "{see ", "  [", '{"x": '])
def test_a_text_that_only_begins_like_json_is_looked_at_as_text(begin: str) -> None:
    text = f"{begin}{MAIL} and 4111111111111111"

    assert json_text(text, watch()) == f"{begin}{SHOWN} and [CARD_REDACTED]"


@pytest.mark.parametrize(
    ("mail", "bound"), [("a" * 30 + "@b.co", 100), ("a@bcdefgh.info.example", 100), (MAIL, 110)]
)
def test_the_bound_on_tokens_grows_with_the_body_and_never_shrinks(mail: str, bound: int) -> None:
    body = json.dumps({"content": mail}).encode()

    changed = looked_at(operation(body), watch())

    assert changed.body == json.dumps({"content": SHOWN}).encode()
    assert changed.features.input_tokens_max == bound


def test_a_body_may_begin_with_blanks() -> None:
    changed = looked_at(operation(b' \r\n{"content":"a@b.co"}'), watch())

    assert changed.body == b' \r\n{"content":"[EMAIL_REDACTED]"}'


def form(*parts: tuple[str, str]) -> bytes:
    """Give a form of heads and values."""
    lines = "".join(f"--bound\r\n{head}\r\n\r\n{value}\r\n" for head, value in parts)
    return f"{lines}--bound--\r\n".encode()


def field(name: str, value: str) -> tuple[str, str]:
    return f'Content-Disposition: form-data; name="{name}"', value


def file(name: str, value: str = "RIFF a@b.co") -> tuple[str, str]:
    head = f'Content-Disposition: form-data; name="file"; filename{name}'
    return f"{head}\r\nContent-Type: audio/wav", value


def test_the_texts_of_a_form_are_looked_at_and_its_file_is_not() -> None:
    asked = form(
        field("model", MAIL),
        field("prompt", f"write to {MAIL}"),
        file('="talk.wav"'),
        field("known_speakers[]", '{"mail": "a\\u0040b.co"}'),
        field("user_id", MAIL),
    )

    changed = looked_at(operation(asked), watch())

    assert changed.body == form(
        field("model", MAIL),
        field("prompt", f"write to {SHOWN}"),
        file('="talk.wav"'),
        field("known_speakers[]", f'{{"mail": "{SHOWN}"}}'),
        field("user_id", MAIL),
    )
    assert changed.features.input_tokens_max == 100 + len(changed.body) - len(asked)
    assert changed.model_at is None


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ('="a@b.co.wav"', f'="{SHOWN}"'),
        ('="a@b.co 12.wav"', f'="{SHOWN} 12.wav"'),
        ("=a@b.co", f"={SHOWN}"),
        ('="a%40b.co; x%22%0d%0ay.wav"', f'="{SHOWN}; x%22%0d%0ay.wav"'),
        ('="größe a@b.co 1.wav"', f'="größe {SHOWN} 1.wav"'),
        ("*=UTF-8''a%40b.co%20%C3%A9%25%3b1", "*=UTF-8''%5BEMAIL_REDACTED%5D%20%C3%A9%25%3b1"),
        ("=\"x\"; filename*=utf-8'en'a@b.co", "=\"x\"; filename*=utf-8'en'%5BEMAIL_REDACTED%5D"),
    ],
)
def test_the_name_of_a_file_is_looked_at_as_what_it_stands_for(name: str, left: str) -> None:
    changed = looked_at(operation(form(file(name), field("model", "m"))), watch())

    assert changed.body == form(file(left), field("model", "m"))
    assert [part.is_file for part in form_in(changed.body).parts] == [True, False]


@pytest.mark.parametrize("name", ['="talk%20.wav"', "*=UTF-8''t%C3%A9%5B1%5D", '="a b.wav"', '=""'])
def test_a_form_in_which_nothing_is_found_is_the_same_object(name: str) -> None:
    asked = operation(form(file(name), field("prompt", "names: Ann, Bob")))

    assert looked_at(asked, watch()) is asked


def test_what_a_form_holds_is_counted_and_left_where_nothing_is_replaced() -> None:
    asked, looked = operation(form(field("prompt", MAIL), file('="a@b.co"'))), watch("warn")

    assert looked_at(asked, looked) is asked
    assert dict(looked.found) == {"email": 2}


def test_a_text_of_a_form_that_is_not_unicode_stays_as_it_is() -> None:
    asked = form(field("prompt", "x a@b.co")).replace(b"x", b"\xff")

    assert looked_at(operation(asked), watch()).body == asked.replace(b"a@b.co", SHOWN.encode())


def test_a_form_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadRequest, match="not a valid multipart/form-data"):
        looked_at(operation(b"--form\r\n4111111111111111"), watch())
