"""Style sheets and scripts, each at an address that names its content, so it is kept for good.

The large style sheet is Tabler's, out of an installed package (the extra `dashboard`). Without
that a small one of ours stands in. Nothing is asked of another origin.
"""

import gzip
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from omniroute.routing.errors import NotFound

OURS = Path(__file__).parent / "static"
PREFIX = "/dashboard/assets"
KEPT = "public, max-age=31536000, immutable"
STAMP_CHARS = 12
_TABLER = Path("static/css/vendor/tabler.min.css")
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
BASE = "base.css"
"""The large style sheet, or what stands in for it."""
_STAND_IN = "stand-in.css"


def has_package() -> bool:
    """Whether the package with the large style sheet is installed."""
    return _tabler() is not None


def address_of(name: str) -> str:
    """Give where an asset is served. Raises NotFound where there is none of that name."""
    _file(name)
    return f"{PREFIX}/{_stamp()}/{name}"


async def serve(request: Request) -> Response:
    """Answer a GET of an asset."""
    name: str = request.path_params["name"]
    path = _file(name)
    headers = {
        "cache-control": KEPT if _stamp() == request.path_params["stamp"] else "no-cache",
        "x-content-type-options": "nosniff",
        "vary": "accept-encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        body = _packed(path)
    else:
        body = path.read_bytes()
    return Response(body, headers=headers, media_type=_KINDS[path.suffix])


@cache
def _stamp() -> str:
    """Give what all assets together are known by: a script names another one beside it."""
    content = hashlib.blake2b(digest_size=8)
    for name in (BASE, *sorted(one.name for one in OURS.iterdir() if one.suffix in _KINDS)):
        content.update(_file(name).read_bytes())
    return content.hexdigest()[:STAMP_CHARS]


@cache
def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)


def _file(name: str) -> Path:
    if name == BASE:
        return _tabler() or OURS / _STAND_IN
    known = {one.name: one for one in OURS.iterdir() if one.suffix in _KINDS}
    if name not in known:
        raise NotFound(f"there is no asset named {name!r}")
    return known[name]


def _tabler() -> Path | None:
    found = find_spec("starlette_admin")
    places = found.submodule_search_locations if found is not None else None
    paths = (Path(one) / _TABLER for one in places or ())
    return next((one for one in paths if one.is_file()), None)
