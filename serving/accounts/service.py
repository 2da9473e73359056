"""Everything of accounts that lives as long as the process does."""

from dataclasses import dataclass

import redis.asyncio as redis
from starlette.requests import Request

from infra.settings import Settings
from serving.accounts import keys, policy
from serving.accounts.database import Database
from serving.accounts.identities import Identities
from serving.accounts.mail import FileSender, Sender
from serving.accounts.passwords import Passwords
from serving.accounts.policy import Identity, Rule
from serving.accounts.sessions import Client, Sessions
from serving.accounts.throttle import Throttle
from serving.accounts.tokens import Tokens
from serving.request_budget import block

AGENT = 200  # characters of the User-Agent that are stored


@dataclass(frozen=True)
class Accounts:
    """The parts; see their files."""

    settings: Settings
    database: Database
    passwords: Passwords
    throttle: Throttle
    tokens: Tokens
    sessions: Sessions
    identities: Identities
    sender: Sender


def build(settings: Settings, client: redis.Redis) -> Accounts:
    """Put the parts together; nothing is connected yet."""
    tokens = Tokens(keys.load(settings.data_directory / "keys"))
    database = Database(settings.postgres)
    sessions, identities = Sessions(tokens), Identities(database, tokens)
    sender = FileSender(settings.data_directory / "mail")
    passwords, throttle = Passwords(settings), Throttle(client)
    return Accounts(settings, database, passwords, throttle, tokens, sessions, identities, sender)


async def admit(request: Request, rule: Rule) -> None:
    """Find out who asks, where that matters, and let them pass; `identity(request)` then tells. Raises 401, 403."""
    if rule.least is None:
        return
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or len(request.headers.getlist("Authorization")) > 1:
        policy.check(rule, None)
    who = await accounts(request).identities.of(token)
    policy.check(rule, who)
    request.state.identity = who


def accounts(request: Request) -> Accounts:
    """Return the accounts of this process."""
    parts: Accounts = request.state.accounts
    return parts


def identity(request: Request) -> Identity:
    """Return who asks; only on routes that require a login."""
    who: Identity = request.state.identity
    return who


def client(request: Request) -> Client:
    """Return where a request comes from: the connection's own address, no header that could be invented."""
    address = block(request.client.host if request.client else "")
    agent = request.headers.get("User-Agent", "")[:AGENT]
    return Client(address, "".join(letter if letter.isprintable() else "?" for letter in agent))
