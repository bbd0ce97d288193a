"""`omniroute keyring`: the keys that provider secrets are sealed with."""

from argparse import Namespace
from urllib.parse import quote

from ..management_keyring import KeyRingJson, RingKeyJson
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK
from .output import NOTHING, moment, show, show_json, table

PATH = "/api/keyring"


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show the ring."""
    with with_gateway(settings, sources) as gateway:
        _show(decoded(call(gateway, "GET", PATH), KeyRingJson), json=arguments.json)
    return OK


def add(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Add a key and show the ring."""
    with with_gateway(settings, sources) as gateway:
        _show(decoded(call(gateway, "POST", PATH), KeyRingJson), json=arguments.json)
    return OK


def retire(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Retire a key and show the ring."""
    with with_gateway(settings, sources) as gateway:
        answer = call(gateway, "DELETE", f"{PATH}/{quote(arguments.id, safe='')}")
        ring = decoded(answer, KeyRingJson)
    _show(ring, json=arguments.json)
    if not arguments.json and ring.kept_in == "variable":
        show("Take it out of OMNIROUTE_STORAGE_ENCRYPTION_KEY on every machine now.")
    return OK


def _show(ring: KeyRingJson, *, json: bool) -> None:
    if json:
        show_json(ring)
        return
    headings = ("ID", "STATE", "MADE", "RETIRED", "SECRETS", "KEYS", "CHAINS")
    show(table(headings, [_row(one) for one in ring.keys]))


def _row(key: RingKeyJson) -> tuple[str, ...]:
    return (
        key.key_id,
        key.state,
        moment(key.made_unix_s, empty=NOTHING),
        moment(key.retired_unix_s, empty=NOTHING),
        str(key.secrets),
        str(key.virtual_keys),
        str(key.chains),
    )
