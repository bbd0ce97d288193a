"""Work that takes long: kept alive, given up in time, and left when its client leaves."""

import asyncio
from pathlib import Path

import httpx
import pytest

from omniroute.routing.wire.services import comfyui
from omniroute.server.v1 import services
from tests.upstream.servers import WAIT_S

from .vendors import Heard, Shop, Told, Vendor, shop, told

pytestmark = pytest.mark.anyio

FILM = {"model": "comfyui/a.safetensors", "prompt": "a cat"}


def comfy(*, looks: int, ends: dict[str, object] | None = None) -> Vendor:
    """Give a ComfyUI that is done after so many looks."""
    left = [looks]
    done = ends or {"outputs": {"9": {"images": [{"filename": "a.webp"}]}}}

    def answer(heard: Heard) -> Told:
        if heard.path == "/prompt":
            return told(prompt_id="p1")
        if heard.path != "/history/p1":
            return Told(b"film", "image/webp")
        left[0] -= 1
        return told(**({"p1": done} if left[0] < 0 else {}))

    return answer


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfyui, "POLL_S", 0.02)
    monkeypatch.setattr(services, "KEEP_ALIVE_S", 0.05)


async def test_a_client_hears_blanks_until_the_film_is_there(tmp_path: Path) -> None:
    async with shop(tmp_path, "comfyui", comfy(looks=20), key=None) as here:
        answer = await here.ask("videos/generations", **FILM)

    assert answer.status_code == 200
    assert answer.content.startswith(b"  ")
    assert answer.json()["data"][0]["format"] == "webp"


async def test_a_film_that_fails_late_is_an_error_in_the_body(tmp_path: Path) -> None:
    failed: dict[str, object] = {"status": {"status_str": "error"}, "outputs": {}}

    async with shop(tmp_path, "comfyui", comfy(looks=20, ends=failed), key=None) as here:
        answer = await here.ask("videos/generations", **FILM)

    assert answer.content.startswith(b" ")
    assert "the workflow failed" in answer.json()["error"]["message"]


async def test_a_film_that_fails_at_once_has_its_status(tmp_path: Path) -> None:
    failed: dict[str, object] = {"status": {"status_str": "error"}, "outputs": {}}

    async with shop(tmp_path, "comfyui", comfy(looks=0, ends=failed), key=None) as here:
        answer = await here.ask("videos/generations", **FILM)

    assert answer.status_code == 502


async def test_work_is_given_up_when_the_requests_time_is_over(tmp_path: Path) -> None:
    async with shop(tmp_path, "comfyui", comfy(looks=10_000), key=None) as here:
        wish = {"name": "soon", "models": [{"target": FILM["model"]}], "total_s": 1.0}
        made = await here.here.client.post("/api/combos", json=wish)
        answer = await here.ask("images/generations", model="soon", prompt="x")

    assert made.status_code == 201, made.text
    assert answer.status_code == 504
    assert "was not made in time" in answer.json()["error"]["message"]


async def test_time_that_is_over_within_a_look_is_told_in_the_same_words(tmp_path: Path) -> None:
    def vendor(heard: Heard) -> Told:
        return told(prompt_id="p1") if heard.path == "/prompt" else Told(hangs=True)

    async with shop(tmp_path, "comfyui", vendor, key=None) as here:
        wish = {"name": "soon", "models": [{"target": FILM["model"]}], "total_s": 1.0}
        await here.here.client.post("/api/combos", json=wish)
        answer = await here.ask("images/generations", model="soon", prompt="x")

    assert answer.status_code == 504
    assert "was not made in time" in answer.json()["error"]["message"]


async def test_nobody_asks_after_the_work_of_a_client_that_has_left(tmp_path: Path) -> None:
    async with shop(tmp_path, "comfyui", comfy(looks=10_000), key=None) as here:
        with pytest.raises(httpx.ReadTimeout):
            await here.here.client.post("/v1/images/generations", json=FILM, timeout=0.3)
        assert await _last_status(here) == "client_gone"


async def _last_status(here: Shop) -> str:
    """Give how the newest request ended, when it has."""
    async with asyncio.timeout(WAIT_S):
        while True:
            newest = (await here.here.client.get("/api/requests")).json()["requests"]
            if newest:
                status: str = newest[0]["status"]
                return status
            await asyncio.sleep(0.01)
