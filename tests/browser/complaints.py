"""What a page must not do, noticed: each event of the browser that is a complaint, in words.

A page that works says nothing on the console, throws nothing, asks for nothing that is refused,
breaks no line of its own content policy, talks to no other origin, opens no dialog and no
window, and gives the browser's own checks nothing to remark.

Source: chromedevtools.github.io/devtools-protocol (tot): Audits, Log, Network, Page and Runtime,
read on 2026-11-23.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from tests.browser.pipe import Message

LOUD = ("assert", "error", "warning")
TEXT_CHARS_MAX = 400
INSIDE = ("about", "blob", "data")
"""Schemes that reach nobody."""
BROWSERS_OWN = "chrome-error://"
DOMAINS = ("Audits", "Log", "Network", "Page", "Runtime")
"""What tells of it, switched on in every page and frame."""


@dataclass
class Complaints:
    """What was wrong with a page at one origin, in the order in which it was."""

    origin: str
    told: list[str] = field(default_factory=list[str])
    sent: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    _asked: dict[str, str] = field(default_factory=dict[str, str])

    def hear(self, name: str, event: Message) -> None:
        """Note what an event tells."""
        teller = _TELLERS.get(name)
        told = teller(self, event) if teller else None
        if told is not None:
            self.told.append(told[:TEXT_CHARS_MAX])

    def missing(self, patterns: tuple[str, ...], since: int) -> list[str]:
        """Give the patterns that nothing matched of what was told since a moment.

        Args:
            patterns: shell patterns.
            since: how many complaints there were at that moment.
        """
        later = self.told[since:]
        return [one for one in patterns if not any(fnmatchcase(told, one) for told in later)]

    def take(self, patterns: tuple[str, ...], since: int) -> None:
        """Take away what was told since a moment and matches one of the patterns."""
        self.told[since:] = [
            told
            for told in self.told[since:]
            if not any(fnmatchcase(told, pattern) for pattern in patterns)
        ]

    def asked(self, event: Message) -> str | None:
        request = event["request"]
        self.sent.append((request["method"], urlsplit(request["url"]).path))
        self._asked[event["requestId"]] = f"{request['method']} {request['url']}"
        return self._foreign(request["url"])

    def answered(self, event: Message) -> str | None:
        status = event["response"]["status"]
        return f"{self._request(event)} answered {status}" if status >= 400 else None

    def failed(self, event: Message) -> str | None:
        # What the page's own policy stopped is told by the policy's own event.
        stopped = event.get("blockedReason") == "csp" or "BLOCKED_BY_CSP" in event["errorText"]
        if event.get("canceled") or stopped:
            return None
        return f"{self._request(event)} failed: {event['errorText']}"

    def socket(self, event: Message) -> str | None:
        return self._foreign(event["url"])

    def _request(self, event: Message) -> str:
        return self._asked.get(event["requestId"], "a request")

    def _foreign(self, url: str) -> str | None:
        parts = urlsplit(url)
        there = f"{parts.scheme.replace('ws', 'http')}://{parts.netloc}"
        if parts.scheme in INSIDE or there == self.origin:
            return None
        return f"a request to another origin: {url}"


def _console(_complaints: Complaints, event: Message) -> str | None:
    if event["type"] not in LOUD:
        return None
    words = [str(one.get("value", one.get("description", ""))) for one in event["args"]]
    return f"console {event['type']}: {' '.join(words)}"


def _exception(_complaints: Complaints, event: Message) -> str | None:
    details = event["exceptionDetails"]
    thrown = details.get("exception", {})
    return f"an exception: {thrown.get('description') or details['text']}"


def _log(_complaints: Complaints, event: Message) -> str | None:
    entry = event["entry"]
    # Requests and the content policy have events of their own, with more in them.
    doubled = entry["source"] == "network" or "Content Security Policy" in entry["text"]
    if doubled or entry["level"] not in LOUD:
        return None
    return f"browser {entry['level']}: {entry['text']}"


def _issue(_complaints: Complaints, event: Message) -> str | None:
    issue = event["issue"]
    policy = issue["details"].get("contentSecurityPolicyIssueDetails")
    if policy is None:
        # A frame that was not let in shows a page of the browser's own.
        if BROWSERS_OWN in str(issue["details"]):
            return None
        return f"an issue: {issue['code']} {issue['details']}"
    at = policy.get("sourceCodeLocation", {})
    where = f" at {at.get('url')}:{at.get('lineNumber')}" if at else ""
    kind = policy["contentSecurityPolicyViolationType"].removeprefix("k")
    stopped = policy.get("blockedURL") or kind.removesuffix("Violation").lower()
    return f"policy violation: {policy['violatedDirective']} {stopped}{where}"


def _dialog(_complaints: Complaints, event: Message) -> str | None:
    # The question whether to leave a half-filled form is asked of the browser's own accord.
    if event["type"] == "beforeunload":
        return None
    return f"a dialog: {event['type']} {event['message']}"


def _window(_complaints: Complaints, event: Message) -> str | None:
    return f"a window was opened: {event['url']}"


def _crash(_complaints: Complaints, _event: Message) -> str | None:
    return "the page crashed"


_TELLERS: dict[str, Callable[[Complaints, Message], str | None]] = {
    "Audits.issueAdded": _issue,
    "Inspector.targetCrashed": _crash,
    "Log.entryAdded": _log,
    "Network.loadingFailed": Complaints.failed,
    "Network.requestWillBeSent": Complaints.asked,
    "Network.responseReceived": Complaints.answered,
    "Network.webSocketCreated": Complaints.socket,
    "Page.javascriptDialogOpening": _dialog,
    "Page.windowOpen": _window,
    "Runtime.consoleAPICalled": _console,
    "Runtime.exceptionThrown": _exception,
}
