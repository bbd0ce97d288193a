"""What the names of scopes stand for, and what a key lacks."""

import pytest

from omniroute.routing.access import (
    ADMIN,
    LOCAL,
    LOCAL_CLI,
    OWNER,
    PRESETS,
    SCOPES,
    bound_by,
    expand_scopes,
    owner_of,
    require,
    require_one,
)
from omniroute.routing.errors import BadRequest, NotAllowed
from omniroute.routing.model import Caller

READS = frozenset({"read:health", "read:combos", "read:quota", "read:usage", "read:models"})
WRITES = frozenset({"write:combos", "write:route", "write:config"})


def key_with(*scopes: str) -> Caller:
    return Caller("abc", frozenset(scopes))


def lacking(held: str, *scopes: str) -> str | None:
    """Give the scope that a key is told it lacks, asked for one or for one of several."""
    try:
        if len(scopes) == 1:
            require(key_with(held), scopes[0])
        else:
            require_one(key_with(held), scopes)
    except NotAllowed as error:
        return error.scope
    return None


@pytest.mark.parametrize(
    ("name", "scopes"),
    [
        *((scope, {scope}) for scope in sorted(READS | WRITES)),
        (ADMIN, {ADMIN}),
        ("execute:completions", {"write:route"}),
        ("write:budget", {"write:config"}),
        ("write:resilience", {"write:config"}),
        ("readonly", READS),
        ("monitor", {"read:health", "read:quota", "read:usage"}),
        ("agent", READS | {"write:route"}),
        ("full", READS | WRITES),
        ("*", READS | WRITES),
        ("read:*", READS),
        ("write:*", WRITES),
        ("write:r*", {"write:route"}),
        ("read:health*", {"read:health"}),
        (" read:health\n", {"read:health"}),
    ],
)
def test_a_name_stands_for_its_scopes_and_none_beside_them(name: str, scopes: set[str]) -> None:
    assert expand_scopes([name]) == scopes


@pytest.mark.parametrize("name", ["", "read", "read:", "reads:*", "Admin", "admin*", "*read", "**"])
def test_a_name_that_is_none_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(BadRequest, match=r"no scope is named .*write:route.*admin") as refused:
        expand_scopes(["read:health", name])

    assert refused.value.field == "scopes"
    assert all(one in str(refused.value) for one in (*SCOPES, *PRESETS, "write:budget"))


def test_several_names_stand_for_what_each_does_and_none_for_nothing() -> None:
    assert expand_scopes(["monitor", "write:route", "admin"]) == {
        *("read:health", "read:quota", "read:usage", "write:route", "admin"),
    }
    assert expand_scopes([]) == frozenset()


@pytest.mark.parametrize("held", ["read:usage", ADMIN])
def test_a_key_is_let_in_by_the_scope_and_by_admin(held: str) -> None:
    assert lacking(held, "read:usage") is None


def test_a_key_that_lacks_a_scope_is_told_which() -> None:
    with pytest.raises(NotAllowed, match=r"key abc lacks scope read:usage; .*--scope") as refused:
        require(key_with("read:health", "write:config"), "read:usage")

    assert refused.value.scope == "read:usage"


@pytest.mark.parametrize("held", ["read:models", "write:route", ADMIN])
def test_of_several_scopes_one_is_enough(held: str) -> None:
    assert lacking(held, "read:models", "write:route") is None


def test_of_several_scopes_the_last_is_named_to_who_has_none() -> None:
    assert lacking("read:usage", "read:models", "read:combos", "write:route") == "write:route"


def test_who_has_no_key_is_bound_by_none_and_pays_as_who_is_at_the_machine() -> None:
    ids = (LOCAL, LOCAL_CLI, OWNER, "abc")

    bounds = [bound_by(Caller(key_id, frozenset())) for key_id in ids]

    assert bounds == [None, None, None, "abc"]
    assert [owner_of(key_id) for key_id in ids] == [LOCAL, LOCAL, LOCAL, "abc"]
