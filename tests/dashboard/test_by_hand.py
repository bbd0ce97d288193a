"""The dashboard by hand: everything that a person can do with it, done in a real browser."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import processes
from tests.browser.browser import Browser
from tests.browser.page import Manner, Page
from tests.dashboard import walking
from tests.four_providers import simulator
from tests.processes import RunningGateway

QUESTION = {"messages": [{"role": "user", "content": "Say <b>hello</b>."}], "max_tokens": 64}
CALLS_DOWN = 8
"""More failures than a circuit waits for."""
MINUTE_S = 60.0
PASSWORD = "three otters knit lanterns"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("by-hand")) as running:
        # Without any key a gateway on this machine asks for none: revoked would be let in.
        running.new_key("--name", "another")
        yield running


def test_everything_that_a_page_offers_is_done_by_hand(
    browser: Browser, gateway: RunningGateway
) -> None:
    with browser.page(gateway.url, Manner(key=gateway.admin_key)) as page:
        with simulator() as provider:
            _add_a_provider(page, provider)
            _make_a_combo(page)
            secret = _make_a_key(page)
            answers = [_asked(gateway, secret) for _ in range(3)]
            _see_the_request(page)
            _ask_in_the_playground(page)
            _translate(page)
            _set_a_client_up(page)
            _call_a_tool(page)
            _follow_a_task(page)
            _cancel_a_task(page)
        down = {_asked(gateway, secret) for _ in range(CALLS_DOWN)}
        _ask_again_one_account(page)
        down |= {_asked(gateway, secret) for _ in range(CALLS_DOWN)}
        _ask_again_what_rests(page)
        _set_a_budget(page)
        spent = _asked(gateway, secret)
        _lift_the_budget(page)
        _change_the_key(page)
        rolled = _asked(gateway, secret)
        _revoke(page)
        _keep_house(page)
        _clear_away(page)
        _set_a_password(page)
        done = page.sent
    with browser.page(gateway.url) as page:
        _sign_in_and_out(page)
        done += page.sent
    with browser.page(gateway.url, Manner(key=gateway.admin_key, script=False)) as page:
        _ask_without_script(page)
        done += page.sent

    assert answers == [200, 200, 200]
    assert down <= {502, 503}
    assert (spent, rolled) == (402, 401)
    assert walking.undone(done) == []


def test_a_newcomer_sees_a_first_request_in_live_within_a_minute(
    browser: Browser, tmp_path: Path
) -> None:
    began = time.monotonic()

    with processes.gateway(tmp_path) as new, browser.page(new.url) as page:
        page.open("/dashboard")
        page.follow("Set-up")
        page.follow("Send a first request")
        page.wait_for_text("answered:")
        page.follow("See it in Live")
        page.wait_for_text("answered", "tbody")

    assert time.monotonic() - began < MINUTE_S


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
    page.open("/dashboard/combos/one/team")
    page.fill("Description", "For the team")
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
    page.open("/dashboard/requests?combo=team")
    page.wait_for_text("lab/fast")
    _looked_at(page, "requests")
    page.open(page.evaluate("() => document.querySelector('tbody a').getAttribute('href')"))
    page.follow("Decide again")
    _looked_at(page, "request")


def _ask_in_the_playground(page: Page) -> None:
    with page.beside() as live:
        live.open("/dashboard/live")
        live.wait_for_text("Listening")
        page.open("/dashboard/playground")
        page.fill("What is asked", "Say <b>hello</b>.")
        page.fill("Model or combo", "team")
        page.fill("A second one beside it", "sim/smart")
        page.choose("Its dialect", "anthropic")
        page.click("Send")
        page.wait_for(lambda: page.text().count("Say <b>hello</b>.") >= 2, "both answers")
        page.wait_for_text("curl", "#codes")
        _looked_at(page, "playground")
        live.wait_for_text("team")
        live.wait_for_text("sim/smart")
        _looked_at(live, "live")


def _set_a_client_up(page: Page) -> None:
    page.open("/dashboard/setup/claude-code")
    _looked_at(page, "client")
    page.follow("Make a key for it")
    page.wait_for_text("shown this once")
    page.open("/dashboard/setup")
    page.follow("Send a first request")
    page.wait_for_text("answered:")
    _looked_at(page, "first-request")


def _ask_without_script(page: Page) -> None:
    page.open("/dashboard/playground")
    page.fill("What is asked", "Say <b>hello</b>.")
    page.fill("Model or combo", "sim/fast")
    page.follow("Send")
    page.wait_for_text("You said: Say <b>hello</b>.")
    assert walking.faults_unscripted(page) == []


def _translate(page: Page) -> None:
    page.open("/dashboard/translate")
    page.choose("To", "gemini")
    page.fill("Model, where it is another", "gemini-2.5-flash")
    page.follow("Translate", within="In the other dialect")
    page.wait_for_text("generateContent")
    _looked_at(page, "translate")


def _ask_again_one_account(page: Page) -> None:
    page.open("/dashboard/providers")
    page.follow("lab")
    page.follow("Ask again now")
    page.wait_for_no_text("Ask again now")


def _ask_again_what_rests(page: Page) -> None:
    page.open("/dashboard/health")
    page.follow("Ask all again now")
    page.wait_for_text("Circuits are closed and rests are over.")
    _looked_at(page, "health")
    page.open("/dashboard/providers")
    page.follow("Test: lab")
    _looked_at(page, "provider-down")


def _set_a_budget(page: Page) -> None:
    page.open("/dashboard/keys")
    page.choose("Of a key, or of this machine (local)", "ci")
    page.fill("May spend (US dollars)", "0.000000001", within="Only of this session")
    page.follow("Set a budget", within="Only of this session")
    page.wait_for_text("The budget is in force.")
    _looked_at(page, "budget")


def _lift_the_budget(page: Page) -> None:
    page.open("/dashboard/keys")
    page.follow("day", within="ci")
    page.fill("May spend (US dollars)", "5")
    page.follow("Save")
    page.wait_for_text("$5.00")
    page.click("Remove: day")
    page.follow("Remove")
    page.wait_for_text("The budget is gone")


def _call_a_tool(page: Page) -> None:
    page.open("/dashboard/mcp")
    page.follow("Simulate routing", within="omniroute_simulate_route")
    page.fill("model", "sim/smart")
    page.fill("promptTokenEstimate", "100")
    page.follow("Call it")
    page.wait_for_text("It answered.")
    assert '"sim/smart"' in page.text("#answer")
    _looked_at(page, "mcp-called")
    page.follow("Its calls")
    page.wait_for_text("1 calls in all.")


def _follow_a_task(page: Page) -> None:
    _send_a_message(page, "sim/fast@latency=3")
    page.evaluate("() => document.body.dataset.stays = 'yes'")
    page.wait_for_text("[simulated by sim/fast]", "#text")
    page.wait_for_text("completed", "dl")
    assert page.attribute("body", "data-stays") == "yes"
    _looked_at(page, "a2a-task")


def _cancel_a_task(page: Page) -> None:
    _send_a_message(page, "sim/fast@latency=600")
    page.wait_for_text("Shown as it is written.")
    _looked_at(page, "a2a-working")
    page.click("Cancel it: Task")
    page.follow("Cancel it", within="This cannot be undone.")
    page.wait_for_text("The task was cancelled.")
    assert "cancelled" in page.text("dl")


def _send_a_message(page: Page, model: str) -> None:
    page.open("/dashboard/a2a")
    page.fill("Model or combo", model)
    page.fill("Message", "Say hello.")
    page.follow("Send a message", within="Model or combo")
    page.wait_for_text("The message was sent")


def _change_the_key(page: Page) -> None:
    page.open("/dashboard/keys")
    page.follow("ci", within="Its requests")
    page.fill("Requests a minute", "60")
    page.follow("Save")
    page.wait_for_text("Saved: it is in force everywhere within a second.")
    page.choose("The old one stays good for", "no time")
    page.follow("Give it a new secret")
    page.wait_for_text("shown this once")


def _revoke(page: Page) -> None:
    page.open("/dashboard/keys")
    page.click("Revoke: ci")
    page.follow("Revoke", within="This cannot be undone. ci?")
    page.wait_for_text("Revoked: no request with it is taken any more.")


def _keep_house(page: Page) -> None:
    page.open("/dashboard/settings")
    page.fill("Days that requests are kept", "30")
    page.follow("Save")
    page.wait_for_text("Saved: the settings are in force.")
    page.open("/dashboard/health")
    page.follow("Put in force")
    page.wait_for_text("The profile is in force.")
    page.follow("Make one and check it")
    page.wait_for_text("found whole")
    page.open("/dashboard/audit")
    page.follow("Verify all records")
    page.wait_for_text("Every record is what it was.")
    _looked_at(page, "audit")


def _clear_away(page: Page) -> None:
    page.open("/dashboard/combos")
    page.follow("Switch off: team")
    page.click("Remove: team")
    page.follow("Remove", within="This cannot be undone. team?")
    page.wait_for_no_text("team")
    page.open("/dashboard/providers")
    page.follow("Switch off: lab")
    page.follow("lab")
    page.fill("Models", "fast")
    page.follow("Save")
    page.click("Remove: lab")
    page.follow("Remove", within="This cannot be undone.")
    page.wait_for_no_text("lab")


def _set_a_password(page: Page) -> None:
    page.open("/dashboard/sessions")
    page.fill("New password", PASSWORD)
    page.fill("The same again", PASSWORD)
    page.follow("Set the password")
    page.wait_for_text("The password is set.")


def _sign_in_and_out(page: Page) -> None:
    page.open("/dashboard")
    _looked_at(page, "sign-in")
    page.fill("Key or password", PASSWORD)
    page.follow("Sign in")
    page.wait_for_path("/dashboard")
    page.open("/dashboard/sessions")
    page.wait_for_text("this one")
    _looked_at(page, "sessions")
    page.follow("Sign me out everywhere")
    page.fill("Key or password", PASSWORD)
    page.follow("Sign in")
    page.follow("Sign out")
    page.wait_for_text("Key or password")


def _looked_at(page: Page, name: str) -> None:
    """Look at the page as it is now: no fault, and a picture of it."""
    assert walking.faults(page, picture=name) == []


def _asked(gateway: RunningGateway, key: str) -> int:
    body = {"model": "team", **QUESTION}
    return gateway.call("POST", "/v1/chat/completions", body, key=key).status
