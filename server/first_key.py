"""The key that a start makes where others can reach the gateway and there is none."""

from .compose import Composed
from .store.key_terms import KeyTerms


async def make_first_key(composed: Composed) -> str | None:
    """Make a key that may do everything; None where none is needed, or there is one.

    There is no default password and no default key: what is made here is random, and said once.
    """
    keys = composed.parts.storage.keys
    if composed.parts.settings.on_loopback or len(keys):
        return None
    terms = KeyTerms(name="first", scopes=("full", "admin"))
    return (await keys.create(terms, actor="start")).text
