"""The gateway with the conformance suite's fixtures beside its own tools, and nothing else changed.

    python -m tests.tools.conformance.gateway serve --port 20128

Takes the words of `omniroute`: the whole process, its settings, doors, keys, scope gate and
record of calls are the product's.
"""

import sys
from typing import Any

from omniroute.server import doors
from omniroute.server.cli.main import main
from omniroute.server.mcp_door import McpDoor, build_mcp
from omniroute.tools.additions import Additions

from . import asking, beside, content

FIXTURES = Additions(
    tools=(*content.TOOLS, *asking.TOOLS, *beside.TOOLS),
    finish=beside.finish,
    changes=beside.BUS,
)


def with_fixtures(*arguments: Any, **named: Any) -> McpDoor:
    """Give the MCP door as the gateway builds it, with the fixtures."""
    door = build_mcp(*arguments, **named)
    door.additions = FIXTURES
    return door


if __name__ == "__main__":
    setattr(doors, build_mcp.__name__, with_fixtures)
    sys.exit(main())
