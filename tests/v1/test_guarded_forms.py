"""Forms are guarded as JSON is: their texts and the names of their files, not the files."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.v1.test_services import form
from tests.v1.vendors import Heard, Told, shop, told

pytestmark = pytest.mark.anyio

SECRET = "maria@example.org"
PROMPT = f"The speaker is {SECRET}, card 4111 1111 1111 1111."
SOUND = b"RIFF maria@example.org " * 100


def vendor(heard: Heard) -> Told:
    return told(text="hello", usage={"type": "duration", "seconds": 3})


async def transcribed(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post(
        "/v1/audio/transcriptions",
        files={"file": (f"{SECRET} 1.mp3", SOUND, "audio/mpeg")},
        data={"model": "openai/whisper-1", "prompt": PROMPT},
    )


async def ruled(client: httpx.AsyncClient, **rule: Any) -> None:
    answer = await client.put("/api/settings/guards", json={"everywhere": rule})
    assert answer.status_code == 200


async def test_the_prompt_and_the_files_name_are_replaced_and_the_file_is_not(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path, "openai", vendor) as here:
        await ruled(here.here.client, requests="redact")
        answer = await transcribed(here.here.client)
        request_id = answer.headers["x-request-id"]
        story = (await here.here.client.get(f"/api/explain/{request_id}")).json()

    parts = form(here.last)
    assert answer.json()["text"] == "hello"
    assert parts["prompt"] == ("", b"The speaker is [EMAIL_REDACTED], card [CARD_REDACTED].")
    assert parts["file"] == ("audio/mpeg", SOUND.strip(b"\r\n"))
    assert b'filename="[EMAIL_REDACTED] 1.mp3"' in here.last.body
    assert {(one["kind"], one["count"]) for one in story["findings"]} == {("email", 2), ("card", 1)}


async def test_a_form_that_is_blocked_reaches_nobody(tmp_path: Path) -> None:
    async with shop(tmp_path, "openai", vendor) as here:
        await ruled(here.here.client, requests="block", kinds=["card"])
        refused = await transcribed(here.here.client)
        heard = list(here.heard)

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "content_blocked")
    assert SECRET not in refused.text
    assert heard == []
