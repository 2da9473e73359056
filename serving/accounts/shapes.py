"""What answers about accounts look like."""

from typing import Literal

from pydantic import BaseModel, Field

from serving.accounts.subscriptions import Type
from serving.parameters import Timeframes


class TokenPair(BaseModel):
    """What a login gives."""

    access_token: str
    refresh_token: str = Field(description="good for one use; the answer brings the next one")
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="seconds until the access token runs out")


class User(BaseModel):
    """A user."""

    id: str
    email: str
    name: str
    role: Literal["viewer", "analyst", "admin", "operator"]
    verified: bool = Field(description="whether the e-mail address was proven to be theirs")


class Usage(BaseModel):
    """How much of a plan is used."""

    used: int
    limit: int
    plan: str
    text: str = Field(description='as a sentence: "37 of 50 used"')


class SignalSubscription(BaseModel):
    """Signals that a user gets on `signals.{userId}`."""

    id: str
    symbol: str
    timeframe: Timeframes | None = Field(description="null: all of them")
    type: Type


class NewSignalSubscription(SignalSubscription):
    """A subscription, where its signals come, and how much of the plan is used."""

    channel: str
    usage: Usage


class SignalSubscriptions(BaseModel):
    """All subscriptions of a user."""

    items: list[SignalSubscription]
    channel: str
    usage: Usage
    next: None = None


class Plan(BaseModel):
    """One plan."""

    name: str
    limits: dict[str, int]


class Plans(BaseModel):
    """All plans, the smallest first."""

    items: list[Plan]
    next: None = None


class Subscription(BaseModel):
    """The plan of the asker's tenant, and how much of it is used."""

    plan: str
    usage: dict[str, Usage]


class LoginSession(BaseModel):
    """One login that goes on."""

    id: str
    created_at: str
    used_at: str = Field(description="when its refresh token was last exchanged")
    agent: str = Field(description="what the client calls itself")
    address: str = Field(description="the network it was opened from")
    current: bool = Field(description="whether this request comes from it")


class LoginSessions(BaseModel):
    """A user's logins that go on, the newest first."""

    items: list[LoginSession]
    next: None = None
