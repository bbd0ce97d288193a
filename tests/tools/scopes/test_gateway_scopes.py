"""The gateway itself asks for the scope of each tool, whatever door the call came through."""

from typing import Any

import pytest

from omniroute.routing.access import SCOPES
from omniroute.routing.errors import NotAllowed
from omniroute.routing.model import Caller
from omniroute.tools.checking import checked, compiled
from omniroute.tools.invocation import Invocation
from omniroute.tools.shapes import input_schema
from omniroute.tools.table import TABLE
from tests.fakes import combo, world
from tests.tools.clients.plan import calls

from .matrix import NEEDED

pytestmark = pytest.mark.anyio


async def silent(progress: float, words: str) -> None:
    """Tell nobody."""


@pytest.mark.parametrize("tool", TABLE, ids=lambda tool: tool.name)
async def test_a_tool_that_is_run_past_the_doors_is_refused_without_its_scope(tool: Any) -> None:
    here = world(combos=[combo("proof", "one/m"), combo("spare", "two/m")])
    config = here.configs.current()
    caller = Caller("key-less", frozenset(SCOPES) - {NEEDED[tool.name]})
    arguments = checked(
        compiled(input_schema(tool.takes)), tool.takes, calls("req-nobodys")[tool.name]
    )

    with pytest.raises(NotAllowed) as refused:
        await tool.run(Invocation(here.gateway, caller, "req-1", silent, None), arguments)

    assert refused.value.scope == NEEDED[tool.name]
    assert here.upstream.calls == []
    assert here.configs.current() == config
