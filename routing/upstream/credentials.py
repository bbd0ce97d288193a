"""Credentials that are not sent as they are: documents that are exchanged for short-lived tokens.

Google's service accounts and Entra's applications are such documents. Who exchanges them is a
port, for it takes HTTP to another server and a signature; here is what a call needs of it.
"""

from typing import Protocol

from ..catalog.providers import provider_named
from ..errors import UpstreamFailure
from ..model import Account

DOCUMENT_BEGINS = "{"


class Tokens(Protocol):
    """Gives what stands for a document in a call."""

    async def token(self, account: Account) -> str:
        """Give a token that is good for the next minute at least.

        Raises:
            UpstreamFailure: kind "auth" when the document is refused or is none, "connect" when
                who exchanges it cannot be reached.
        """
        ...

    def forget(self, account: Account) -> None:
        """Throw the account's token away: its provider has refused it."""
        ...


class NoTokens:
    """Stands where nobody exchanges documents."""

    async def token(self, account: Account) -> str:
        raise UpstreamFailure(
            f"the key of {account.account_id} is a document, and nothing here exchanges it",
            kind="auth",
        )

    def forget(self, account: Account) -> None:
        return None


def is_document(account: Account) -> bool:
    """Whether the account's credential has to be exchanged."""
    credential = account.credential
    if credential is None or not credential.startswith(DOCUMENT_BEGINS):
        return False
    row = provider_named(account.provider)
    return row is not None and row.documents is not None


def with_bearer(head: bytes, token: str) -> bytes:
    """Give the head of a request with the token in it.

    Args:
        head: with the empty line that ends it.
        token: as it goes over the wire; never repeated in an error.

    Raises:
        UpstreamFailure: kind "auth": it cannot stand in a header.
    """
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise UpstreamFailure("the token that was given cannot stand in a header", kind="auth")
    return b"%bauthorization: Bearer %b\r\n\r\n" % (head[:-2], token.encode())
