"""JSON-RPC 2.0, server side and without transport: text in, calls or error responses out. Spec: jsonrpc.org, 2013."""

from typing import Any, NamedTuple

import msgspec

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
UNKNOWN_CHANNEL = -32001
TOO_MANY_CHANNELS = -32002
UNAVAILABLE = -32003
TOO_FAST = -32004
UNAUTHORISED = -32005
FORBIDDEN = -32006
TOO_MANY_CONNECTIONS = -32007

LONGEST_BATCH = 50
Params = list[Any] | dict[str, Any]


class RpcError(Exception):
    """An error of the protocol or of a method, as its caller gets to see it."""

    def __init__(self, code: int, message: str) -> None:
        """Carry a code and a sentence."""
        super().__init__(message)
        self.code = code


class Call(NamedTuple):
    """One valid request. A notification has no id and gets no response, not even an error."""

    method: str
    params: Params
    id: str | int | float | None
    notification: bool


class Batch(NamedTuple):
    """What one message held; `single` says that it was no array."""

    parts: list[Call | RpcError]
    single: bool


def read(text: bytes | bytearray | memoryview) -> Batch:
    """Read one message; what is wrong with it, or with one of its parts, stands in place of the call."""
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Batch([RpcError(PARSE_ERROR, "Parse error: this is not JSON")], single=True)
    if not isinstance(message, list):
        return Batch([_call(message)], single=True)
    if not message:
        return Batch([RpcError(INVALID_REQUEST, "Invalid Request: an empty batch")], single=True)
    if len(message) > LONGEST_BATCH:
        why = f"Invalid Request: {len(message)} calls in one batch; at most {LONGEST_BATCH} are allowed"
        return Batch([RpcError(INVALID_REQUEST, why)], single=True)
    return Batch([_call(part) for part in message], single=False)


def _call(part: Any) -> Call | RpcError:
    if not isinstance(part, dict):
        return RpcError(INVALID_REQUEST, "Invalid Request: a request is an object")
    if part.get("jsonrpc") != "2.0":
        return RpcError(INVALID_REQUEST, 'Invalid Request: "jsonrpc" must be "2.0"')
    method, params, call_id = part.get("method"), part.get("params", []), part.get("id")
    if not isinstance(method, str):
        return RpcError(INVALID_REQUEST, 'Invalid Request: "method" must be a string')
    if not isinstance(params, list | dict):
        return RpcError(INVALID_REQUEST, 'Invalid Request: "params" must be an array or an object')
    if isinstance(call_id, bool) or not isinstance(call_id, str | int | float | None):
        return RpcError(INVALID_REQUEST, 'Invalid Request: "id" must be a string, a number or null')
    return Call(method, params, call_id, "id" not in part)


def result(call: Call, value: object) -> bytes:
    """Write the response of a call that went well."""
    return msgspec.json.encode({"jsonrpc": "2.0", "result": value, "id": call.id})


def error(problem: RpcError, call: Call | None = None) -> bytes:
    """Write the response of a call that did not; without a call its id is null."""
    error = {"code": problem.code, "message": str(problem)}
    return msgspec.json.encode({"jsonrpc": "2.0", "error": error, "id": call.id if call else None})


def notification(method: str, params: Params) -> bytes:
    """Write a call that wants no answer."""
    return msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params})
