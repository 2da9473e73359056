"""Carries out the faults that strike whole connections, in the midst of sending."""

from ingestion.simulator.connection import Client
from ingestion.simulator.dialect import Dialect
from ingestion.simulator.faults import Fault, FaultKind, Faults

WHOLE = (FaultKind.RESET, FaultKind.CLOSE, FaultKind.CUT, FaultKind.HALF_OPEN, FaultKind.STALL_SOCKET)
CUT_WITHOUT_CLOSE_FRAME = 1006


def strike(faults: Faults, exchanges: list[Dialect], clients: set[Client]) -> None:
    """Strike all connections of an exchange that have a subscription."""
    if not any(fault.kind in WHOLE for fault in faults.active.values()):
        return
    for exchange in exchanges:
        hit = {id(client) for subscribers in exchange.subscribers.values() for client in subscribers}
        struck = [client for client in clients if id(client) in hit and not client.closing and not client.silent]
        for kind in WHOLE if struck else ():
            if (fault := faults.hit(kind, exchange.name)) is not None:
                for client in struck:
                    _carry_out(fault, client)


def _carry_out(fault: Fault, client: Client) -> None:
    if fault.kind is FaultKind.HALF_OPEN:
        client.silent = True
    elif fault.kind is FaultKind.STALL_SOCKET:
        client.mute = True
    elif fault.kind is FaultKind.CLOSE and fault.code != CUT_WITHOUT_CLOSE_FRAME:
        client.close(fault.code)
    else:
        client.abort(reset=fault.kind is FaultKind.RESET)
