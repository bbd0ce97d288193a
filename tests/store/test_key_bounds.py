"""What one key may make of another, without a database: each bound on its own."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from omniroute.routing.errors import Conflict, NotAllowed, NotAuthenticated
from omniroute.routing.rates import Rates
from omniroute.server.store.key_bounds import KeysNow, stronger_in
from omniroute.server.store.key_terms import KeyRows, KeyTerms, StoredKey
from tests.store.key_rows import row_of

NOW = 1000.0
OWN = KeyTerms("own", ("read:health", "write:route"), ("groq/*", "fast"), rates=Rates(60, 1000, 5))
OWN = replace(OWN, expires_unix_s=2000.0)
ADMIN = KeyTerms("admin", ("admin",))


def keys(owned: Mapping[str, tuple[str, ...]] | None = None, **terms: KeyTerms) -> KeysNow:
    stored = {name: StoredKey(name, one, 0.0, "test") for name, one in terms.items()}
    return KeysNow(stored, owned or {})


@pytest.mark.parametrize(
    "terms",
    [
        OWN,
        replace(OWN, scopes=()),
        replace(OWN, scopes=("write:route",)),
        replace(OWN, models=("groq/llama*", "groq/*")),
        replace(OWN, models=("groq/*/x", "fast")),
        replace(OWN, expires_unix_s=1999.0),
        replace(OWN, rates=Rates(60, 999, 5)),
        replace(OWN, rates=Rates(1, 1, 1)),
        replace(OWN, enabled=False, keep_content=False, name="another"),
    ],
)
def test_what_is_within_is_not_stronger(terms: KeyTerms) -> None:
    assert stronger_in(terms, than=OWN) is None


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (replace(OWN, scopes=("read:health", "read:usage")), "carries read:usage"),
        (replace(OWN, scopes=("admin",)), "carries admin"),
        (replace(OWN, models=()), "every model, not fast, groq/* alone"),
        (replace(OWN, models=("fast", "openai/a")), "may use openai/a"),
        (replace(OWN, models=("g*",)), "may use g*"),
        (replace(OWN, expires_unix_s=2000.5), "ends later"),
        (replace(OWN, expires_unix_s=None), "or never"),
        (replace(OWN, rates=Rates(61, 1000, 5)), "requests_per_minute of 61, over 60"),
        (replace(OWN, rates=Rates(60, 1001, 5)), "tokens_per_minute of 1001, over 1000"),
        (replace(OWN, rates=Rates(60, 1000, 6)), "concurrency_max of 6, over 5"),
        (replace(OWN, rates=Rates(60, 1000)), "concurrency_max of any number, over 5"),
    ],
)
def test_what_is_beyond_is_named(terms: KeyTerms, words: str) -> None:
    told = stronger_in(terms, than=OWN)

    assert told is not None
    assert words in told


def test_admin_includes_every_scope_and_no_bound_is_no_bound() -> None:
    assert stronger_in(replace(OWN, scopes=("read:usage", "admin")), than=ADMIN) is None
    assert stronger_in(KeyTerms("all", ("write:route",)), than=ADMIN) is None


def test_a_key_touches_what_is_within_it_and_itself() -> None:
    now = keys(own=OWN, weak=replace(OWN, scopes=()), strong=ADMIN)

    now.check_touch("weak", "own")
    now.check_touch("own", "own")
    now.check_touch("strong", None)
    with pytest.raises(NotAllowed, match="strong, which carries admin"):
        now.check_touch("strong", "own")
    with pytest.raises(NotAuthenticated):
        now.check_touch("weak", "gone")
    assert now.keys["weak"].terms.scopes == ()


def test_who_is_switched_off_acts_no_more() -> None:
    now = keys(off=replace(ADMIN, enabled=False), weak=OWN)

    with pytest.raises(NotAuthenticated):
        now.check_touch("weak", "off")
    with pytest.raises(NotAuthenticated):
        now.check_terms(OWN, "off")


def test_terms_are_bound_by_their_maker_and_by_nobody_at_the_machine() -> None:
    now = keys(own=OWN)

    now.check_terms(replace(OWN, scopes=()), "own")
    now.check_terms(ADMIN, None)
    with pytest.raises(NotAllowed, match="key own cannot make a key that carries admin"):
        now.check_terms(ADMIN, "own")
    assert now.inherited(ADMIN, None) == ADMIN


def test_a_maker_hands_its_budgets_on() -> None:
    payers = {"payer": ("own-budget",), "child": ("childs",)}
    now = keys(
        payers,
        payer=replace(ADMIN, budget_ids=("team",)),
        child=replace(ADMIN, budget_ids=("team", "own-budget")),
        free=replace(ADMIN, budget_ids=("team",)),
    )
    wished = replace(OWN, budget_ids=("more",))

    child = now.inherited(wished, "payer")

    assert now.charged("payer") == {"team", "own-budget"}
    assert now.charged("nobody") == set()
    assert child.budget_ids == ("more", "own-budget", "team")
    now.check_charged("new", child, "payer")
    now.check_charged("new", wished, None)
    now.check_touch("child", "payer")
    with pytest.raises(NotAllowed, match="charged to own-budget, team"):
        now.check_charged("new", wished, "payer")
    with pytest.raises(NotAllowed, match="not charged to own-budget"):
        now.check_touch("free", "payer")
    now.check_charged("child", replace(ADMIN, budget_ids=("team", "own-budget")), "payer")


def test_budgets_that_a_key_owns_count_as_charged() -> None:
    now = keys({"payer": ("own",)}, payer=ADMIN)

    now.check_charged("payer", ADMIN, "payer")

    assert now.charged("payer") == {"own"}


def test_budgets_that_others_name_are_found() -> None:
    owned = {"payer": ("named", "alone")}
    now = keys(
        owned,
        payer=replace(ADMIN, budget_ids=("alone",)),
        child=replace(ADMIN, budget_ids=("named", "elsewhere")),
    )

    assert now.named_by_others("payer") == {"named"}
    assert now.named_by_others("child") == set()


@pytest.mark.parametrize(
    ("others", "left"),
    [
        ({}, False),
        ({"two": ADMIN}, True),
        ({"two": replace(ADMIN, enabled=False)}, False),
        ({"two": replace(ADMIN, scopes=("full",))}, False),
        ({"two": replace(ADMIN, expires_unix_s=NOW)}, False),
        ({"two": replace(ADMIN, expires_unix_s=NOW + 1)}, True),
    ],
    ids=["alone", "another", "off", "without the scope", "ended", "ending"],
)
@pytest.mark.parametrize(
    "after", [None, OWN, replace(ADMIN, enabled=False)], ids=["removed", "narrowed", "off"]
)
def test_the_last_who_may_manage_stays_while_keys_are_required(
    others: dict[str, KeyTerms], left: bool, after: KeyTerms | None
) -> None:
    now = keys(None, one=ADMIN, plain=OWN, **others)
    refused = False

    try:
        now.check_admin_left("one", after, now_unix_s=NOW, required=lambda count: count > 0)
    except Conflict as conflict:
        refused = "key one is the last one" in str(conflict)

    assert refused is not left


def test_it_may_go_where_keys_are_required_no_more_or_it_managed_nothing() -> None:
    counts: list[int] = []

    def required(count: int) -> bool:
        counts.append(count)
        return False

    keys(one=ADMIN, two=OWN).check_admin_left("one", None, now_unix_s=NOW, required=required)
    keys(one=ADMIN, two=OWN).check_admin_left("one", OWN, now_unix_s=NOW, required=required)
    ended = keys(one=replace(ADMIN, expires_unix_s=NOW))
    ended.check_admin_left("one", None, now_unix_s=NOW, required=bool)
    keys(one=ADMIN).check_admin_left("one", ADMIN, now_unix_s=NOW, required=bool)

    assert counts == [1, 2]


def test_where_nobody_manages_from_elsewhere_any_key_may_go() -> None:
    now, off = keys(one=OWN, two=OWN), replace(OWN, enabled=False)

    for after in (None, off, OWN):
        now.check_admin_left("one", after, now_unix_s=NOW, required=lambda count: True)

    assert set(now.keys) == {"one", "two"}


def test_keys_are_judged_as_they_were_read() -> None:
    now = KeysNow.of(KeyRows(7, [row_of("one", OWN)], {"one": ("b1",)}))

    assert now.keys == {"one": StoredKey("one", OWN, 5.0, "otto")}
    assert now.charged("one") == {"b1"}


def test_of_many_names_five_are_told() -> None:
    many = replace(OWN, models=tuple(f"openai/{number}" for number in range(7)))

    assert stronger_in(many, than=OWN) == "may use " + ", ".join(many.models[:5])
