"""One webhook: a signed POST to an address outside private networks.

Signed as Standard Webhooks has it: `webhook-id` stays the same when a delivery is tried again, so that its receiver
can tell. Source: standardwebhooks.com, specification 1.0.
"""

import asyncio
import ipaddress
import secrets
import socket
from base64 import b64encode
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
from standardwebhooks.webhooks import Webhook

TIMEOUT_SECONDS = 10.0
SECRET_BYTES = 24


class RefusedError(Exception):
    """A webhook must not go there, now or ever."""


def new_secret() -> str:
    """Return a secret as Standard Webhooks writes it."""
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def problem_of(address: str, *, private: bool) -> str | None:
    """Say what is wrong with an address, None if nothing is.

    >>> problem_of("http://example.org/x", private=False), problem_of("https://example.org/x", private=False)
    ('a webhook needs https', None)
    """
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        return "not a port"
    if parts.scheme not in {"https", "http"} or not parts.hostname or port == 0:
        return "write it as https://host/path"
    if parts.username or parts.password or parts.fragment:
        return "no user name, password or fragment, please"
    return "a webhook needs https" if parts.scheme == "http" and not private else None


async def resolved(host: str, port: int, *, private: bool) -> str:
    """Return one address of a host. Raises RefusedError where any lies in a private network, OSError without any."""
    answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(sockaddr[0]) for *_, sockaddr in answers]
    if not private and not all(address.is_global and not address.is_multicast for address in addresses):
        raise RefusedError(f"{host} lies in a private network")
    return str(addresses[0])


def signature(secret: str, identity: str, at: datetime, body: str) -> dict[str, str]:
    """Return the three headers that sign a body sent at `at`, in whole seconds of UTC."""
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(identity, at, body),
    }


async def post(client: httpx.AsyncClient, address: str, secret: str, identity: str, body: str, *, private: bool) -> int:
    """Send once to the address that was checked; return the status. Raises RefusedError, httpx.HTTPError, OSError."""
    parts = urlsplit(address)
    host, now = parts.hostname or "", datetime.now(tz=UTC)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    at = await resolved(host, port, private=private)
    bare = f"[{at}]" if ":" in at else at
    url = parts._replace(netloc=f"{bare}:{port}").geturl()
    headers = {"Host": parts.netloc, "Content-Type": "application/json", **signature(secret, identity, now, body)}
    request = client.build_request(
        "POST", url, content=body.encode(), headers=headers, extensions={"sni_hostname": host}
    )
    answer = await client.send(request, stream=True, follow_redirects=False)
    await answer.aclose()  # what it says does not matter, and may be long
    return answer.status_code
