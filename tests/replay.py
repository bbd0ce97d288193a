"""Decisions into a database by one process, for `omniroute audit route` to decide again.

python -m tests.replay FOLDER COUNT
"""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from omniroute.routing.errors import RoutingError
from omniroute.server.compose import SystemClock
from omniroute.server.settings import load_settings
from omniroute.server.storage import Storage, open_storage
from tests import processes
from tests.fakes import ADMIN
from tests.routing.test_decide import random_request, random_world

EACH_WORLD = 20
MAKE_S_MAX = 900


def storage_in(folder: Path) -> contextlib.AbstractAsyncContextManager[Storage]:
    settings, _ = load_settings({"data_dir": str(folder / "data")}, {"HOME": str(folder)}, folder)
    return open_storage(settings, SystemClock(), version="0", overlay=lambda config: config)


async def make(folder: Path, count: int) -> dict[str, int]:
    """Decide on random requests in random worlds, dry and live, and let the ledger keep it all."""
    random_source = random.Random(10_000)
    made = simulated_alike = 0
    async with storage_in(folder) as storage:
        seed = storage.configs.current().seed
        for _ in range(count // EACH_WORLD):
            here = random_world(random_source)
            here.configs.config = replace(here.configs.config, seed=seed)
            engine = replace(here.gateway.route, ledger=storage.ledger)
            for _ in range(EACH_WORLD):
                request = random_request(random_source, here)
                simulated = engine.decide(request, ADMIN)
                reply = engine.begin(request, ADMIN)
                made, simulated_alike = made + 1, simulated_alike + (reply.decision == simulated)
                with contextlib.suppress(RoutingError):
                    await reply.start()
                reply.close()
            await storage.ledger.flush()
    return {"made": made, "simulated_alike": simulated_alike}


def audited(folder: Path, count: int) -> dict[str, int]:
    """Make decisions in one process, dry and live, and audit them in another."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.replay", str(folder), str(count)],
        capture_output=True,
        text=True,
        timeout=MAKE_S_MAX,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout) == {"made": count, "simulated_alike": count}
    done = subprocess.run(
        [*processes.OMNIROUTE, "audit", "route", "--all", "--json"],
        env=processes.plain_environment(folder),
        capture_output=True,
        text=True,
        timeout=MAKE_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["chains"]["broken"] == []
    assert found["chains"]["rows"] == count
    return {name: found[name] for name in ("decisions", "equal", "different")}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(make(Path(sys.argv[1]), int(sys.argv[2])))))
