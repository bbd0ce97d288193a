"""Bodies that the management API takes: what nothing would read is refused, with its place."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import BadRequest
from omniroute.server.api.bodies import DEPTH_MAX, decoded, merged
from omniroute.server.api.combos import rows
from omniroute.server.autos_json import AutoJson
from omniroute.server.combos_json import ComboModelJson, ComboWish
from omniroute.server.management import AccountWish
from omniroute.server.management_keys import KeyWish
from tests.fakes import world
from tests.management.routes import api

COMBO = ComboWish("team", (ComboModelJson("sim/fast", 3),), "weighted", "Ours.", retries=2)


def refusal(data: bytes, kind: type[object]) -> tuple[str, str | None]:
    with pytest.raises(BadRequest) as told:
        decoded(data, kind)
    return str(told.value), told.value.field


@pytest.mark.parametrize(
    ("data", "kind", "field", "words"),
    [
        (b'{"name":"a","models":[],"strategi":"x"}', ComboWish, "strategi", "strategy"),
        (b'{"name":"a","models":[{"target":"m","w":1}]}', ComboWish, "models[0].w", "weight"),
        (b'{"budget":{"cap":1}}', KeyWish, "budget.cap", "cap_usd_nanos"),
        (b'{"type":"auto","id":"a","name":"A","pool":[]}', AutoJson, "pool", "candidatePool"),
        (b'{"name":1,"models":[]}', ComboWish, "name", "str"),
        (b'{"name":"a","models":[{"target":2}]}', ComboWish, "models[0].target", "str"),
        (b'{"name":"a"}', ComboWish, None, "models"),
        (b'{"name":"a","name":"b","models":[]}', ComboWish, None, "'name' stands twice"),
        (b'{"name":"a\\u0000","models":[]}', ComboWish, "name", "U+0000"),
        (b'{"provider":"own","headers":{"a\\u0000":"b"}}', AccountWish, "headers", "U+0000"),
        (b"", ComboWish, None, "empty"),
        (b"[1", ComboWish, None, "truncated"),
        (b"[]", ComboWish, None, "object"),
        (b"\xff", ComboWish, None, "malformed"),
        (b'{"name":"\\ud800","models":[]}', ComboWish, None, ""),
        (b'{"name":NaN}', ComboWish, None, "malformed"),
        (b'{"name":"a","models":[],"total_s":1e999}', ComboWish, None, "range"),
        (b'{"name":' + b"9" * 5000 + b"}", ComboWish, None, "range"),
        (b"[" * 100_000, ComboWish, None, "deeper"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, ComboWish, "a", "not a field"),
        (b"[" * 80 + b"]" * 80, ComboWish, None, f"deeper than {DEPTH_MAX}"),
    ],
)
def test_a_body_that_is_not_right_is_refused_with_its_place(
    data: bytes, kind: type[object], field: str | None, words: str
) -> None:
    told, place = refusal(data, kind)

    assert words in told
    assert place == field


def test_a_name_that_is_refused_is_shown_short_and_escaped() -> None:
    name = "\r\n\x1b[31m" + "x" * 100_000

    told, place = refusal(msgspec.json.encode({name: 1}), ComboWish)

    assert len(told) < 1000
    assert told.isprintable()
    assert len(place or "") == 200


def test_headers_of_an_account_may_have_any_name() -> None:
    wish = decoded(b'{"provider":"own","headers":{"x-any":"1","x-more":"2"}}', AccountWish)

    assert wish.headers == {"x-any": "1", "x-more": "2"}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (b"{}", {}),
        (b'{"description":"Theirs."}', {"description": "Theirs."}),
        (b'{"description":null,"retries":null}', {"description": "", "retries": None}),
        (b'{"models":[{"target":"a"}]}', {"models": [{"target": "a", "weight": 0}]}),
    ],
)
def test_a_merge_patch_changes_what_it_names(patch: bytes, expected: dict[str, object]) -> None:
    found = merged(patch, COMBO)

    assert json.loads(msgspec.json.encode(found)) == {
        **json.loads(msgspec.json.encode(COMBO)),
        **expected,
    }


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (b'{"name":null}', "name"),
        (b'{"retries":"2"}', "int"),
        (b'{"retrys":2}', "retries"),
        (b"[]", "object"),
        (b"null", "object"),
    ],
)
def test_a_merge_patch_that_leads_nowhere_is_refused(patch: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        merged(patch, COMBO)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=JSON)
def test_whatever_is_sent_is_a_value_or_a_bad_request(value: object) -> None:
    data = msgspec.json.encode(value)

    try:
        found: object = decoded(data, KeyWish)
    except BadRequest as error:
        found = error

    assert isinstance(found, KeyWish | BadRequest)


@given(data=st.binary())
def test_bytes_that_are_no_json_are_a_bad_request(data: bytes) -> None:
    try:
        found: object = decoded(data, KeyWish)
    except BadRequest as error:
        found = error

    assert isinstance(found, KeyWish | BadRequest)


@pytest.mark.anyio
async def test_deep_nesting_is_a_bad_request_and_no_fault() -> None:
    routes = api(*rows(world().gateway))
    body: object = 1
    for _ in range(500):
        body = [body]

    told = await routes.call("POST", "/api/combos", {"name": body})

    assert told.status_code == 400


@pytest.mark.parametrize(
    "data",
    [
        b'{"provider":"own","key":["sk-fake-canary"]}',
        b'{"provider":"own","key":"sk-fake-canary","models":"sk-fake-canary"}',
        b'{"provider":"own","key":"sk-fake-canary","key":"sk-fake-canary"}',
        b'{"provider":"own","key":"sk-fake-canary\\u0000"}',
        b'{"provider":"own","headers":{"authorization":{"sk-fake-canary":1}}}',
        b'{"provider":"own","key":"sk-fake-canary"',
        b'"sk-fake-canary"',
    ],
)
def test_what_is_refused_does_not_repeat_a_value(data: bytes) -> None:
    told, place = refusal(data, AccountWish)

    assert "canary" not in f"{told} {place}"
