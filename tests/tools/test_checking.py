"""Arguments that are JSON to Python and to nobody else."""

from typing import Any

import pytest

from omniroute.routing.errors import BadRequest
from omniroute.tools.checking import checked, compiled
from omniroute.tools.routes import RouteChat
from omniroute.tools.shapes import input_schema

MESSAGES = [{"role": "user", "content": "hello"}]


def check(**given: Any) -> RouteChat:
    found = checked(compiled(input_schema(RouteChat)), RouteChat, given)
    assert isinstance(found, RouteChat)
    return found


@pytest.mark.parametrize("budget", [float("nan"), float("inf"), -float("inf"), 10**400, True])
def test_a_budget_that_is_no_finite_number_is_refused(budget: float) -> None:
    with pytest.raises(BadRequest, match="budget must be") as refused:
        check(model="m", messages=MESSAGES, budget=budget)

    assert refused.value.field == "budget"


def test_half_of_a_surrogate_pair_is_refused_where_it_stands() -> None:
    with pytest.raises(BadRequest, match=r"messages\[0\]\.content must be a string"):
        check(model="m", messages=[{"role": "user", "content": "\ud800"}])


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert check(model="m", messages=MESSAGES, maxTokens=3.0).max_tokens == 3


def test_what_is_not_given_has_its_default() -> None:
    given = check(model="m", messages=MESSAGES)

    assert (given.combo, given.budget, given.stream) == (None, None, False)


def test_the_name_of_an_unknown_field_is_shown_only_in_part() -> None:
    with pytest.raises(BadRequest) as refused:
        check(model="m", messages=MESSAGES, **{"x" * 10_000: 1})

    assert len(str(refused.value)) < 300
