"""Ports are looked at before anything starts: a taken one is an error that names the setting and the holder."""

import socket
from collections import Counter
from collections.abc import Iterable

import psutil

from infra.errors import SettingsError, UnavailableError
from infra.local.service import Service


def check_free(services: Iterable[Service]) -> None:
    """Raise SettingsError when two services want one port, UnavailableError that names every taken one."""
    ours = [service for service in services if not service.external]
    twice = [port for port, count in Counter(service.port for service in ours).items() if count > 1]
    if twice:
        names = ", ".join(s.port_setting for s in ours if s.port in twice)
        raise SettingsError(f"{names} are the same port {twice[0]}")
    complaints = [_complaint(service) for service in ours if _is_taken(service.host, service.port)]
    if complaints:
        raise UnavailableError("\n".join(complaints))


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return True
    return False


def _complaint(service: Service) -> str:
    holder = holder_of(service.host, service.port)
    replace = f", or use the server there: {service.url_setting}" if service.url_setting else ""
    return (
        f"{service.name} cannot listen on {service.host}:{service.port}, taken by {holder}; "
        f"set {service.port_setting} to a free port{replace}"
    )


def holder_of(host: str, port: int) -> str:
    """Name the process that listens on `port`: "" when it is free, "another process" when the system hides it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another process" if _is_taken(host, port) else ""
