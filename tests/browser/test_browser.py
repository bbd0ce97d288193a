"""The browser of the tests: what it promises to do it does, what it promises to notice it does.

A driver that noticed nothing would let every page pass.
"""

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.browser import site
from tests.browser.browser import Browser
from tests.browser.page import PHONE, Manner
from tests.browser.site import Site
from tests.browser.window import NotSeen

IMPATIENT = Manner(patience_s=0.3)
WITHOUT_SCRIPT = Manner(script=False)
LIMIT_S = 60.0
FORM = """
<form action="/made" method="post">
  <label for="name">Name</label> <input id="name" name="name" value="old">
  <label>Scope <select name="scope">
    <option value="r">readonly<option value="a">agent</select></label>
  <label><input type="checkbox" name="on"> Switched on</label>
  <button>Make a key</button>
</form><p><a href="/other">Another page</a></p>
"""
HEARS = """
const form = document.querySelector('form');
const heard = [];
for (const kind of ['input', 'change', 'click']) {
  form.addEventListener(kind, event => {
    heard.push(kind + (event.isTrusted ? '' : '?') + ' ' + (event.target.name || 'button'));
  });
}
form.addEventListener('submit', event => {
  event.preventDefault();
  document.querySelector('h1').textContent =
    [form.name.value, form.scope.value, form.on.checked].join(' ');
  window.heard = heard;
});
"""


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site.served() as served:
        yield served


def test_a_form_is_filled_by_the_names_of_its_fields(browser: Browser, here: Site) -> None:
    here.put_script("/", FORM, HEARS)

    with browser.page(here.origin) as page:
        page.open("/")
        page.fill("Name", "ci")
        page.choose("Scope", "agent")
        page.tick("Switched on")
        page.tick("Switched on")
        page.click("Make a key")
        page.wait_for_text("ci a true")

        assert (page.value("Name"), page.value("Scope")) == ("ci", "a")
        assert "input name" in page.script_value("heard.join()").split(",")  # type: ignore[attr-defined]
        assert page.script_value("heard.filter(one => one == 'click on').length") == 1
        assert page.complaints == []


def test_a_form_without_script_leads_to_its_page(browser: Browser, here: Site) -> None:
    here.put_script("/", FORM + "<noscript>Reading works</noscript>", HEARS)
    here.put("/made", "It is made.")
    here.put("/other", "Elsewhere.")

    with browser.page(here.origin, WITHOUT_SCRIPT) as page:
        page.open("/")
        shown = page.text()
        page.follow("Make a key")
        made = (page.path, page.status, page.text("main"))
        page.open("/")
        page.follow("Another page")

        assert "Reading works" in shown
        assert made == ("/made", 200, "A page\nIt is made.")
        assert page.path == "/other"
        assert page.headers["content-security-policy"] == site.POLICY


def test_keys_move_the_focus_and_act(browser: Browser, here: Site) -> None:
    here.put_script("/", FORM, HEARS)

    with browser.page(here.origin) as page:
        page.open("/")
        nothing = page.focused
        page.press("Tab")
        first = page.focused
        page.press("x")
        for _ in range(3):
            page.press("Tab")
        last = page.focused
        page.press("Shift+Tab")
        page.press("Space")
        page.press("Tab")
        page.press("Enter")
        page.wait_for_text("x r true")

        assert (nothing, first, last) == ("", "Name", "Make a key")


def test_words_beside_it_tell_which_of_two_is_meant(browser: Browser, here: Site) -> None:
    row = "<tr><td>{0}</td><td><button>Revoke</button></td></tr>"
    here.put_script(
        "/",
        f"<table>{row.format('first')}{row.format('second')}</table><button hidden>Revoke</button>",
        "addEventListener('click', event => { event.target.closest('tr').remove(); });",
    )

    with browser.page(here.origin) as page:
        page.open("/")
        with pytest.raises(AssertionError, match="2 things are called 'Revoke'"):
            page.click("Revoke")
        page.click("Revoke", within="second")
        page.wait_for_no_text("second")

        assert page.text("table").split() == ["first", "Revoke"]


@pytest.mark.parametrize(
    ("button", "styles"),
    [
        ("<button disabled>Go</button>", ""),
        ("<button hidden>Go</button>", ""),
        ("<button>Go</button><div class='over'>x</div>", ".over { position: fixed; inset: 0 }"),
        ("<button>Gone</button>", ""),
    ],
)
def test_what_a_person_cannot_click_is_not_clicked(
    browser: Browser, here: Site, button: str, styles: str
) -> None:
    here.pages["/of.css"] = styles
    here.put("/", button, head='<link rel="stylesheet" href="/of.css">')

    with browser.page(here.origin, IMPATIENT) as page:
        page.open("/")

        with pytest.raises(NotSeen, match=r"called 'Go'|'Go' can be clicked"):
            page.click("Go")


SLIPS = {
    "a script in the page": (
        "<script>window.ran = 1</script>",
        ["policy violation: script-src-elem inline*"],
    ),
    "a style in the page": (
        "<p style='color: red'>x</p>",
        ["policy violation: style-src-attr inline*"],
    ),
    "an inline handler": (
        "<img src='data:,' alt='x' onerror='window.ran = 1'>",
        ["policy violation: script-src-attr inline*"],
    ),
    "a picture from elsewhere": (
        "<img src='http://127.0.0.2:9/x.png' alt='x'>",
        [
            "a request to another origin: http://127.0.0.2:9/x.png",
            "policy violation: img-src http://127.0.0.2:9/x.png*",
        ],
    ),
    "a frame": (
        "<iframe src='/other' title='x'></iframe>",
        ["policy violation: frame-src http*/other*"],
    ),
    "a base": (
        "<base href='http://127.0.0.2:9/'>",
        ["policy violation: base-uri http://127.0.0.2:9/*"],
    ),
    "a missing picture": (
        "<img src='/nothing.png' alt='x'>",
        ["GET http*/nothing.png answered 404"],
    ),
}


@pytest.mark.parametrize("manner", [Manner(), WITHOUT_SCRIPT])
@pytest.mark.parametrize("slip", SLIPS)
def test_what_a_policy_or_the_server_refuses_is_noticed(
    browser: Browser, here: Site, slip: str, manner: Manner
) -> None:
    body, told = SLIPS[slip]
    if not manner.script and slip in {"a script in the page", "an inline handler"}:
        told = []
    here.put("/", body)

    with browser.page(here.origin, manner) as page, page.expecting(*told):
        page.open("/")

        assert page.script_value("window.ran") is None


SCRIPTS = {
    "console.error('broken', 7)": ["console error: broken 7"],
    "console.warn('odd')": ["console warning: odd"],
    "console.assert(1 > 2, 'false')": ["console assert: false"],
    "null.something": ["an exception: TypeError*"],
    "Promise.reject(new Error('unhandled'))": ["an exception: Error: unhandled*"],
    "fetch('/nothing')": ["GET http*/nothing answered 404"],
    "fetch('http://127.0.0.2:9/').catch(() => 0)": ["policy violation: connect-src*"],
    "alert('here')": ["a dialog: alert here"],
    "open('/other')": ["a window was opened: http*/other"],
    "eval('1')": ["policy violation: script-src eval*", "an exception: EvalError*"],
    "document.body.innerHTML = '<b onclick=alert(1)>x</b>';document.querySelector('b').click()": [
        "policy violation: script-src-attr inline*"
    ],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_script_does_wrong_is_noticed(browser: Browser, here: Site, script: str) -> None:
    here.put_script("/", "", script)

    with browser.page(here.origin) as page:
        with page.expecting(*SCRIPTS[script]):
            page.open("/")

        assert page.complaints == []


def test_requests_to_another_origin_are_noticed(browser: Browser) -> None:
    with site.served() as there, site.served("default-src * 'unsafe-inline' data:") as lax:
        there.put("/framed", "Framed.")
        lax.put(
            "/",
            f"<img src='{there.origin}/nothing.png' alt='x'>"
            f"<iframe src='{there.origin}/framed' title='x'></iframe>",
        )

        with (
            pytest.raises(AssertionError, match="another origin") as refused,
            browser.page(lax.origin) as page,
        ):
            page.open("/")

        told = str(refused.value)
        assert f"a request to another origin: {there.origin}/nothing.png" in told
        assert f"a request to another origin: {there.origin}/framed" in told


def test_what_a_frame_does_wrong_is_noticed(browser: Browser) -> None:
    with site.served("default-src 'self' data:") as lax:
        lax.put_script("/framed", "", "console.error('from the frame')")
        lax.put("/", "<iframe src='/framed' title='x'></iframe>")

        with browser.page(lax.origin) as page, page.expecting("console error: from the frame"):
            page.open("/")

        assert lax.pages


def test_a_complaint_nobody_expected_fails_the_page(browser: Browser, here: Site) -> None:
    here.put_script("/", "", "console.error('broken')")

    with (
        pytest.raises(AssertionError, match="console error: broken"),
        browser.page(here.origin) as page,
    ):
        page.open("/")


def test_a_complaint_that_was_expected_and_did_not_come_fails(browser: Browser, here: Site) -> None:
    here.put("/", "")

    with (
        browser.page(here.origin, IMPATIENT) as page,
        pytest.raises(NotSeen, match=r"complaints like ..POST "),
        page.expecting("POST * answered 409"),
    ):
        page.open("/")


def test_a_test_that_fails_is_told_what_the_page_did_wrong(browser: Browser, here: Site) -> None:
    here.put_script("/", "", "console.error('broken')")

    def fail() -> None:
        with browser.page(here.origin, IMPATIENT) as page:
            page.open("/")
            page.wait_for_text("what never comes")

    with pytest.raises(NotSeen) as failed:
        fail()

    assert failed.value.__notes__ == ["console error: broken"]
    assert "A page" in str(failed.value)


FAULTS = {
    "image-alt": "<img src='data:,'>",
    "label": "<input>",
    "button-name": "<button></button>",
    "link-name": "<a href='/'></a>",
    "color-contrast": "<p class='pale'>Hardly to be read</p>",
    "target-size": "<p><button class='tiny'>a</button><button class='tiny'>b</button></p>",
    "aria-allowed-attr": "<p aria-checked='true' role='heading' aria-level='2'>x</p>",
}


@pytest.mark.parametrize("manner", [Manner(), Manner(dark=True), WITHOUT_SCRIPT])
def test_the_checker_finds_what_fails_wcag_aa(browser: Browser, here: Site, manner: Manner) -> None:
    here.pages["/of.css"] = (
        ".pale { color: #bbb } .tiny { all: unset; width: 9px; height: 9px; font-size: 8px }"
    )
    styled = '<link rel="stylesheet" href="/of.css">'
    here.put("/", "".join(FAULTS.values()), head=styled)
    here.put("/good", FORM, head=styled)

    with browser.page(here.origin, manner) as page:
        page.open("/")
        found = page.accessibility()
        page.open("/good")

        assert {fault.split(":")[0] for fault in found} == set(FAULTS)
        assert page.accessibility() == []


def test_pages_of_two_people_share_no_cookie_and_tabs_of_one_do(
    browser: Browser, here: Site
) -> None:
    here.put("/", "")

    with browser.page(here.origin) as first, browser.page(here.origin) as second:
        first.open("/")
        with first.beside() as tab:
            tab.open("/")
            shared = tab.cookies["seen"]
        second.open("/")
        second.forget_cookies()

        assert (shared.value, shared.http_only, shared.same_site) == ("yes", True, "Strict")
        assert "seen" in first.cookies
        assert second.cookies == {}


def test_a_picture_shows_the_size_and_the_liking(
    browser: Browser, here: Site, tmp_path: Path
) -> None:
    here.pages["/of.css"] = (
        ".wide { width: 500px } @media (prefers-color-scheme: dark) { html { background: #000 } }"
    )
    here.put("/", '<p class="wide">x</p>', head='<link rel="stylesheet" href="/of.css">')

    with browser.page(here.origin) as page:
        page.open("/")
        light = page.screenshot(tmp_path / "light.png", whole=False).read_bytes()
        at_desk = page.sideways_px
        page.show(width=PHONE[0], height=PHONE[1], dark=True)
        dark = page.screenshot(tmp_path / "dark.png", whole=False).read_bytes()
        small = page.screenshot(tmp_path / "dark.webp").read_bytes()

        assert struct.unpack(">II", light[16:24]) == (1280, 800)
        assert struct.unpack(">II", dark[16:24]) == PHONE
        assert small[8:12] == b"WEBP"
        assert (at_desk, page.sideways_px > 0) == (0, True)


OWNER = """
import os, sys
from tests.browser.browser import running
with running() as browser:
    with browser.page("http://127.0.0.1") as page:
        print("ready", flush=True)
        sys.stdin.read()
"""


def test_the_browser_ends_with_its_owner() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        children = psutil.Process(owner.pid).children(recursive=True)
        owner.kill()

    _gone, left = psutil.wait_procs(children, timeout=LIMIT_S)
    assert children
    assert left == []
