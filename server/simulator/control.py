"""What tests tell the HTTP simulator, and what it tells them.

Rules: directives for the next requests, or until cleared, of one model, of one API key, or
of all. They are looked at in the order in which they were set; the first that fits a request
is used up by it, later ones wait. A rule with the fault `connection_refused` that names no
model and no key acts when a connection is accepted, before a byte is read.

Counts: connections, requests, bytes, and every client that left before its answer was over,
with the moment on the machine's monotonic clock, which other processes can compare with
their own.
"""

import time
from collections import deque
from dataclasses import dataclass, field

import msgspec

from omniroute.routing.errors import BadRequest
from omniroute.routing.simulator.directives import NONE, Directives, read_directives
from omniroute.routing.simulator.models import short_name

RULES_MAX = 1_000
DISCONNECTS_MAX = 20_000
SEEN_MAX = 256
SEEN_BODY_BYTES_MAX = 64 * 1024
REFUSED = "connection_refused"


@dataclass(slots=True)
class Rule:
    """Directives for some requests; `requests` is how many are left, None until cleared."""

    directives: Directives
    requests: int | None = None
    model: str | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A client that left before its answer was over.

    Attributes:
        at_s: when it was noticed, on the monotonic clock.
        requested_s: when its request was complete.
        bytes_sent: how much of the answer had been given to the socket.
    """

    at_s: float
    requested_s: float
    path: str
    model: str
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came; the body is kept up to SEEN_BODY_BYTES_MAX."""

    at_s: float
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)


class Control:
    """Rules and counts of one simulator."""

    def __init__(self) -> None:
        self.connections_opened = 0
        self.connections_open = 0
        self.connections_refused = 0
        self.requests = 0
        self.answers_finished = 0
        self.bytes_sent = 0
        self.bytes_after_disconnect = 0
        self.disconnects: deque[Disconnect] = deque(maxlen=DISCONNECTS_MAX)
        self.seen: deque[Seen] = deque(maxlen=SEEN_MAX)
        self._rules: list[Rule] = []

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that are not used up, in order."""
        return tuple(self._rules)

    def set(
        self,
        directives: Directives,
        *,
        requests: int | None = None,
        model: str | None = None,
        key: str | None = None,
    ) -> None:
        """Add a rule.

        Raises:
            BadRequest: there are RULES_MAX already.
        """
        if len(self._rules) >= RULES_MAX:
            raise BadRequest(f"there are {RULES_MAX} rules already: clear them first")
        self._rules.append(Rule(directives, requests, model, key))

    def clear(self) -> None:
        """Remove all rules; counts go on."""
        self._rules.clear()

    def refuses_connection(self) -> bool:
        """Whether a connection that is accepted now is reset; uses the rule up."""
        rule = self._rules[0] if self._rules else None
        if rule is None or not _is_for_connections(rule):
            return False
        self._use(rule)
        return True

    def directives_for(self, model: str, key: str) -> Directives:
        """Give what the first rule that fits a request says; uses it up."""
        for rule in self._rules:
            if rule.model in (None, model, short_name(model)) and rule.key in (None, key):
                self._use(rule)
                return rule.directives
        return NONE

    def shown(self) -> dict[str, object]:
        """Give the counts and rules as JSON values; of a key only its end."""
        return {
            "now_s": time.monotonic(),
            "connections_opened": self.connections_opened,
            "connections_open": self.connections_open,
            "connections_refused": self.connections_refused,
            "requests": self.requests,
            "answers_finished": self.answers_finished,
            "bytes_sent": self.bytes_sent,
            "bytes_after_disconnect": self.bytes_after_disconnect,
            "disconnects": [msgspec.to_builtins(one) for one in self.disconnects],
            "rules": [
                {
                    **msgspec.to_builtins(rule.directives),
                    "requests": rule.requests,
                    "model": rule.model,
                    "key": rule.key and f"...{rule.key[-4:]}",
                }
                for rule in self._rules
            ],
        }

    def _use(self, rule: Rule) -> None:
        if rule.requests is None:
            return
        rule.requests -= 1
        if rule.requests <= 0:
            self._rules.remove(rule)


class _Order(msgspec.Struct, frozen=True):
    """The part of a control request that is no directive."""

    requests: int | None = None
    model: str | None = None
    key: str | None = None


def read_rule(body: bytes) -> Rule:
    """Give the rule that a control request asks for.

    Shape: `{"fault": "stall", "after": 2, "requests": 3, "model": "fast", "key": "sk-fake"}`:
    directives, and which requests they are for; all are optional.

    Raises:
        BadRequest: it is not such an object, or it would shut everyone out for ever.
    """
    try:
        values = msgspec.json.decode(body or b"{}", type=dict[str, object])
        order = msgspec.convert(values, _Order)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"a control request is a JSON object: {error}") from error
    if order.requests is not None and order.requests < 1:
        raise BadRequest("`requests` is at least 1", field="requests")
    given = {name: value for name, value in values.items() if name not in _Order.__struct_fields__}
    rule = Rule(read_directives(given), order.requests, order.model, order.key)
    if rule.requests is None and _is_for_connections(rule):
        raise BadRequest(
            f"{REFUSED} for every connection would refuse the one that clears it: "
            "say for how many `requests`, or for which `model` or `key`",
            field="requests",
        )
    return rule


def _is_for_connections(rule: Rule) -> bool:
    return rule.directives.fault == REFUSED and rule.model is None and rule.key is None
