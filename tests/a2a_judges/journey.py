"""What every judge does with the agent, and what each SDK tells of it in the same form.

A judge is a client of the standard that others wrote. Those that are SDKs are driven by a
script: it reads a plan as JSON, does the journey and prints what it saw. The journey: read the
card, send, stream, leave a stream and follow its task again, follow a task and cancel it, get,
list, configure notifications, and read the key's own card. Cards are verified where signed.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omniroute.a2a.dialects.codec import EXTENSION
from tests import foreign
from tests.coding_clients.install import installed, node
from tests.processes import RunningGateway

HERE = Path(__file__).parent
PACKAGES = HERE / "packages"
JUDGE_S_MAX = 60
CALL_S_MAX = 20
TEXT = "say hello to everyone here"
ANSWER = f"[simulated by sim/fast] You said: {TEXT}"
QUICK = "sim/fast@latency=0,pace=0"
PACED = "sim/fast@latency=0,pace=0.1"
"""A model that takes a second: who leaves its stream finds the task still running."""
SKILL = "cost-analysis"
VAGUE = "what did I spend since Tuesday?"
"""What the skill asks something back for."""
CLEAR = "the last 7 days"
STUCK = "sim/fast@latency=0,pace=30"
"""A model that says a word and then nothing for long."""


@dataclass(frozen=True)
class Sdk:
    """An SDK in one version of the protocol, and how its script is run."""

    name: str
    version: str
    command: Callable[[], list[str]]
    folder: Callable[[], Path] = lambda: HERE
    line: int = 1
    verifies: bool = True

    @property
    def id(self) -> str:
        return f"{self.name}-speaks-{self.version}"


def sdk_1() -> list[str]:
    return [sys.executable, str(HERE / "sdk_1.py")]


def sdk_0() -> list[str]:
    name = "a2a-sdk-0.3"
    return [str(foreign.python_of(name)), str(foreign.FOLDER / name / "journey.py")]


def javascript() -> list[str]:
    script = (HERE / "sdk.mjs").read_text()
    return [str(node() / "bin/node"), "--input-type=module", "-e", script]


def javascript_packages(name: str) -> Callable[[], Path]:
    return lambda: installed(name, PACKAGES)


SDKS = (
    Sdk("a2a-sdk-1", "1.0", sdk_1),
    Sdk("a2a-sdk-1", "0.3", sdk_1),
    Sdk("a2a-sdk-0.3", "0.3", sdk_0),
    Sdk("a2a-js-1", "1.0", javascript, javascript_packages("a2a-js-1")),
    Sdk("a2a-js-1", "0.3", javascript, javascript_packages("a2a-js-1")),
    Sdk("a2a-js-0.3", "0.3", javascript, javascript_packages("a2a-js-0.3"), 0, verifies=False),
)


def travelled(sdk: Sdk, gateway: RunningGateway, key: str | None, **more: Any) -> Any:
    """Give what an SDK's script tells of its journey."""
    plan: Mapping[str, Any] = {
        "sdk": sdk.line,
        "version": sdk.version,
        "url": gateway.url,
        "headers": {} if key is None else {"authorization": f"Bearer {key}"},
        "seconds_max": CALL_S_MAX,
        "text": TEXT,
        "extension": EXTENSION,
        "quick": QUICK,
        "paced": PACED,
        "stuck": STUCK,
        "skill": SKILL,
        "vague": VAGUE,
        "clear": CLEAR,
        "hook": None,
        "extended": False,
        "signed": False,
        "refused": False,
        **more,
    }
    done = subprocess.run(
        sdk.command(),
        cwd=sdk.folder(),
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=JUDGE_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
