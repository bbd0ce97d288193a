"""A page that listens ends with its session."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from omniroute.server import feed
from tests.dashboard.person import ORIGIN
from tests.dashboard.placed import placed
from tests.v1.mounted import listening

pytestmark = pytest.mark.anyio

EVENTS = "/dashboard/live/events"
WAIT_S = 60.0


async def test_who_signs_out_is_told_no_more_and_has_to_sign_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "BEAT_S", 0.05)
    async with placed(tmp_path) as place, listening(place.composed) as port:
        person = await place.signed_in()
        cookies = "; ".join(f"{name}={one}" for name, one in person.cookies.items())
        headers = {"cookie": cookies, "host": ORIGIN.partition("//")[2]}
        url = f"http://127.0.0.1:{port}{EVENTS}"
        async with (
            httpx2.AsyncClient(timeout=WAIT_S) as http,
            http.stream("GET", url, headers=headers) as answer,
        ):
            lines = answer.aiter_lines()
            first = await anext(lines)
            page = (await person.get("/dashboard/live")).text
            await person.post("/dashboard/sign-out", page)
            async with asyncio.timeout(WAIT_S):
                rest = [line async for line in lines]
            again = await http.get(url, headers=headers)

    assert first == "retry: 1000"
    assert any(line.startswith("data:") for line in rest)
    assert again.status_code in (303, 401)
