"""Proxies that accounts share: one for all, and one for each provider that has its own.

An account's own proxy comes first, then its provider's, then the one of all, then the setting.
The one of all is for whoever is reached over the internet: accounts that are marked as local go
directly, unless their provider has a proxy. DIRECT at one level keeps the next from counting.
A URL may hold a password: it is sealed, like an account's secrets.
"""

from collections.abc import Mapping
from dataclasses import replace

from omniroute.routing.model import Account, Config
from omniroute.routing.upstream.tunnel import DIRECT

from .database import Rows, Statement, Steps
from .vault import SecretLost, Vault

TABLE = "shared_proxies"
ALL = "*"
"""The place of the proxy of all."""

ALL_PROXIES = Statement("SELECT place, secret FROM shared_proxies ORDER BY place")
REMOVAL = "DELETE FROM shared_proxies WHERE place = $1 RETURNING place"


def proxies_of(rows: Rows, vault: Vault, problems: list[str]) -> Mapping[str, str]:
    """Give the URL for each place; what cannot be opened goes to `problems`."""
    found: dict[str, str] = {}
    for row in rows:
        place = str(row["place"])
        try:
            found[place] = vault.open(bytes(row["secret"]), table=TABLE, row_id=place).decode()
        except SecretLost as error:
            problems.append(str(error))
    return found


def proxy_row(place: str, secret: bytes, now_unix_s: float, actor: str) -> Steps[None]:
    """Store the proxy of a place, in that of the one before."""
    yield Statement(
        "INSERT INTO shared_proxies (place, secret, changed_unix_s, changed_by) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT (place) DO UPDATE SET secret = excluded.secret, "
        "changed_unix_s = excluded.changed_unix_s, changed_by = excluded.changed_by",
        (place, secret, now_unix_s, actor),
    )


def with_proxies(config: Config, proxies: Mapping[str, str]) -> Config:
    """Give a configuration whose accounts know the proxy that they share."""
    if not proxies:
        return config
    return replace(config, accounts=tuple(_sharing(one, proxies) for one in config.accounts))


def place_of(account: Account, proxies: Mapping[str, str]) -> str | None:
    """Give the place whose proxy an account shares, None for none."""
    if account.simulated:
        return None
    if account.provider in proxies:
        return account.provider
    return ALL if ALL in proxies and not account.local else None


def _sharing(account: Account, proxies: Mapping[str, str]) -> Account:
    place = place_of(account, proxies)
    url = None if place is None else proxies[place]
    return account if url in (None, DIRECT) else replace(account, shared_proxy=url)
