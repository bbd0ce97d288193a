"""Pages of the dashboard as a browser gets them: policy, rights, forms and their refusals."""

import re
from html import unescape
from pathlib import Path

import pytest

from omniroute.server.dashboard import words
from omniroute.server.store.key_terms import KeyTerms
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

ROOM = Path(__file__).parents[2] / "server/dashboard"
PAGE = "/dashboard/settings"
AGENT = KeyTerms(name="agent", scopes=("agent",))


async def test_a_page_lets_nothing_run_that_is_not_a_file_of_the_gateway(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        answer = await caller.get(PAGE, headers=_token(gateway.token))

    policy = answer.headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]* src=)|\son[a-z]+=|\sstyle=", answer.text)
    assert len(answer.content) < 60_000


async def test_assets_are_kept_for_good_and_come_packed(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        page = await caller.get(PAGE, headers=_token(gateway.token))
        paths = re.findall(r'(?:src|href)="(/dashboard/assets/[^"]+)"', page.text)
        answers = [await caller.get(path) for path in paths]
        missing = await caller.get("/dashboard/assets/0/../settings.py")

    assert len(paths) >= 4
    assert {one.status_code for one in answers} == {200}
    assert {one.headers["cache-control"] for one in answers} == {
        "public, max-age=31536000, immutable"
    }
    assert {one.headers["content-encoding"] for one in answers} == {"gzip"}
    assert missing.status_code == 404


async def test_a_form_changes_what_the_api_shows(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = _token(gateway.token)
        page = (await caller.get(PAGE, headers=token)).text
        wish = {"tag": _tag(page), "mode": "cheap", "logRetentionDays": "30"}
        done = await caller.post(PAGE, data=wish, headers=token)
        after = (await caller.get(done.headers["location"], headers=token)).text
        told = (await caller.get("/api/settings", headers=token)).json()

    assert done.status_code == 303
    assert "Saved: the settings are in force." in after
    assert (told["mode"], told["logRetentionDays"]) == ("cheap", 30)


async def test_whoever_edits_what_another_has_changed_is_told_and_loses_nothing(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = _token(gateway.token)
        tag = _tag((await caller.get(PAGE, headers=token)).text)
        first = {"tag": tag, "mode": "cheap", "logRetentionDays": "30"}
        await caller.post(PAGE, data=first, headers=token)
        second = {"tag": tag, "mode": "fast", "logRetentionDays": "60"}
        refused = await caller.post(PAGE, data=second, headers=token)
        told = (await caller.get("/api/settings", headers=token)).json()

    assert refused.status_code == 412
    assert "it has changed since it was read" in refused.text
    assert 'value="60"' in refused.text
    assert (told["mode"], told["logRetentionDays"]) == ("cheap", 30)


@pytest.mark.parametrize("typed", ["many", "nan", "1e999", "0", "-3", "9999"])
async def test_a_field_that_is_wrong_stays_with_the_reason(tmp_path: Path, typed: str) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = _token(gateway.token)
        wish = {"mode": "cheap", "logRetentionDays": typed}
        refused = await caller.post(PAGE, data=wish, headers=token)
        told = (await caller.get("/api/settings", headers=token)).json()

    assert refused.status_code == 400
    assert f'value="{typed}"' in refused.text
    assert 'role="alert"' in refused.text
    assert (told["mode"], told["logRetentionDays"]) == ("balanced", 90)


async def test_a_key_sees_only_the_pages_that_its_scopes_allow(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        agent = await gateway.parts.storage.keys.create(AGENT, actor="test")
        refused = await caller.get(PAGE, headers=_token(agent.text))

    assert refused.status_code == 403


async def test_an_address_without_a_page_says_so_in_a_page(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        answer = await caller.get("/dashboard/<script>alert(1)</script>")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script>alert" not in answer.text
    assert "<script>alert(1)</script>" in unescape(answer.text)


def test_every_word_that_a_page_says_is_in_the_catalogue_and_every_one_there_is_said() -> None:
    sources = [*ROOM.rglob("*.html"), *ROOM.rglob("*.py"), *ROOM.rglob("*.js")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    said = set(re.findall(r"""["']([a-z0-9_]+\.[a-z0-9_]+)["']""", text))
    menus = {f"menu.{one}" for one in re.findall(r'Menu\(\s*"([a-z0-9_]+)"', text)}
    stems = {path.stem for path in (words.FOLDER / words.DEFAULT).glob("*.toml")}
    families = tuple(re.findall(r"""["']([a-z0-9_]+\.[a-z0-9_]+_)["'] ?~""", text))
    known = set(words.catalogue(words.DEFAULT))

    files = {path.name for path in ROOM.rglob("*")}
    wanted = {one for one in said - files if one.partition(".")[0] in stems} | menus
    assert {one for one in wanted - known if one not in families} == set()
    assert {one for one in known - wanted if not one.startswith(families)} == set()


def test_the_language_is_the_first_one_that_is_known() -> None:
    known = ("en", "de")

    assert words.language_of("fr;q=0.9, de-AT;q=0.8, en;q=0.5", known) == "de"
    assert words.language_of("*", known) == "en"
    assert words.language_of("de;q=x", known) == "en"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\u202eturned", "\u202eturned\u202c"),
        ("\u202e\u2066both", "\u202e\u2066both\u2069\u202c"),
        ("\u2066ended\u2069", "\u2066ended\u2069"),
        (
            "\u2066\u202eended with what is in it\u2069",
            "\u2066\u202eended with what is in it\u2069",
        ),
        ("\u2069\u202cnothing is open", "\u2069\u202cnothing is open"),
    ],
)
def test_a_mark_that_turns_the_line_around_ends_with_its_text(text: str, shown: str) -> None:
    assert words.closed(text) == shown
    assert words.say("en", "layout.sure", about=text).endswith(f"{shown}?")


def _token(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}", "accept-encoding": "gzip"}


def _tag(page: str) -> str:
    found = re.search(r'name="tag" value="([^"]*)"', page)
    assert found is not None
    return unescape(found[1])
