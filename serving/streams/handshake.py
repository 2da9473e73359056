"""Whether a WebSocket may be opened, and the answer when not: a problem like any other over HTTP."""

from http import HTTPStatus

from websockets.http11 import Request, Response

from serving.problems import problem
from serving.streams.origin import allowed

PATH = "/ws/market-data"


def refusal(request: Request, response: Response, origins: tuple[str, ...], *, secure: bool) -> bytes | None:
    """Return the bytes that refuse a handshake, or None. `response` is what the protocol itself would answer."""
    path, query, _ = request.path.partition("?")
    if path != PATH:
        return answer(HTTPStatus.NOT_FOUND, f"there is no WebSocket at this path; it is at {PATH}")
    if query:  # addresses are written to logs and histories: a token has no place there
        why = "no parameters in the address: send a token by `authenticate` or in the header Authorization"
        return answer(HTTPStatus.BAD_REQUEST, why)
    named, hosts = request.headers.get_all("Origin"), request.headers.get_all("Host")
    origin, host = next(iter(named), None), hosts[0] if len(hosts) == 1 else None
    if len(named) > 1 or not allowed(origin, host, "https" if secure else "http", origins):
        return answer(HTTPStatus.FORBIDDEN, "pages of this origin may not connect; see the setting CAP_ALLOWED_ORIGINS")
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        return answer(HTTPStatus(response.status_code), bytes(response.body or b"").decode().strip())
    return None


def bearer(request: Request) -> str | None:
    """Return the access token of the header Authorization, if there is one."""
    values = request.headers.get_all("Authorization")
    kind, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    return token if kind.lower() == "bearer" and token else None


def too_many(most: int) -> bytes:
    """Refuse an address that has its share of connections."""
    return answer(HTTPStatus.TOO_MANY_REQUESTS, f"at most {most} WebSocket connections per address")


def answer(status: HTTPStatus, detail: str) -> bytes:
    """Write a whole HTTP answer that ends the connection."""
    body = bytes(problem(status, detail).body)
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "X-Content-Type-Options: nosniff",
    ]
    if status is HTTPStatus.UPGRADE_REQUIRED:
        lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        lines += ["Retry-After: 10"]
    return "\r\n".join([*lines, "", ""]).encode() + body
