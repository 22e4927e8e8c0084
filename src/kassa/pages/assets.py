"""Static files by manifest: each read once, compressed, and served under a name that changes with its content."""

import base64
import gzip
import hashlib
from functools import cache
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
ROOT = "/static/"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One file, as it is served."""

    path: str
    """Below ``/static/``."""
    integrity: str
    """For subresource integrity."""
    content: bytes
    compressed: bytes
    headers: dict[str, str]


@cache
def manifest() -> dict[str, Asset]:
    """Return every file, by its name in the folder."""
    return {path.name: _asset(path) for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}


def route() -> Route:
    """Return the route that serves the files, under the base and the gate alike."""
    by_path = {asset.path: asset for asset in manifest().values()}

    async def serve(request: Request) -> Response:
        asset = by_path.get(request.path_params["path"])
        if asset is None:
            return Response(status_code=404)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(asset.content, headers=asset.headers)
        return Response(asset.compressed, headers={**asset.headers, "content-encoding": "gzip"})

    return Route(f"{ROOT}{{path:path}}", serve, methods=["GET"], name="static")


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(
        path=f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}",
        integrity=f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}",
        content=content,
        compressed=gzip.compress(content, mtime=0),
        headers={
            "content-type": TYPES[path.suffix],
            "cache-control": "public, max-age=31536000, immutable",
            "vary": "Accept-Encoding",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "same-origin",
        },
    )
