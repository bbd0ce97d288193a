"""Accounts as the management API makes and changes them.

A change keeps what it does not name, secrets as well, with one exception: secrets stay where
they were sent to. Who leads an account to another server, or through another proxy, has to enter
its key and headers anew; else a change of the address would read a key that no answer shows.
"""

from collections.abc import Set
from dataclasses import replace

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Account
from omniroute.routing.upstream.egress import parse_base_url

from .accounts import AccountEntry, make_account
from .management import AccountWish


def wished_account(wish: AccountWish, *, account_id: str, own_urls: tuple[str, ...]) -> Account:
    """Give the account of a wish.

    Raises:
        BadRequest: with the field that is wrong.
    """
    entry = AccountEntry(
        provider=wish.provider,
        base_url=wish.base_url,
        dialect=wish.dialect,
        key=wish.key,
        name=wish.name,
        models=wish.models,
        headers=tuple(wish.headers.items()),
        proxy=wish.proxy,
        http2=wish.http2,
    )
    account = make_account(entry, account_id=account_id, own_urls=own_urls)
    return replace(account, enabled=wish.enabled)


def wish_of(account: Account) -> AccountWish:
    """Give what would make an account as it is, its secrets included: to be changed, not shown."""
    return AccountWish(
        provider=account.provider,
        key=account.credential,
        base_url=account.base_url,
        dialect=account.dialect,
        name=account.name,
        models=account.models,
        headers=dict(account.headers),
        proxy=account.proxy,
        http2=account.http2,
        enabled=account.enabled,
    )


def changed_account(
    before: Account, wish: AccountWish, *, names: Set[str], own_urls: tuple[str, ...]
) -> Account:
    """Give an account with what a wish changes of it.

    Args:
        before: the account as it is.
        wish: the account as it is to be.
        names: of the fields that whoever wishes has written down.
        own_urls: where this gateway is reached.

    Raises:
        BadRequest: a field is wrong, or a secret would go where it was not entered for.
    """
    if wish.provider != before.provider:
        raise BadRequest(
            "an account stays at its provider: add another account instead", field="provider"
        )
    after = wished_account(wish, account_id=before.account_id, own_urls=own_urls)
    after = replace(after, simulated=before.simulated)
    if _way(after) != _way(before):
        for name, secret in (("key", before.credential), ("headers", before.headers)):
            if secret and name not in names:
                raise BadRequest(
                    f"the account would lead elsewhere, and its {name} would go there: enter "
                    f"{name} anew in the same request (null for none)",
                    field=name,
                )
    return after


def _way(account: Account) -> tuple[str, str | None]:
    return str(parse_base_url(account.base_url).origin), account.proxy
