"""What a key's terms may be, how they are kept, and its secret: without any database."""

import hashlib
import hmac
import re
from dataclasses import replace

import msgspec
import pytest

from omniroute.routing.errors import BadRequest
from omniroute.routing.rates import Rates
from omniroute.server.store.key_secrets import (
    ID_PLACE,
    KEY_SHAPE,
    Secret,
    new_id,
    new_secret,
    nobodys,
    secret_of,
)
from omniroute.server.store.key_terms import (
    KeyTerms,
    StoredKey,
    checked_terms,
    facts_of,
    stored_key,
)
from omniroute.server.store.keyring import KeyRing, RingKey
from tests.store.key_rows import row_of

NOW_S = 1_700_000_000.0
PLAIN = KeyTerms("an agent", ("write:route",))
FULL = KeyTerms(
    "everything",
    ("read:health", "write:route"),
    models=("fast", "groq/*"),
    budget_ids=("team", "all"),
    expires_unix_s=NOW_S + 60,
    keep_content=False,
    enabled=False,
    rates=Rates(60, 1000, 5),
)
"""Nothing of it is as it is by default, but what a key that keeps nothing cannot have."""
LOGGED = replace(PLAIN, log_content=True)


def field_of_refusal(terms: KeyTerms, before: KeyTerms | None = None) -> str | None:
    """Give the field that terms are refused for, None where they are not."""
    try:
        checked_terms(terms, now_unix_s=NOW_S, before=before)
    except BadRequest as error:
        return error.field
    return None


@pytest.mark.parametrize(
    "terms",
    [
        replace(PLAIN, name="x"),
        replace(PLAIN, name="x" * 200),
        replace(PLAIN, name="Schl\u00fcssel eins"),
        replace(PLAIN, scopes=()),
        replace(PLAIN, models=("x",)),
        replace(PLAIN, models=("x" * 256, "two words")),
        replace(PLAIN, models=tuple(f"m{number}" for number in range(1000))),
        replace(PLAIN, expires_unix_s=NOW_S + 0.001),
        LOGGED,
        replace(PLAIN, keep_content=False),
        replace(PLAIN, rates=Rates(1, 1, 1)),
        replace(PLAIN, rates=Rates(10**9, 10**9, 10**9)),
    ],
)
def test_terms_at_their_bounds_are_as_they_were_wished_for(terms: KeyTerms) -> None:
    assert checked_terms(terms, now_unix_s=NOW_S) == terms


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (replace(PLAIN, name=""), "name"),
        (replace(PLAIN, name="x" * 201), "name"),
        (replace(PLAIN, name="two\nlines"), "name"),
        (replace(PLAIN, scopes=("write:route", "nothing")), "scopes"),
        (replace(PLAIN, models=("fast", "")), "models"),
        (replace(PLAIN, models=("x" * 257, "fast")), "models"),
        (replace(PLAIN, models=("two\nlines",)), "models"),
        (replace(PLAIN, models=(" fast",)), "models"),
        (replace(PLAIN, models=("fast ",)), "models"),
        (replace(PLAIN, models=tuple(f"m{number}" for number in range(1001))), "models"),
        (replace(PLAIN, expires_unix_s=NOW_S), "expires_unix_s"),
        (replace(PLAIN, expires_unix_s=NOW_S - 1), "expires_unix_s"),
        (replace(PLAIN, expires_unix_s=0.0), "expires_unix_s"),
        (replace(PLAIN, expires_unix_s=float("nan")), "expires_unix_s"),
        (replace(LOGGED, keep_content=False), "log_content"),
        (replace(PLAIN, rates=Rates(0, 1, 1)), "requests_per_minute"),
        (replace(PLAIN, rates=Rates(1, 0, 1)), "tokens_per_minute"),
        (replace(PLAIN, rates=Rates(1, 1, 10**9 + 1)), "concurrency_max"),
        (replace(PLAIN, rates=Rates(None, None, -1)), "concurrency_max"),
    ],
)
def test_terms_beyond_a_bound_are_refused_with_their_field(terms: KeyTerms, field: str) -> None:
    assert field_of_refusal(terms) == field
    assert field_of_refusal(terms, before=PLAIN) == field


def test_what_is_refused_says_what_may_be() -> None:
    with pytest.raises(BadRequest, match="1 to 200 printable"):
        checked_terms(replace(PLAIN, name=""), now_unix_s=NOW_S)
    with pytest.raises(BadRequest, match="of 1 to 256 printable"):
        checked_terms(replace(PLAIN, models=("",)), now_unix_s=NOW_S)
    with pytest.raises(BadRequest, match="at most 1000 models"):
        checked_terms(replace(PLAIN, models=("m",) * 1001), now_unix_s=NOW_S)
    with pytest.raises(BadRequest, match=r"ends in the future: .* revoke it"):
        checked_terms(replace(PLAIN, expires_unix_s=1.0), now_unix_s=NOW_S)
    with pytest.raises(BadRequest, match="from 1 to 1000000000, or null") as refused:
        checked_terms(replace(PLAIN, rates=Rates(0)), now_unix_s=NOW_S)

    assert refused.value.field == "requests_per_minute"


def test_an_end_that_is_over_may_stay_and_no_other_may_come() -> None:
    over = replace(PLAIN, expires_unix_s=NOW_S - 5)

    assert field_of_refusal(replace(over, name="late"), before=over) is None
    assert field_of_refusal(replace(over, expires_unix_s=NOW_S - 4), before=over) is not None
    assert field_of_refusal(replace(over, expires_unix_s=None), before=over) is None
    assert field_of_refusal(replace(over, expires_unix_s=NOW_S + 1), before=over) is None


def test_scopes_are_spelled_out_and_what_is_named_twice_stands_once() -> None:
    wished = KeyTerms(
        "x",
        ("monitor", "execute:completions", "read:health"),
        models=("b", "a", "b"),
        budget_ids=("2", "1", "2"),
    )

    terms = checked_terms(wished, now_unix_s=NOW_S)

    assert terms.scopes == ("read:health", "read:quota", "read:usage", "write:route")
    assert (terms.models, terms.budget_ids) == (("b", "a"), ("2", "1"))


def test_the_audit_is_told_everything_and_rates_where_there_are_any() -> None:
    assert facts_of(FULL) == {
        "name": "everything",
        "scopes": ("read:health", "write:route"),
        "models": ("fast", "groq/*"),
        "budget_ids": ("team", "all"),
        "expires_unix_s": NOW_S + 60,
        "enabled": False,
        "keep_content": False,
        "log_content": False,
        "requests_per_minute": 60,
        "tokens_per_minute": 1000,
        "concurrency_max": 5,
    }
    assert facts_of(PLAIN) == {
        "name": "an agent",
        "scopes": ("write:route",),
        "models": (),
        "budget_ids": (),
        "expires_unix_s": None,
        "enabled": True,
        "keep_content": True,
        "log_content": False,
    }
    assert facts_of(LOGGED)["log_content"] is True


@pytest.mark.parametrize("terms", [FULL, PLAIN, LOGGED])
def test_terms_come_back_from_their_row_as_they_went(terms: KeyTerms) -> None:
    row = row_of("abc", terms)

    stored = stored_key({**row, "rolled_unix_s": 7.0, "old_until_unix_s": 9.0})
    fresh = stored_key(row)

    assert msgspec.json.decode(row["scopes"]) == list(terms.scopes)
    assert stored == StoredKey("abc", terms, 5.0, "otto", 7.0, 9.0)
    assert fresh == StoredKey("abc", terms, 5.0, "otto", None, None)
    assert isinstance(stored.created_unix_s, float)
    flags = (stored.terms.keep_content, stored.terms.log_content, stored.terms.enabled)
    assert {type(one) for one in flags} == {bool}


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing((RingKey(b"x" * 32),))


def test_a_new_secret_has_the_shape_of_ours_and_is_kept_under_the_pepper(ring: KeyRing) -> None:
    key_id = new_id()

    text, digest, pepper_id = new_secret(key_id, ring.newest)

    assert KEY_SHAPE.fullmatch(text)
    assert re.fullmatch("[a-z2-7]{12}", key_id)
    assert text[ID_PLACE] == key_id == text[8:20]
    assert text[:8] + text[20:21] == "sk-omni--"
    assert len(text) == 64
    assert pepper_id == ring.newest.key_id
    pepper = ring.newest.for_use("pepper")
    assert digest == hmac.new(pepper, text.encode(), hashlib.sha256).digest()


def test_ids_and_secrets_are_never_the_same_again(ring: KeyRing) -> None:
    ids = {new_id() for _ in range(200)}
    texts = {new_secret("aaaaaaaaaaaa", ring.newest)[0] for _ in range(200)}

    assert len(ids) == len(texts) == 200
    assert all(len({one[place] for one in ids}) > 4 for place in range(12))


@pytest.mark.parametrize(
    "text",
    [
        *("", "sk-omni-", "sk-omni-aaaaaaaaaaaa", "sk-omni-aaaaaaaaaaaa-"),
        f"sk-omni-aaaaaaaaaaaa-{'x' * 42}",
        f"sk-omni-aaaaaaaaaaaa-{'x' * 44}",
        f"sk-omni-aaaaaaaaaaaA-{'x' * 43}",
        f"sk-omni-aaaaaaaaaaa1-{'x' * 43}",
        f"sk-omni-aaaaaaaaaaaaa{'x' * 43}",
        f"sk-omni-aaaaaaaaaaaa-{'x' * 42}=",
        f"sk-omni-aaaaaaaaaaaa-{'x' * 42}\u00fc",
        f" sk-omni-aaaaaaaaaaaa-{'x' * 43}",
        f"sk-omni-aaaaaaaaaaaa-{'x' * 43}\n",
    ],
)
def test_no_other_text_has_the_shape(text: str) -> None:
    assert KEY_SHAPE.fullmatch(text) is None
    assert KEY_SHAPE.fullmatch(f"sk-omni-abcdefghij27-{'x' * 41}-_") is not None


def test_a_secret_fits_its_own_text_alone(ring: KeyRing) -> None:
    text, digest, pepper_id = new_secret("aaaaaaaaaaaa", ring.newest)
    other, _, _ = new_secret("aaaaaaaaaaaa", ring.newest)
    kept = secret_of(ring, pepper_id, digest)
    rolled = secret_of(ring, pepper_id, digest, NOW_S)

    assert kept is not None
    assert rolled is not None
    assert (kept.fits(text.encode()), kept.fits(other.encode())) == (True, False)
    assert (rolled.fits(text.encode()), rolled.until_unix_s, kept.until_unix_s) == (
        *(True, NOW_S, None),
    )
    assert secret_of(ring, "lost", digest) is None


def test_nothing_fits_nobodys_secret_and_no_two_are_the_same(ring: KeyRing) -> None:
    text, _, _ = new_secret("aaaaaaaaaaaa", ring.newest)
    nobody, nobody_else = nobodys(), nobodys()

    assert not nobody.fits(text.encode())
    assert nobody != nobody_else
    assert nobody.digest != nobody.pepper
    assert [len(one) for one in (nobody.digest, nobody.pepper)] == [32, 32]
    assert nobody.until_unix_s is None


def test_a_secret_says_nothing_of_itself(ring: KeyRing) -> None:
    _, digest, pepper_id = new_secret("aaaaaaaaaaaa", ring.newest)

    shown = repr(secret_of(ring, pepper_id, digest, NOW_S))

    assert shown == f"Secret(until_unix_s={NOW_S})"
    assert repr(Secret(b"a digest", b"a pepper")) == "Secret(until_unix_s=None)"


def test_a_ring_with_another_newest_key_still_fits_what_was_kept_before(ring: KeyRing) -> None:
    text, digest, pepper_id = new_secret("aaaaaaaaaaaa", ring.newest)
    another = RingKey(b"y" * 32)
    grown = KeyRing((another, *ring.keys))

    kept = secret_of(grown, pepper_id, digest)
    strange = secret_of(grown, another.key_id, digest)

    assert kept is not None
    assert kept.fits(text.encode())
    assert strange is not None
    assert not strange.fits(text.encode())
