"""`/`: the web page as `make install` built it."""

from http import HTTPStatus
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

BUILT = Path(__file__).parent.parent / "web" / "dist"
IMMUTABLE = "public, max-age=31536000, immutable"  # names of assets change with their content
KINDS = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}


async def page(_request: Request) -> Response:
    """Answer with the page, or say how to build it."""
    index = BUILT / "index.html"
    if not index.is_file():
        return PlainTextResponse("The web page is not built yet: `make install` builds it. The API: /docs\n")
    return FileResponse(index, headers={"Cache-Control": "no-cache"}, media_type="text/html")


async def asset(request: Request) -> Response:
    """Answer with one of the page's files."""
    return _file(BUILT / "assets", request.path_params["name"], IMMUTABLE)


async def icon(request: Request) -> Response:
    """Answer with a file beside the page."""
    return _file(BUILT, f"{request.path_params['name']}.svg", "public, max-age=3600")


def _file(folder: Path, name: str, cache: str) -> Response:
    path = folder / name
    if path.parent != folder or path.suffix not in KINDS or not _is_file(path):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return FileResponse(path, headers={"Cache-Control": cache}, media_type=KINDS[path.suffix])


def _is_file(path: Path) -> bool:
    """Return whether there is such a file. The operating system refuses to look up a name that is too long for one."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


ROUTES = (
    Route("/", page, methods=["GET"]),
    Route("/assets/{name}", asset, methods=["GET"]),
    Route("/{name}.svg", icon, methods=["GET"]),
)
