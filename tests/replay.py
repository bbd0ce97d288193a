"""Ten thousand decisions into a database by one process, replayed from it by another.

python -m tests.replay make FOLDER
python -m tests.replay check FOLDER
"""

import asyncio
import contextlib
import json
import random
import sys
from dataclasses import replace
from pathlib import Path

from omniroute.routing.choose.record import replays
from omniroute.routing.errors import RoutingError
from omniroute.server.compose import SystemClock
from omniroute.server.settings import load_settings
from omniroute.server.storage import Storage, open_storage
from omniroute.server.store.database import Statement
from tests.fakes import ADMIN
from tests.routing.test_decide import random_request, random_world

DECISIONS = 10_000
EACH_WORLD = 20
PAGE = 1_000


def storage_in(folder: Path) -> contextlib.AbstractAsyncContextManager[Storage]:
    settings, _ = load_settings({"data_dir": str(folder / "data")}, {"HOME": str(folder)}, folder)
    return open_storage(settings, SystemClock(), version="0", overlay=lambda config: config)


async def make(folder: Path) -> None:
    """Decide on random requests in random worlds and let the ledger keep it all."""
    random_source = random.Random(10_000)
    async with storage_in(folder) as storage:
        seed = storage.configs.current().seed
        for _ in range(DECISIONS // EACH_WORLD):
            here = random_world(random_source)
            here.configs.config = replace(here.configs.config, seed=seed)
            engine = replace(here.gateway.route, ledger=storage.ledger)
            for _ in range(EACH_WORLD):
                with contextlib.suppress(RoutingError):
                    (await engine.open(random_request(random_source, here), ADMIN)).close()
            await storage.ledger.flush()


async def check(folder: Path) -> dict[str, int]:
    """Decide again from what is stored and compare, byte for byte."""
    decisions = equal = 0
    async with storage_in(folder) as storage:
        seed, after = storage.configs.current().seed, ""
        while True:
            rows = await storage.database.read(
                Statement(
                    "SELECT request_id, record, body FROM decisions JOIN snapshots "
                    "ON snapshots.snapshot_id = decisions.snapshot_id "
                    "WHERE request_id > $1 ORDER BY request_id LIMIT $2",
                    (after, PAGE),
                )
            )
            if not rows:
                return {"decisions": decisions, "equal": equal}
            after = str(rows[-1]["request_id"])
            decisions += len(rows)
            equal += sum(replays(bytes(row["record"]), bytes(row["body"]), seed) for row in rows)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        asyncio.run(make(Path(sys.argv[2])))
    else:
        print(json.dumps(asyncio.run(check(Path(sys.argv[2])))))
