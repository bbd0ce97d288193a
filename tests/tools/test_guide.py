"""docs/mcp.md shows every tool with a call and the answer that it gets."""

import pytest

from omniroute.tools.table import TABLE
from tests import processes
from tests.tools.guide import answers, sections, shape, told


def test_each_call_of_the_guide_gets_the_answer_beside_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Written anew with `python -m tests.tools.guide`."""
    shown = {name: shape(told(section)[1]) for name, section in sections().items()}

    with processes.gateway(tmp_path_factory.mktemp("guide")) as gateway:
        given = answers(gateway)

    assert given.keys() == shown.keys()
    for name, answer in given.items():
        assert shape(answer) == shown[name], name


@pytest.mark.parametrize("tool", [tool.name for tool in TABLE])
def test_the_guide_has_a_call_of_every_tool(tool: str) -> None:
    call, answer = told(sections()[tool])

    assert call["name"] == tool
    assert answer
