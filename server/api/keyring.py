"""The key ring that secrets are sealed with: show it, add a key, retire one."""

from starlette.requests import Request

from omniroute.routing.model import Caller

from ..management_keyring import KeyRingJson, RingKeyJson
from ..store.rings import Rings
from .rows import Row

PATH = "/api/keyring"


def rows(rings: Rings) -> tuple[Row, ...]:
    """Give the routes."""

    async def show(request: Request, caller: Caller) -> KeyRingJson:
        return await _json(rings)

    async def add(request: Request, caller: Caller) -> KeyRingJson:
        await rings.add(actor=caller.key_id)
        return await _json(rings)

    async def retire(request: Request, caller: Caller) -> KeyRingJson:
        await rings.retire(request.path_params["key_id"], actor=caller.key_id)
        return await _json(rings)

    return (
        Row("GET", PATH, "admin", "List the keys that secrets are sealed with", show),
        Row("POST", PATH, "admin", "Add a key, which everything is sealed with anew", add, 201),
        Row("DELETE", f"{PATH}/{{key_id}}", "admin", "Retire a key of the ring", retire),
    )


async def _json(rings: Rings) -> KeyRingJson:
    return KeyRingJson(
        "file" if rings.in_file else "variable",
        tuple(
            RingKeyJson(
                key_id=one.key_id,
                state=one.state,
                made_unix_s=one.made_unix_s,
                retired_unix_s=one.retired_unix_s,
                secrets=one.secrets,
                virtual_keys=one.virtual_keys,
                chains=one.chains,
            )
            for one in await rings.standing()
        ),
    )
