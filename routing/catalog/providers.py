"""The providers we know: one row each in `providers.json`, and all that is said of one is there.

A row is a convenience, not a border: users add endpoints of their own as accounts with their
own provider name (see accounts.py). `models` are names to begin with, for listing and for
`auto`; a provider serves whatever model its account names, also one that is not listed.

The file is read once, when this module is imported, and checked by its types while it is: a
field that nobody knows, a wrong type or a missing name ends the start. All rows together take
0.2 ms (118 rows, CPython 3.11, 2026-11-22).

Sources: each row's `source`, the vendor's own documentation, as of 2026-11. Addresses, key
variables and models were compared with OmniRoute's reference, sections 5.1, 5.3 and 5.4, and
with models.dev (read at its state of 2026-07-02); where they differ the vendor's page counts.
The newest models of the large vendors are those of the price lists of 2026-11-22.
Which of the reference's rows are left out, and why, is docs/decisions/0040.
"""

import re
from pathlib import Path
from typing import Literal

import msgspec

from ..model import Dialect
from ..wire.quirks import NO_QUIRKS, Quirks

CACHE_S = 300.0
"""The shortest that providers with a prompt cache name: Anthropic's, and OpenAI's 5 to 10 minutes.

DeepSeek names hours. Source: their guides on prompt caching, read 2026-11.
"""

Auth = Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "aws"]
"""How a credential is sent; see upstream/auth.py."""

Documents = Literal["google", "entra"]
"""Who exchanges a key that is a document for tokens; see upstream/credentials.py."""

_FILE = Path(__file__).with_name("providers.json")
_SERVICES_FILE = Path(__file__).with_name("service_providers.json")
_BLANK = re.compile(r"{(\w+)}")


class Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a dialect's body is asked with where that is not the dialect's own way.

    Attributes:
        whole, streamed: the paths below the base URL, with a place for the model's name, which
            then does not stand in the body.
        fields: what stands in the body beside what the dialect has.
    """

    whole: str
    streamed: str
    fields: tuple[tuple[str, str], ...] = ()


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One upstream service.

    Attributes:
        name: what stands before the slash in `provider/model`.
        base_url: up to where the dialect's own path begins (`/chat/completions`,
            `/messages`, `/models/{model}:...`). What stands in braces is a part that each
            customer has for itself: a variable of the environment, or to be given by hand.
        source: where the row's facts are from.
        key_variables: environment variables that hold its key; the first one set counts.
        broad_key: the key opens more than models at its vendor, so that finding it in the
            environment is no reason to use it.
        url_variables: environment variables that hold another base URL for it.
        url_suffix: what the vendor's SDK itself adds to such a base URL.
        auth: how the key is sent where that is not its dialect's way.
        documents: who exchanges a key that is a JSON document; None where keys are sent.
        frame: how it is asked, where that is not its dialect's way.
        headers: sent with every call unless the account or the call gives them.
        price_list: its list in prices.json, None where no list is known.
        port: the usual port of a local server, None for a service in the network.
        streams_usage: False where a request with `stream_options.include_usage` is refused
            or hangs, so that it must not be sent.
        runs_on: a stream that is left is written to its end all the same, and billed whole.
        cache_s: how long it likely keeps a prompt that is not used, to read it again for less.
        quirks: where it speaks openai_chat otherwise than OpenAI.
        reseller: it sells other vendors' models under no name of its own; we vouch for none.
    """

    name: str
    title: str
    base_url: str
    source: str
    key_variables: tuple[str, ...] = ()
    broad_key: bool = False
    dialect: Dialect = "openai_chat"
    aliases: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    price_list: str | None = None
    url_variables: tuple[str, ...] = ()
    url_suffix: str = ""
    auth: Auth | None = None
    documents: Documents | None = None
    frame: Frame | None = None
    headers: tuple[tuple[str, str], ...] = ()
    port: int | None = None
    streams_usage: bool = True
    cache_s: float = CACHE_S
    runs_on: bool = False
    reseller: bool = False
    quirks: Quirks = NO_QUIRKS

    @property
    def local(self) -> bool:
        """Whether it is a server on the user's own machine."""
        return self.port is not None

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment's variables that it is known by."""
        named = (one for one in self.blanks if one.isupper())
        return (*self.key_variables, *self.url_variables, *named)

    @property
    def blanks(self) -> tuple[str, ...]:
        """The parts of its base URL that each customer has for itself."""
        return tuple(_BLANK.findall(self.base_url))


def read_rows(text: bytes) -> tuple[Provider, ...]:
    """Give the rows of a file like ours.

    Raises:
        msgspec.ValidationError: a row is not as it must be; says which and why.
        ValueError: a name or an alias stands in two rows, or a variable in rows of two servers:
            a key is sent to one place only.
    """
    rows = msgspec.json.decode(text, type=tuple[Provider, ...])
    names: set[str] = set()
    hosts: dict[str, str] = {}
    for row in rows:
        for name in (row.name, *row.aliases):
            if name in names:
                raise ValueError(f"{name!r} stands twice, the second time at {row.name}")
            names.add(name)
        host = row.base_url.partition("://")[2].partition("/")[0]
        for variable in row.variables:
            if hosts.setdefault(variable, host) != host:
                raise ValueError(f"{variable!r} stands twice, the second time at {row.name}")
    return rows


PROVIDERS: tuple[Provider, ...] = read_rows(_FILE.read_bytes())

# Servers on the user's own machine: no key, no price, models as the server lists them.
# Where two share a port, a server found there is taken for the first of them.
LOCAL_PROVIDERS = tuple(one for one in PROVIDERS if one.local)

SERVICE_PROVIDERS: tuple[Provider, ...] = read_rows(_SERVICES_FILE.read_bytes())
"""Providers of no chats: of vectors, pictures, sounds and the like alone; see services.py."""

ALL_PROVIDERS = (*PROVIDERS, *SERVICE_PROVIDERS)

_BY_NAME = {name: one for one in ALL_PROVIDERS for name in (one.name, *one.aliases)}


def provider_named(name: str) -> Provider | None:
    """Give the row of a provider's name or alias, whatever its case; None when unknown."""
    return _BY_NAME.get(name.lower())
