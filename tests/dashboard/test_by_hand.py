"""The dashboard by hand: what a person does with it, done in a real browser."""

from collections.abc import Iterator

import pytest

from tests import processes
from tests.browser.browser import Browser
from tests.browser.page import Manner, Page
from tests.dashboard import walking
from tests.four_providers import simulator
from tests.processes import RunningGateway

QUESTION = {"messages": [{"role": "user", "content": "Say <b>hello</b>."}], "max_tokens": 64}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("by-hand")) as running:
        # Without any key a gateway on this machine asks for none: revoked would be let in.
        running.new_key("--name", "another")
        yield running


def test_from_the_first_provider_to_the_last_key(browser: Browser, gateway: RunningGateway) -> None:
    with simulator() as provider, browser.page(gateway.url, Manner(key=gateway.admin_key)) as page:
        _add_a_provider(page, provider)
        _make_a_combo(page)
        secret = _make_a_key(page)
        answers = [_asked(gateway, secret) for _ in range(3)]
        _see_the_request(page)
        _set_a_budget(page)
        spent = _asked(gateway, secret)
        _revoke(page)
        revoked = _asked(gateway, secret)

    assert answers == [200, 200, 200]
    assert (spent, revoked) == (402, 401)


def _add_a_provider(page: Page, url: str) -> None:
    page.open("/dashboard/providers")
    page.fill("Provider", "lab")
    page.fill("Key", "sk-fake-0123456789")
    page.fill("Address", f"{url}/v1")
    page.click("More: name, dialect, models, headers, proxy")
    page.choose("Dialect", "openai_chat")
    page.fill("Models", "fast\nsmart")
    page.follow("Add a provider", within="May be asked")
    page.wait_for_text("Added.")
    page.follow("Test")
    page.wait_for_text("answered after")
    _looked_at(page, "provider")


def _make_a_combo(page: Page) -> None:
    page.open("/dashboard/combos")
    page.follow("Make a combo")
    page.fill("Name", "team")
    page.fill("Model 1", "lab/fast")
    page.fill("Model 2", "lab/smart")
    page.follow("Simulate")
    page.wait_for_text("Your draft")
    _looked_at(page, "combo-simulated")
    page.follow("Try against faults")
    page.wait_for_text("answered,")
    _looked_at(page, "combo-tried")
    page.follow("Save")
    page.wait_for_text("Saved: the next request goes by it.")


def _make_a_key(page: Page) -> str:
    page.open("/dashboard/keys")
    page.fill("Name", "ci", within="What it may do")
    page.follow("Make a key", within="What it may do")
    page.wait_for_text("shown this once")
    _looked_at(page, "key-secret")
    secret = page.text("#secret")
    page.follow("I have copied it")
    assert secret not in page.text()
    return secret


def _see_the_request(page: Page) -> None:
    page.open("/dashboard/requests")
    page.wait_for_text("lab/fast")
    _looked_at(page, "requests")


def _set_a_budget(page: Page) -> None:
    page.open("/dashboard/keys")
    page.choose("Of a key, or of this machine (local)", "ci")
    page.fill("May spend (US dollars)", "0.000000001", within="Only of this session")
    page.follow("Set a budget", within="Only of this session")
    page.wait_for_text("The budget is in force.")
    _looked_at(page, "budget")


def _revoke(page: Page) -> None:
    page.open("/dashboard/keys")
    page.click("Revoke: ci")
    page.follow("Revoke")
    page.wait_for_text("Revoked: no request with it is taken any more.")


def _looked_at(page: Page, name: str) -> None:
    """Look at the page as it is now: no fault, and a picture of it."""
    assert walking.faults(page, picture=name) == []


def _asked(gateway: RunningGateway, key: str) -> int:
    body = {"model": "team", **QUESTION}
    return gateway.call("POST", "/v1/chat/completions", body, key=key).status
