"""The parts of one process, joined: what every door is made of."""

from dataclasses import dataclass, field

from omniroute.routing.gateway import Gateway
from omniroute.routing.ports import Clock, Upstream
from omniroute.routing.upstream.upstream import HttpUpstream

from .auth import Authenticator
from .facts import Facts
from .passwords import Checker
from .settings import Settings
from .storage import Storage
from .telemetry.telemetry import Telemetry
from .v1.cache import ResponseCache
from .workers.mail import Peers


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What compose.py has joined.

    Attributes:
        upstream: for a test call of one account, past health and budgets.
        http: providers over HTTP, for what is no chat.
        token: presented as a key, it gives admin rights.
        peers: the other workers of this gateway.
        checker: hashes and checks passwords.
        telemetry: follows what requests come to.
    """

    settings: Settings
    version: str
    clock: Clock
    gateway: Gateway
    upstream: Upstream
    http: HttpUpstream
    storage: Storage
    authenticator: Authenticator
    facts: Facts
    token: str = field(repr=False)
    peers: Peers
    checker: Checker = field(default_factory=Checker)
    telemetry: Telemetry = field(default_factory=Telemetry)
    response_cache: ResponseCache = field(default_factory=ResponseCache)
