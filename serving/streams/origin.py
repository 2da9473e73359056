"""Which web pages may open a WebSocket: our own and those allowed. Programs send no Origin and may."""

from urllib.parse import urlsplit


def allowed(origin: str | None, host: str | None, scheme: str, others: tuple[str, ...]) -> bool:
    """Return whether a page of `origin` may connect to `host` (the Host header, as in the page's own address).

    >>> allowed("http://localhost:5000", "localhost:5000", "http", ())
    True
    >>> allowed("http://localhost:5000.evil.example", "localhost:5000", "http", ())
    False
    >>> allowed("null", "localhost:5000", "http", ()), allowed(None, "localhost:5000", "http", ())
    (False, True)
    """
    if origin is None:
        return True
    if origin in others:
        return True
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}":
        return False
    if "@" in parts.netloc or not host or parts.netloc != parts.netloc.lower():
        return False
    return _with_port(parts.hostname, port, parts.scheme) == _host(host, parts.scheme) and (
        scheme == "http" or parts.scheme == "https"
    )


def _with_port(name: str, port: int | None, scheme: str) -> tuple[str, int]:
    return name, port or (443 if scheme == "https" else 80)


def _host(host: str, scheme: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(f"//{host}")
        return _with_port(parts.hostname or "", parts.port, scheme)
    except ValueError:
        return None
