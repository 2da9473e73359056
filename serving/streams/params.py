"""Parameters of the WebSocket's methods: their shapes, and how they are read."""

from typing import TypeVar

import msgspec

from infra.errors import InputError
from serving.channels import Channel
from serving.streams import rpc


class Named(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of `unsubscribe`."""

    channels: list[str]


class Subscription(Named, forbid_unknown_fields=True):
    """Parameters of `subscribe`; `resume_from` is the last sequence that the client has, of all channels or of each."""

    resume_from: int | dict[str, int] | None = None

    def last(self, spelling: str) -> int | None:
        """Return the last sequence that the client has of a channel, None where it wants a snapshot."""
        return self.resume_from.get(spelling) if isinstance(self.resume_from, dict) else self.resume_from


class Authentication(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of `authenticate`."""

    token: str


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of methods that take none."""


Shape = TypeVar("Shape", bound=msgspec.Struct)


def channel(spelling: str) -> Channel:
    """Read the name of a channel. Raises RpcError."""
    try:
        return Channel.parse(spelling)
    except InputError as error:
        raise rpc.RpcError(rpc.INVALID_PARAMS, f"Invalid params: {error}") from error


def read(call: rpc.Call, shape: type[Shape]) -> Shape:
    """Read the params of a call, by name or by position (then channels one after the other). Raises RpcError."""
    params = call.params
    if isinstance(params, list):
        if shape is Nothing and params:
            raise rpc.RpcError(rpc.INVALID_PARAMS, f"Invalid params: {call.method} takes none")
        if shape is Authentication:
            params = {"token": params[0]} if len(params) == 1 else {}
        else:
            params = {} if shape is Nothing else {"channels": params}
    try:
        return msgspec.convert(params, shape)
    except msgspec.ValidationError as error:
        raise rpc.RpcError(rpc.INVALID_PARAMS, f"Invalid params: {error}") from error
