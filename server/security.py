"""How safe a gateway is set up: facts in, checks and a grade out.

Everything here is pure, as in doctor.py, whose facts it uses. A check is one sentence about one
thing, with why it matters and what to do. A *danger* lets somebody in, or gives something away,
that its owner did not mean to; a *weakness* makes that easier, or worse when it happens; a
*hint* is worth doing and nothing is wrong without it.

The grade: an A has no weakness, and for each weakness it goes one letter down, as far as D; with
one danger it is an F, whatever else is well. Hints do not count. So an A says that nothing is
left to do that we know of, and an F that something has to be done now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from .auth import is_loopback
from .doctor_facts import Facts
from .management_keys import KeyJson
from .settings import Settings, shown_values

Weight = Literal["danger", "weakness", "hint", "good"]
WEIGHTS: tuple[Weight, ...] = ("danger", "weakness", "hint", "good")
"""Worst first, as they are shown."""
Grade = Literal["A", "B", "C", "D", "F"]
_BY_WEAKNESSES: tuple[Grade, ...] = ("A", "B", "C", "D")

ADMINS_MAX = 3
KEY_AGE_S_MAX = 365 * 86_400.0
WIDE_BITS = {4: 8, 6: 16}
"""A network of trusted proxies with fewer fixed bits holds strangers, too."""
DIFFERENT_CHARACTERS_MIN = 10
"""A long random text has far more; one that somebody thought of, or an example, often has not."""
_EXAMPLES = ("change", "secret", "example", "password", "default", "omniroute", "12345", "test")
_VERIFIED = ("verify-full", "verify-ca")
_JUDGED = (
    *("host", "public_url", "trusted_proxies", "require_key", "allowed_hosts", "allowed_origins"),
    *("a2a_private_webhooks", "mcp_audit_arguments", "log_level", "dashboard_plain_cookie"),
)
"""Settings that count here and may be others in the gateway that runs."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: a short name that stays the same, for scripts.
        what: the thing and its state.
        why: why it matters; "" where that is plain.
        next: what to do; "" where nothing is to do.
    """

    weight: Weight
    name: str
    what: str
    why: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How safe a gateway is set up, the worst check first."""

    grade: Grade
    checks: tuple[Check, ...]


def standing(facts: Facts, keys: Sequence[KeyJson] | None, *, is_root: bool) -> Standing:
    """Give the grade and what it is made of.

    Args:
        facts: what doctor looks at, too.
        keys: those of the gateway; None where they cannot be asked for.
        is_root: whether this user may do everything on the machine.
    """
    checks = (
        *_reach(facts),
        *_proxies(facts.settings),
        *_pages(facts.settings),
        *_sign_in(facts),
        *_keys(facts, keys),
        *_files(facts),
        *_secrets(facts.settings),
        *_ways_out(facts),
        *_traces(facts.settings),
        *_process(facts, is_root=is_root),
    )
    found = tuple(sorted(checks, key=lambda one: WEIGHTS.index(one.weight)))
    return Standing(grade_of(found), found)


def grade_of(checks: Iterable[Check]) -> Grade:
    """Give the letter that checks add up to."""
    weights = [one.weight for one in checks]
    if "danger" in weights:
        return "F"
    return _BY_WEAKNESSES[min(weights.count("weakness"), len(_BY_WEAKNESSES) - 1)]


def _reach(facts: Facts) -> Iterable[Check]:
    settings = facts.settings
    needed = settings.require_key == "always" or bool(facts.keys)
    if not settings.on_loopback:
        yield Check("good", "key-needed", "every request needs a key, as others can reach it")
        if not (settings.public_url or "").startswith("https://"):
            yield Check(
                "weakness",
                "no-tls",
                f"keys and prompts come to {settings.host} unencrypted, as far as is known here",
                "the gateway speaks plain HTTP, and no https:// address of a proxy is set",
                "put a proxy with TLS in front and name its address with --public-url",
            )
    elif needed:
        yield Check("good", "key-needed", "every request needs a key, from this machine, too")
    else:
        yield Check(
            "hint",
            "keyless",
            "programs and users of this machine need no key",
            "it listens on loopback, and no key exists; a request that came through a proxy "
            "and does not say so counts as one of this machine",
            "`omniroute keys add` makes a key, and from then on everyone needs one",
        )
    if not needed and settings.on_loopback and _is_public(settings.public_url):
        yield Check(
            "danger",
            "keyless-and-public",
            f"others reach this gateway at {settings.public_url} and no key exists",
            "only a proxy that sets a forwarded header keeps them from being taken for you",
            "`omniroute keys add`, or OMNIROUTE_REQUIRE_KEY=always",
        )


def _is_public(url: str | None) -> bool:
    host = urlsplit(url or "").hostname
    return bool(host) and not is_loopback(host or "")


def _proxies(settings: Settings) -> Iterable[Check]:
    wide = [str(one) for one in settings.trusted_proxies if one.prefixlen < WIDE_BITS[one.version]]
    if wide:
        yield Check(
            "danger",
            "trusts-everyone",
            f"addresses of strangers are trusted as proxies: {', '.join(wide)}",
            "whoever is trusted can say that he is this machine",
            "give the addresses of your proxies alone with --trusted-proxy",
        )
    elif settings.trusted_proxies:
        count = len(settings.trusted_proxies)
        yield Check("good", "proxies", f"forwarded headers are believed of {count} networks alone")
    else:
        yield Check("good", "proxies", "forwarded headers are believed of nobody")


def _pages(settings: Settings) -> Iterable[Check]:
    plain = [
        one
        for one in settings.allowed_origins
        if one.startswith("http://") and not is_loopback(urlsplit(one).hostname or "")
    ]
    if plain:
        yield Check(
            "weakness",
            "plain-origins",
            f"web pages without TLS may call the gateway: {', '.join(plain)}",
            "whoever sits between such a page and its reader can change what it asks",
            "allow https:// origins alone",
        )
    else:
        yield Check("good", "hosts", "Host and Origin are checked on every request")


def _sign_in(facts: Facts) -> Iterable[Check]:
    settings = facts.settings
    if settings.dashboard_plain_cookie and not settings.on_loopback:
        yield Check(
            "weakness",
            "plain-cookie",
            "people may sign in to the dashboard over plain HTTP",
            "whoever is on the way can read the cookie, and do what its owner may",
            "put a proxy with TLS in front, and OMNIROUTE_DASHBOARD_PLAIN_COOKIE=off",
        )
    running = facts.running.facts if facts.running is not None else None
    if running is None:
        return
    if running.has_password and settings.initial_password is not None:
        yield Check(
            "hint",
            "initial-password",
            "the first password still stands in a variable, and is not needed there",
            next="take INITIAL_PASSWORD out of the environment or the .env file",
        )
    if not running.has_password:
        yield Check("good", "password", "the dashboard has no password: keys alone sign in")
    elif running.needs_key:
        yield Check("good", "password", "the dashboard has a password, kept as an argon2id hash")
    else:
        yield Check(
            "hint",
            "password-alone",
            "the dashboard asks for a password, and programs of this machine need nothing",
            "the management API does all that the dashboard does",
            "`omniroute keys add` makes a key, and from then on everyone needs one",
        )


def _keys(facts: Facts, keys: Sequence[KeyJson] | None) -> Iterable[Check]:
    if keys is None:
        return
    now = facts.now_unix_s
    live = [
        one
        for one in keys
        if one.enabled and (one.expires_unix_s is None or one.expires_unix_s > now)
    ]
    admins = [one for one in live if "admin" in one.scopes]
    if len(admins) > ADMINS_MAX:
        yield Check(
            "weakness",
            "many-admins",
            f"{len(admins)} keys may do everything",
            "each of them that is lost loses all",
            "give programs a preset such as agent, and revoke what nobody uses",
        )
    old = [one for one in live if now - (one.rolled_unix_s or one.created_unix_s) > KEY_AGE_S_MAX]
    if old:
        yield Check(
            "weakness",
            "old-keys",
            f"{len(old)} keys have had the same secret for more than a year",
            "the longer a secret lies about, the more places it lies in",
            "`omniroute keys roll` gives a new one, with time to change over",
        )
    forever = [one for one in live if one.expires_unix_s is None]
    if forever:
        yield Check(
            "hint",
            "keys-for-ever",
            f"{len(forever)} keys never expire",
            next="`omniroute keys add --expires 90d` for what is tried out",
        )
    unbounded = [one for one in live if "write:route" in one.scopes and _is_unbounded(one)]
    if unbounded:
        yield Check(
            "hint",
            "unbounded-keys",
            f"{len(unbounded)} keys may ask models without any bound",
            "who finds one spends your money until you notice",
            "budgets (`omniroute budgets set`), limits and model lists bound them",
        )


def _is_unbounded(key: KeyJson) -> bool:
    bounds = (key.requests_per_minute, key.tokens_per_minute, key.concurrency_max)
    return not key.budget_ids and not key.models and all(one is None for one in bounds)


def _files(facts: Facts) -> Iterable[Check]:
    folder = facts.folder
    if folder.open_to_others:
        names = ", ".join(folder.open_to_others[:5])
        yield Check(
            "danger",
            "open-folder",
            f"other users of this machine may read or change {names} in {folder.path}",
            "provider keys lie there, and the key that opens them",
            f"chmod -R go-rwx {folder.path}",
        )
    elif folder.exists:
        yield Check("good", "folder", f"only this user can read {folder.path}")
    for note in facts.sources.notes:
        if note.name == ".env" and "other users" in note.words:
            yield Check("weakness", "open-env-file", note.words)


def _secrets(settings: Settings) -> Iterable[Check]:
    told = settings.storage_encryption_key
    if told is None:
        yield Check(
            "hint",
            "ring-beside-data",
            "the key that opens stored secrets lies in the data folder, beside them",
            "a copy of the whole folder opens everything",
            "keep it elsewhere with STORAGE_ENCRYPTION_KEY, and out of backups",
        )
    elif any(_can_be_guessed(one) for one in told.split(",")):
        yield Check(
            "danger",
            "guessable-key",
            "STORAGE_ENCRYPTION_KEY looks like a text that can be guessed",
            "it opens provider keys and is what keys of this gateway are hashed with",
            "make one with `openssl rand -hex 32`, put it in front, and keep the old one behind",
        )
    else:
        yield Check("good", "ring", "the key that opens stored secrets is kept outside of the data")


def _can_be_guessed(text: str) -> bool:
    plain = text.strip().lower()
    return len(set(plain)) < DIFFERENT_CHARACTERS_MIN or any(one in plain for one in _EXAMPLES)


def _ways_out(facts: Facts) -> Iterable[Check]:
    plain = [
        one.provider
        for one in facts.accounts
        if one.enabled and one.key_masked and _is_plain_and_far(one.base_url)
    ]
    if plain:
        yield Check(
            "weakness",
            "plain-providers",
            f"keys go unencrypted to {', '.join(sorted(set(plain)))}",
            "their base URL is http:// and not on this machine",
            "use an https:// base URL",
        )
    if facts.settings.a2a_private_webhooks:
        yield Check(
            "weakness",
            "private-webhooks",
            "A2A clients may have this gateway call machines of its own networks",
            "a key that may send tasks can look for what answers there",
            "OMNIROUTE_A2A_PRIVATE_WEBHOOKS=off, unless every key is your own",
        )
    url = facts.settings.database_url or ""
    if url.startswith("postgres") and not _is_verified(url):
        yield Check(
            "weakness",
            "unverified-database",
            "the connection to PostgreSQL does not verify who answers",
            "it leaves this machine, and its URL names neither sslmode verify-full nor verify-ca",
            "add ?sslmode=verify-full to OMNIROUTE_DATABASE_URL",
        )


def _is_plain_and_far(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or is_loopback(host):
        return False
    try:
        return not ip_address(host).is_private
    except ValueError:
        return "." in host


def _is_verified(url: str) -> bool:
    parts = urlsplit(url)
    if not parts.hostname or is_loopback(parts.hostname):
        return True
    return parse_qs(parts.query).get("sslmode", [""])[0] in _VERIFIED


def _traces(settings: Settings) -> Iterable[Check]:
    if settings.log_level == "debug":
        yield Check(
            "hint",
            "debug-log",
            "the log holds everything that libraries say of requests",
            "no secret of ours is in it; what others write is theirs",
            "OMNIROUTE_LOG_LEVEL=info",
        )
    if settings.mcp_audit_arguments:
        yield Check("hint", "kept-arguments", "arguments of MCP tool calls are kept, without texts")


def _process(facts: Facts, *, is_root: bool) -> Iterable[Check]:
    if is_root:
        yield Check(
            "weakness",
            "root",
            "this user may do everything on this machine",
            "a fault of the gateway would be one, too; it needs no right but its data folder",
            "run it as a user of its own (deploy/ has how)",
        )
    running = facts.running.facts if facts.running is not None else None
    if running is None:
        return
    own = shown_values(facts.settings)
    there = {one.name: one.value for one in running.settings}
    other = [name for name in _JUDGED if name in there and there[name] != own[name]]
    if other:
        yield Check(
            "weakness",
            "other-settings",
            f"the gateway that runs has other settings than were judged here: {', '.join(other)}",
            "this command was started with other options or another environment",
            "give it those of the gateway",
        )
