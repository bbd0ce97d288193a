"""What a second process does with a database: `python process.py open|write URL`.

`open` opens it and prints which heavy modules that took. `write` prints the number of every row
that was acknowledged, until it is killed.
"""

import asyncio
import sys

from omniroute.server.store.database import Statement, open_database

HEAVY = {"alembic", "asyncpg", "cryptography", "pydantic", "sqlalchemy", "sqlmodel"}
ROWS_MAX = 1_000_000


async def main(task: str, url: str) -> None:
    async with open_database(url) as database:
        if task == "open":
            rows = await database.read(Statement("SELECT version FROM config_version"))
            print(rows[0]["version"], *sorted(HEAVY & set(sys.modules)), flush=True)
            return
        for number in range(ROWS_MAX):
            await database.write(
                Statement(
                    "INSERT INTO aliases (name, target, changed_unix_s, changed_by) "
                    "VALUES ($1, 'a target', 0.0, 'test')",
                    (str(number),),
                )
            )
            print(number, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
