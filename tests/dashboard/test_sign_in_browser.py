"""Signing in with a real browser: the cookie it keeps, the ways in and out, and nothing lost."""

from pathlib import Path

from tests.browser.browser import Browser
from tests.browser.page import Manner
from tests.processes import RunningGateway, gateway

PASSWORD = "seven fake horses 42"
SESSION = "__Host-omniroute-session"


def password_of(running: RunningGateway) -> None:
    body = {"password": PASSWORD}
    answer = running.call("PUT", "/api/dashboard/password", body, key=running.admin_key)
    assert answer.status == 200, answer.body


def test_a_person_signs_in_changes_something_and_signs_out(
    browser: Browser, tmp_path: Path
) -> None:
    with gateway(tmp_path) as running:
        password_of(running)
        with browser.page(running.url) as page:
            page.open("/dashboard/settings")
            asked, faults = page.path, page.accessibility()
            page.fill("Key or password", PASSWORD)
            page.follow("Sign in")
            page.wait_for_path("/dashboard/settings")
            cookie = page.cookies[SESSION]
            page.follow("Save")
            page.wait_for_text("Saved")
            page.follow("owner")
            listed = page.text("main")
            faults += page.accessibility()
            page.follow("Sign out", within="owner")
            page.wait_for_path("/dashboard/sign-in")
            after = dict(page.cookies)
            page.open("/dashboard/settings")
            again = page.path

    assert asked == "/dashboard/sign-in?next=/dashboard/settings"
    assert (cookie.http_only, cookie.secure, cookie.same_site) == (True, True, "Strict")
    assert cookie.path == "/"
    assert "this one" in listed
    assert faults == []
    assert SESSION in after
    assert again == asked


def test_what_was_entered_when_the_session_ended_is_not_lost(
    browser: Browser, tmp_path: Path
) -> None:
    with gateway(tmp_path) as running:
        password_of(running)
        with browser.page(running.url, Manner(script=False)) as page:
            page.open("/dashboard/settings")
            page.fill("Key or password", PASSWORD)
            page.follow("Sign in")
            ended = running.call("DELETE", "/api/dashboard/sessions", key=running.admin_key)
            with page.expecting("POST * answered 401"):
                page.follow("Save")
            told = page.text("main")
            page.fill("Key or password", PASSWORD)
            page.follow("Sign in")
            offered, faults = page.text("main"), page.accessibility()
            page.follow("Send it again")
            page.wait_for_text("Saved")

    assert ended.status == 200
    assert "What you had entered is kept" in told
    assert "mode" in offered
    assert faults == []
