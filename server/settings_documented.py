"""The documented variables that set nothing here, one row each, and what happens to them.

*mapped*: another part reads it. *refused*: what it asks for is not to be had, and going on as if
nothing had been said would leave the user less safe, or their data or listener elsewhere than
they think; so the start stops and says what to do instead. *ignored*: it has no effect, and
nothing of that kind is lost by it; `omniroute doctor` names it and says why.

Source of the names: OmniRoute's reference, section 7.4 (version 2.3.10).
"""

from dataclasses import dataclass
from typing import Literal

from .settings_names import SETTINGS

OWN_PREFIX = "OMNIROUTE_"


@dataclass(frozen=True, slots=True)
class Documented:
    """A documented variable that sets no setting, and what happens to it.

    Attributes:
        name: its name; `*` stands for any part of one.
        outcome: see the module's docstring.
        words: what to do instead, or why nothing is to do, or who reads it.
        harmless: values of a refused variable that ask for nothing.
        warn: an ignored variable whose owner should know of it.
    """

    name: str
    outcome: Literal["mapped", "refused", "ignored"]
    words: str
    harmless: tuple[str, ...] = ()
    warn: bool = False


_OFF = ("0", "false", "no", "off", "disabled")
_ONE_LISTENER = "one listener serves everything: remove it, and set PORT or --port"
_PII = (
    "what is done with personal data is no variable here: `omniroute guards set redact` says it, "
    "for answers too with --answers; then remove this"
)
_GUARD = (
    "this OmniRoute has no guard of that kind, and going on would leave you with less protection "
    "than you asked for: remove it to go on without"
)
_NO_CACHE = "answers are not cached"
_NO_CLOUD = "nothing is synchronised with a cloud"
_LOGS = "the log goes to standard error unless LOG_FILE_PATH names a file"
_NO_STEALTH = "the gateway does not pose as another client and uses no vendor's OAuth client"
_CLI_TOOLS = "only PATH is looked at for command line tools, and none is run or configured"
_PROXY = (
    "no proxy is taken from there, as it would move every credential unsaid; where only a proxy "
    "leads out, set OMNIROUTE_PROXY, or `omniroute proxy set`"
)
_PROXY_ELSE = "`omniroute proxy` says who goes directly, and takes socks5:// proxies"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def _ignored(words: str, *names: str, warn: bool = False) -> tuple[Documented, ...]:
    return tuple(Documented(name, "ignored", words, warn=warn) for name in names)


def _refused(words: str, *names: str, harmless: tuple[str, ...] = ()) -> tuple[Documented, ...]:
    return tuple(Documented(name, "refused", words, harmless) for name in names)


DOCUMENTED: tuple[Documented, ...] = (
    Documented(
        "OMNIROUTE_API_KEY",
        "mapped",
        "the key that `omniroute --mcp` presents to the gateway",
    ),
    *_refused(_ONE_LISTENER, "API_PORT", "API_HOST", "DASHBOARD_PORT"),
    *_refused(
        "name the database with OMNIROUTE_DATABASE_URL, or remove it for SQLite",
        "STORAGE_DRIVER",
        harmless=("sqlite",),
    ),
    *_refused(
        "scopes come from the key alone: make one with `omniroute keys add --scope ...`, give "
        "it as OMNIROUTE_API_KEY, and remove this",
        "OMNIROUTE_MCP_SCOPES",
    ),
    *_refused(
        "make those keys anew with `omniroute keys add --no-log`, and remove this",
        "NO_LOG_API_KEY_IDS",
    ),
    *_refused(
        _GUARD,
        "INPUT_SANITIZER_MODE",
        "INJECTION_GUARD_MODE",
        harmless=(*_OFF, "warn"),
    ),
    *_refused(
        _PII,
        "PII_REDACTION_ENABLED",
        "PII_RESPONSE_SANITIZATION",
        "PII_RESPONSE_SANITIZATION_MODE",
        harmless=_OFF,
    ),
    *_refused(_GUARD, "TOOL_POLICY_MODE", harmless=_OFF),
    *_ignored(_PROXY, *_PROXIES, warn=True),
    *_ignored(_PROXY_ELSE, "NO_PROXY", "no_proxy", "ENABLE_SOCKS5_PROXY"),
    *_ignored("sessions of the dashboard are random and kept here, not signed", "JWT_SECRET"),
    *_ignored(
        "cookies are Secure; OMNIROUTE_DASHBOARD_PLAIN_COOKIE allows another over plain HTTP",
        "AUTH_COOKIE_SECURE",
    ),
    *_ignored(
        "keys are hashed with the key ring of the data folder, or STORAGE_ENCRYPTION_KEY",
        "API_KEY_SECRET",
    ),
    *_ignored("each stored secret names its own key", "STORAGE_ENCRYPTION_KEY_VERSION"),
    *_ignored(
        "requests are kept by age and number (OMNIROUTE_RETENTION_DAYS, _REQUESTS)",
        "SQLITE_MAX_SIZE_MB",
        "CALL_LOGS_MAX",
        "PROXY_LOG_MAX_ENTRIES",
        "STREAM_HISTORY_MAX",
    ),
    *_ignored("no older file is touched", "SQLITE_CLEAN_LEGACY_FILES"),
    *_ignored(
        "prompts and answers are not stored, so there is no payload to log",
        "CALL_LOG_PAYLOAD_MODE",
    ),
    *_ignored("scopes are always enforced", "OMNIROUTE_MCP_ENFORCE_SCOPES"),
    *_ignored("nothing depends on it", "INSTANCE_NAME", "MACHINE_ID_SALT", "OMNIROUTE_API_KEY_ID"),
    *_ignored(
        "a rate-limited candidate is replaced at once instead of waited for",
        "RATE_LIMIT_MAX_WAIT_MS",
    ),
    *_ignored("it was for browsers; set BASE_URL", "NEXT_PUBLIC_BASE_URL"),
    *_ignored(_NO_CLOUD, "CLOUD_URL", "NEXT_PUBLIC_CLOUD_URL", "CLOUD_SYNC_TIMEOUT_MS"),
    *_ignored(_NO_CACHE, "SEMANTIC_CACHE_*", "PROMPT_CACHE_*"),
    *_ignored("set the two MODE variables", "INPUT_SANITIZER_ENABLED"),
    *_ignored(_LOGS, "LOG_TO_FILE"),
    *_ignored("nothing of that sort is polled", "OPENROUTER_CATALOG_TTL_MS", "NANOBANANA_POLL_*"),
    *_ignored(
        "a provider may always have several accounts", "ALLOW_MULTI_CONNECTIONS_PER_COMPAT_NODE"
    ),
    *_ignored(
        _CLI_TOOLS,
        "CLI_MODE",
        "CLI_EXTRA_PATHS",
        "CLI_CONFIG_HOME",
        "CLI_ALLOW_CONFIG_WRITES",
        "CLI_*_BIN",
    ),
    *_ignored(
        "there are no OAuth tokens to check",
        "OMNIROUTE_DISABLE_TOKEN_HEALTHCHECK",
        "OMNIROUTE_HIDE_HEALTHCHECK_LOGS",
    ),
    *_ignored(
        _NO_STEALTH,
        "ENABLE_TLS_FINGERPRINT",
        "CLI_COMPAT_ALL",
        "*_USER_AGENT",
        "*_OAUTH_CLIENT_*",
        "MITM_DISABLE_TLS_VERIFY",
    ),
)


def own_names() -> tuple[str, ...]:
    """Give every variable of ours that means something, for spotting a misspelt one."""
    names = [variable.name for row in SETTINGS for variable in row.variables]
    names += [row.name for row in DOCUMENTED]
    return tuple(name for name in names if name.startswith(OWN_PREFIX))
