"""Bodies that come packed: unpacked as far as the limit, and no further."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniroute.routing.errors import TooLarge
from omniroute.routing.model import Dialect
from omniroute.server.v1.bodies import unpacked

from .mounted import BODIES, CHATS, Mounted, mounted

pytestmark = pytest.mark.anyio

FAST = "sim/fast@latency=0"
GZIP = {"content-encoding": "gzip"}
LIMIT = 100_000


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Mounted]:
    async with mounted(tmp_path, OMNIROUTE_BODY_BYTES_MAX=str(LIMIT)) as opened:
        yield opened


def body_of(dialect: Dialect) -> bytes:
    return json.dumps({**BODIES[dialect], "model": FAST}).encode()


@pytest.mark.parametrize("dialect", BODIES)
async def test_a_packed_body_is_read_as_if_it_were_not(here: Mounted, dialect: Dialect) -> None:
    path = CHATS[dialect].replace("one/m", FAST)

    # The second one comes by the head that the connection remembers.
    answers = [
        await here.client.post(path, content=gzip.compress(body_of(dialect)), headers=GZIP)
        for _ in range(2)
    ]

    assert [one.status_code for one in answers] == [200, 200], answers[0].text
    assert all("hello there" in one.text for one in answers)


async def test_a_long_packed_body_is_read_as_well(here: Mounted) -> None:
    words = "".join(chr(97 + number * number % 26) for number in range(LIMIT - 1000))
    body = json.dumps({"model": FAST, "messages": [{"role": "user", "content": words}]}).encode()

    answer = await here.client.post(
        CHATS["openai_chat"], content=gzip.compress(body, 0), headers=GZIP
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("dialect", BODIES)
async def test_a_body_that_unpacks_beyond_the_limit_is_refused(
    here: Mounted, dialect: Dialect
) -> None:
    bomb = gzip.compress(b"[" * 50_000_000)
    path = CHATS[dialect].replace("one/m", FAST)

    answer = await here.client.post(path, content=bomb, headers=GZIP)

    assert (len(bomb) < LIMIT, answer.status_code) == (True, 413)


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 200_000_000, 9) + b"\0" * 200_000_000, 9)
    tracemalloc.start()

    with pytest.raises(TooLarge):
        unpacked(bomb, 1_000_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 5_000_000


def test_what_is_packed_in_several_parts_is_one_body() -> None:
    assert unpacked(gzip.compress(b"one ") + gzip.compress(b"two"), 7) == b"one two"
    with pytest.raises(TooLarge):
        unpacked(gzip.compress(b"one ") + gzip.compress(b"two"), 6)


@pytest.mark.parametrize("dialect", BODIES)
@pytest.mark.parametrize("encoding", ["zstd", "br", "deflate", "gzip, gzip"])
async def test_a_packing_that_is_not_read_is_a_415_in_the_dialects_words(
    here: Mounted, dialect: Dialect, encoding: str
) -> None:
    path = CHATS[dialect].replace("one/m", FAST)

    answer = await here.client.post(
        path, content=body_of(dialect), headers={"content-encoding": encoding}
    )

    assert answer.status_code == 415
    assert "gzip" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [b"{}", b"", gzip.compress(b"{}")[:-4], zlib.compress(b"{}"), b"\x1f\x8b" * 10],
    ids=("plain", "empty", "cut", "deflate", "heads"),
)
async def test_a_body_that_is_not_packed_as_it_says_is_a_400(here: Mounted, body: bytes) -> None:
    answer = await here.client.post(CHATS["openai_chat"], content=body, headers=GZIP)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
