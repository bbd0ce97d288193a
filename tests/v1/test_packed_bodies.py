"""Bodies that come packed: unpacked as far as the limit, and no further."""

import gzip
import json
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd

from omniroute.routing.errors import TooLarge
from omniroute.routing.model import Dialect
from omniroute.server.v1.packing import unpacked

from .mounted import BODIES, CHATS, Mounted, mounted

pytestmark = pytest.mark.anyio

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate without a header": lambda body: zlib.compress(body, wbits=-15),
    "br": lambda body: bytes(brotli.compress(body, quality=5)),
    "zstd": zstd.compress,
}
BOMB = """
import resource, sys
from omniroute.routing.errors import TooLarge
from omniroute.server.v1.packing import unpacked
from tests.v1.test_packed_bodies import PACKERS

pack, coding = PACKERS[sys.argv[1]], sys.argv[1].partition(" ")[0].encode()
bombs = [pack(b"[" * 100_000_000), pack(pack(b"[" * 100_000_000))]
# Half the memory of a bomb of zeros is what made it: so a child measures.
import os
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
unpacked(pack(b"warm"), 2**25, coding)
with open("/proc/self/clear_refs", "w") as reset:
    reset.write("5")
def most():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(one for one in lines if one.startswith("VmHWM")).split()[1])
before, refused = most(), 0
try:
    unpacked(bombs[0], 2**25, coding)
except TooLarge:
    refused += 1
# Unpacked once, this is a bomb still: it is small, and no JSON.
unpacked(bombs[1], 2**25, coding)
print("refused" if refused else "taken", most() - before)
"""
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


@pytest.mark.parametrize("coding", PACKERS)
async def test_every_packing_is_read_and_what_is_cut_is_not(here: Mounted, coding: str) -> None:
    packed = PACKERS[coding](body_of("openai_chat"))
    named = {"content-encoding": coding.partition(" ")[0]}

    path = CHATS["openai_chat"]
    whole = await here.client.post(path, content=packed, headers=named)
    cut = await here.client.post(path, content=packed[:-6], headers=named)
    other = await here.client.post(path, content=b"\xff\xfe" + packed, headers=named)

    assert whole.status_code == 200, whole.text
    assert "hello there" in whole.text
    assert [cut.status_code, other.status_code] == [400, 400]
    assert "content-encoding" in cut.json()["error"]["message"]


@pytest.mark.parametrize("coding", PACKERS)
def test_a_bomb_of_any_packing_is_refused_with_little_memory(coding: str) -> None:
    """Each in a process of its own, whose memory shows what it took."""
    found = subprocess.run(
        [sys.executable, "-c", BOMB, coding],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("refused")
    assert int(found.stdout.split()[1]) < 16 * 1024


def test_a_text_that_packs_well_is_no_bomb() -> None:
    text = json.dumps([{"role": "user", "content": "say hello to everybody"}] * 40_000).encode()
    noise = bytes(number * number % 251 for number in range(20_000))

    assert len(unpacked(PACKERS["gzip"](text[:1_000_000]), 2**25)) == 1_000_000
    assert unpacked(PACKERS["br"](noise * 50), 2**25, b"br") == noise * 50


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
@pytest.mark.parametrize("encoding", ["compress", "gzip, gzip", "br, zstd", "gzip, identity"])
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
