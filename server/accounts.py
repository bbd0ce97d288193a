"""Accounts as people enter them: what is checked, and what is filled in from the catalogue.

A known provider needs only a key. An endpoint of the user's own (anything that speaks the
OpenAI, Anthropic or Gemini dialect) is an account under a provider name of its own.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from omniroute.routing.catalog.listing import OWNED_BY_COMBO, OWNED_BY_US
from omniroute.routing.catalog.names import is_reserved
from omniroute.routing.catalog.providers import Documents, Provider, provider_named
from omniroute.routing.catalog.resolve import TARGET_CHARS_MAX
from omniroute.routing.catalog.simulated import SIMULATED_PROVIDER
from omniroute.routing.errors import BadRequest, UpstreamFailure
from omniroute.routing.model import Account, Dialect
from omniroute.routing.upstream.auth import account_headers, header_line
from omniroute.routing.upstream.credentials import DOCUMENT_BEGINS
from omniroute.routing.upstream.egress import Origin, is_self, parse_base_url, zone_of
from omniroute.routing.upstream.request import MODEL_PLACE
from omniroute.routing.upstream.tunnel import DIRECT, parse_proxy

URL_CHARS_MAX = 2000
KEY_CHARS_MAX = 4096
DOCUMENT_CHARS_MAX = 16_384
DOCUMENT_FIELDS: Mapping[Documents, tuple[str, ...]] = {
    "google": ("client_email", "private_key"),
    "entra": ("tenant_id", "client_id", "client_secret"),
}
DOCUMENT_TITLES: Mapping[Documents, str] = {
    "google": "the key file of a service account",
    "entra": "an application's tenant, id and secret",
}
PROJECT = "project"
HEADERS_MAX = 32
MODELS_MAX = 1000
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")

# What a dialect's SDKs add to a base URL before the part that our codecs write.
_SUFFIXES: dict[str, str] = {"anthropic": "/v1", "gemini": "/v1beta"}
_ENDINGS = ("/chat/completions", "/responses", "/messages", "/models")
_SECRET_NAME = re.compile(
    r"(.*[_-])?(api|access|auth|client|subscription|private)?[_-]?"
    r"(key|token|secret|password|passwd|pwd|signature|sig|credentials?|authorization)",
    re.IGNORECASE,
)
"""Names of what is a credential in the query of a URL: `key`, `api-key`, `access_token`."""
_VERSION = re.compile(r"v[0-9]+[a-z0-9]*")


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account as somebody wrote it down; nothing of it is checked yet.

    Attributes:
        provider: a known provider's name or alias, or a name of the user's own.
        base_url: None for a known provider's own address. What an SDK would add to it
            (`/v1` for Anthropic, `/v1beta` for Gemini) is added where it lacks.
        dialect: None for a known provider's own.
        key: the provider's key; an endpoint of the user's own may need none.
        name: what may stand for it in `name/model`; "" for none.
        models: the only models it serves; none leaves it to the provider's catalogue.
        headers: sent with every call.
        local: whether it may be a private address; None tells from the address.
        proxy: the URL of a proxy to go through, which may hold a user name and password.
        http2: whether HTTP/2 is offered to the server.
    """

    provider: str
    base_url: str | None = None
    dialect: str | None = None
    key: str | None = field(default=None, repr=False)
    name: str = ""
    models: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    local: bool | None = None
    proxy: str | None = field(default=None, repr=False)
    http2: bool = False


def make_account(
    entry: AccountEntry,
    *,
    account_id: str | None = None,
    source: Literal["environment", "database", "probe"] = "database",
    own_urls: Iterable[str] = (),
) -> Account:
    """Give the account of an entry, checked and filled in.

    Args:
        entry: what was written down.
        account_id: None for a new one.
        source: where the entry is from.
        own_urls: where this gateway is reached; an account that leads there is refused.

    Raises:
        BadRequest: with the field that is wrong; never repeats the key or a header's value.
    """
    row = provider_named(entry.provider.strip())
    entry = _with_project(row, entry)
    dialect = _dialect(row, entry.dialect)
    url, origin = _checked_url(row, entry.base_url, dialect, own_urls)
    account = Account(
        account_id=account_id or f"acc_{secrets.token_hex(8)}",
        provider=_provider_name(entry.provider) if row is None else row.name,
        dialect=dialect,
        base_url=url,
        credential=_checked_key(row, entry),
        headers=_checked_headers(entry.headers),
        models=_checked_models(entry.models),
        local=_is_local(row, origin) if entry.local is None else entry.local,
        source=source,
        name=_checked_name(entry.name),
        proxy=checked_proxy(entry.proxy, own_urls),
        http2=_checked_http2(entry, origin),
    )
    _refuse_unsendable(account)
    return account


def _with_project(row: Provider | None, entry: AccountEntry) -> AccountEntry:
    """Give the entry with the base URL that its document knows the rest of.

    A service account of Google's names its project, which is all that the address lacks.
    """
    document = _document(row, entry.key)
    project = str(document.get("project_id") or "")
    if row is None or entry.base_url is not None or row.blanks != (PROJECT,) or not project:
        return entry
    return replace(entry, base_url=row.base_url.replace(f"{{{PROJECT}}}", quote(project, safe="")))


def _document(row: Provider | None, key: str | None) -> Mapping[str, object]:
    """Give the fields of a key that is a document of the provider's kind; else none."""
    if row is None or row.documents is None or not (key or "").strip().startswith(DOCUMENT_BEGINS):
        return {}
    try:
        found: Mapping[str, object] = msgspec.json.decode(key or "", type=dict[str, object])
    except msgspec.MsgspecError:
        raise BadRequest("the key begins like a JSON document and is none", field="key") from None
    missing = [name for name in DOCUMENT_FIELDS[row.documents] if not found.get(name)]
    if missing:
        raise BadRequest(
            f"the key is a JSON document without {', '.join(missing)}: {row.title} takes "
            f"{DOCUMENT_TITLES[row.documents]}",
            field="key",
        )
    return found


def own_addresses(own_urls: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Give host and port of each URL; one that cannot be read is left out."""
    found: list[tuple[str, int]] = []
    for url in own_urls:
        try:
            origin = parse_base_url(url).origin
        except UpstreamFailure:
            continue
        found.append((origin.host, origin.port))
    return tuple(found)


def with_suffix(url: str, suffix: str) -> str:
    """Give the URL with a suffix, unless it ends with it or names a version already."""
    if not suffix or url.endswith(suffix):
        return url
    last = urlsplit(url).path.rpartition("/")[2]
    return url if _VERSION.fullmatch(last) else url + suffix


def _provider_name(provider: str) -> str:
    name = provider.strip().lower()
    if not NAME_PATTERN.fullmatch(name):
        raise BadRequest(
            "a provider's name has 1 to 64 characters of a-z, 0-9 and _ . - and begins with a "
            "letter or digit",
            field="provider",
        )
    if name in (SIMULATED_PROVIDER, OWNED_BY_COMBO, OWNED_BY_US) or is_reserved(name):
        raise BadRequest(f"{name!r} is a name of the gateway's own", field="provider")
    return name


def _dialect(row: Provider | None, dialect: str | None) -> Dialect:
    if dialect is None:
        if row is None:
            raise BadRequest(
                f"an endpoint of your own needs its dialect: one of {', '.join(get_args(Dialect))}",
                field="dialect",
            )
        return row.dialect
    for known in get_args(Dialect):
        if dialect == known:
            spoken: Dialect = known
            return spoken
    raise BadRequest(f"dialect is one of {', '.join(get_args(Dialect))}", field="dialect")


def _checked_url(
    row: Provider | None, base_url: str | None, dialect: Dialect, own_urls: Iterable[str]
) -> tuple[str, Origin]:
    if row is not None and base_url is None and row.blanks:
        raise BadRequest(
            f"{row.title} has a base URL for each customer: give yours, of the form {row.base_url}",
            field="base_url",
        )
    text = row.base_url if row is not None and base_url is None else (base_url or "").strip()
    if not 0 < len(text) <= URL_CHARS_MAX:
        raise BadRequest(
            f"a base URL has 1 to {URL_CHARS_MAX} characters, such as http://127.0.0.1:8000/v1",
            field="base_url",
        )
    try:
        origin = parse_base_url(text).origin
    except UpstreamFailure as refusal:
        raise BadRequest(str(refusal), field="base_url") from None
    if secret := _secret_in(text):
        raise BadRequest(
            f"a base URL is stored and shown as it is, and its {secret!r} looks like a key: give "
            "that to the account, as its key or a header",
            field="base_url",
        )
    if is_self(origin.host, origin.port, own_addresses(own_urls)):
        raise BadRequest(
            f"{origin} is this gateway itself: requests would go in a circle", field="base_url"
        )
    if MODEL_PLACE in text or "?" in text:
        return text, origin  # It says all of the path, and nothing can be added at its end.
    text = text.rstrip("/")
    for ending in _ENDINGS:
        text = text.removesuffix(ending)
    return with_suffix(text, _suffix(row, dialect)), origin


def _secret_in(url: str) -> str | None:
    """Give the name of a part of the query that is a credential, None where there is none."""
    names = (name for name, value in parse_qsl(urlsplit(url).query) if value)
    return next((name for name in names if _SECRET_NAME.fullmatch(name)), None)


def _suffix(row: Provider | None, dialect: Dialect) -> str:
    """Give what an SDK adds to a base URL: none where the provider's own has no such end."""
    usual = _SUFFIXES.get(dialect, "")
    if row is None or row.url_suffix:
        return usual if row is None else row.url_suffix
    return "" if row.dialect == dialect and not row.base_url.endswith(usual) else usual


def _checked_key(row: Provider | None, entry: AccountEntry) -> str | None:
    text = (entry.key or "").strip()
    if not text:
        if row is not None and row.key_variables and entry.base_url is None:
            raise BadRequest(f"{row.title} needs a key", field="key")
        return None
    if document := _document(row, text):
        text = msgspec.json.encode(document).decode()
        if len(text) > DOCUMENT_CHARS_MAX:
            raise BadRequest(f"a key has at most {DOCUMENT_CHARS_MAX} characters", field="key")
        return text
    if len(text) > KEY_CHARS_MAX or not text.isascii() or not text.isprintable() or " " in text:
        raise BadRequest(
            f"a key has at most {KEY_CHARS_MAX} visible ASCII characters and no spaces",
            field="key",
        )
    return text


def checked_proxy(url: str | None, own_urls: Iterable[str]) -> str | None:
    """Give the URL of a proxy, DIRECT as it is, and None where there is none.

    Raises:
        BadRequest: it is no proxy's; the message repeats nothing that may be secret.
    """
    text = (url or "").strip()
    if not text or text == DIRECT:
        return text or None
    try:
        origin = parse_proxy(text).origin
    except UpstreamFailure as refusal:
        raise BadRequest(str(refusal), field="proxy") from None
    if is_self(origin.host, origin.port, own_addresses(own_urls)):
        raise BadRequest(
            f"{origin} is this gateway itself, which is no proxy for others", field="proxy"
        )
    return text


def _checked_http2(entry: AccountEntry, origin: Origin) -> bool:
    if entry.http2 and origin.scheme != "https":
        raise BadRequest(
            f"HTTP/2 is agreed on in the TLS handshake, and {origin} is reached without TLS",
            field="http2",
        )
    return entry.http2


def _checked_headers(headers: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    if len(headers) > HEADERS_MAX:
        raise BadRequest(f"an account has at most {HEADERS_MAX} headers", field="headers")
    return tuple(headers)


def _checked_models(models: Sequence[str]) -> tuple[str, ...]:
    if len(models) > MODELS_MAX:
        raise BadRequest(f"an account has at most {MODELS_MAX} models", field="models")
    for place, model in enumerate(models):
        if not 0 < len(model) <= TARGET_CHARS_MAX or not model.isprintable():
            raise BadRequest(
                f"a model's name has 1 to {TARGET_CHARS_MAX} printable characters",
                field=f"models[{place}]",
            )
    return tuple(dict.fromkeys(models))


def _checked_name(name: str) -> str:
    if name and not NAME_PATTERN.fullmatch(name):
        raise BadRequest(
            "an account's name has 1 to 64 characters of a-z, 0-9 and _ . - and begins with a "
            "letter or digit",
            field="name",
        )
    return name


def _is_local(row: Provider | None, origin: Origin) -> bool:
    if row is not None and row.local:
        return True
    return origin.host == "localhost" or zone_of(origin.host) == "private"


def _refuse_unsendable(account: Account) -> None:
    """Check what a call would send, with the code that sends it."""
    try:
        for name, value in account_headers(account):
            header_line(name, value, owner="the account")
    except UpstreamFailure as refusal:
        raise BadRequest(str(refusal), field="headers") from None
