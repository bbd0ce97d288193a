"""docs/a2a.md shows every method in every dialect, with the answer that it gets."""

import re
from collections.abc import Iterator

import pytest

from omniroute.a2a.dialects.detect import V03_METHODS, V10_METHODS
from tests.a2a_door.guide import METHOD, PAGE, Gateways, answered, examples, running, shape

EXAMPLES = examples()
NAMES = [(METHOD.findall(shell) or ["management"])[0] for shell, _, _ in EXAMPLES]
METHODS = {
    # A native client has no extended card to ask for, and 0.3 no list of tasks.
    "Native": V03_METHODS.keys() - {"agent/getAuthenticatedExtendedCard"},
    "Version 0.3": V03_METHODS.keys() - {"tasks/list"},
    "Version 1.0": V10_METHODS.keys(),
}


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    with running(tmp_path_factory.mktemp("guide")) as both:
        yield both


@pytest.mark.xdist_group("a2a_guide")
@pytest.mark.parametrize(
    ("shell", "kind", "answer"),
    EXAMPLES,
    ids=[f"{number}-{name}" for number, name in enumerate(NAMES)],
)
def test_an_example_gets_the_answer_below_it(
    gateways: Gateways, shell: str, kind: str, answer: str
) -> None:
    """Written anew with `python -m tests.a2a_door.guide`."""
    got, told = shape(answered(gateways, shell), kind), shape(answer, kind)

    # How many pieces an answer comes in is another run's other number.
    assert (got[0], got[-1]) == (told[0], told[-1])
    assert [event for event in got if event not in told] == []


@pytest.mark.parametrize("dialect", METHODS)
def test_every_method_of_a_dialect_has_its_example(dialect: str) -> None:
    [section] = re.findall(rf"^### {dialect}$(.*?)(?=^### |\Z)", PAGE.read_text(), re.M | re.S)

    assert set(METHOD.findall(section)) == METHODS[dialect]
