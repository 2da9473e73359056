"""One real Apache Kafka node (KRaft) on loopback, from its Maven artifacts: `make kafka`, and the tests.

Needs a JDK 17 or newer and Maven. Production uses a cluster, and docker-compose the official image.
"""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from infra.errors import UnavailableError
from infra.settings import settings

POM = Path(__file__).parent.parent / "kafka" / "pom.xml"
CLUSTER = "Y2FwLWthZmthLW5vZGUtMQ"  # any 16 bytes in base64: the node is alone
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={directory}/log
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


def artifacts() -> Path:
    """Return the folder of Kafka's jars; the first call fetches them with Maven."""
    version = POM.read_text().split("<artifactId>kafka_2.13</artifactId>")[1].split("<version>")[1].split("<")[0]
    folder = settings().kernel_cache.parent / f"kafka-{version}"
    done = folder / ".complete"
    if not done.exists():
        command = [program("mvn"), "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        subprocess.run([*command, f"-DoutputDirectory={folder}", "-DincludeScope=runtime"], check=True)  # noqa: S603 - fixed command
        done.touch()
    return folder


def program(name: str) -> str:
    """Return the path of a program. Raises UnavailableError that says what to install."""
    path = shutil.which(name)
    if path is None:
        raise UnavailableError(f"{name} is not installed; a Kafka node needs a JDK (17 or newer) and Maven")
    return path


def spawn(directory: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a node that keeps its data in `directory`; a second start keeps what is there."""
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "server.properties"
    configuration.write_text(PROPERTIES.format(port=port, controller=port + 1, directory=directory.resolve()))
    java = [program("java"), "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    java += ["-cp", f"{artifacts()}/*"]
    storage = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER, "-c", str(configuration)]
    subprocess.run([*java, *storage], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed command
    with (directory / "server.log").open("ab") as log:
        return subprocess.Popen([*java, "kafka.Kafka", str(configuration)], stdout=log, stderr=log)  # noqa: S603 - fixed command


def wait(process: subprocess.Popen[bytes], port: int, seconds: float = 60.0) -> None:
    """Return when the node accepts connections. Raises UnavailableError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise UnavailableError(f"Kafka did not open port {port} within {seconds:g} s; see server.log")


@contextmanager
def node(directory: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a node for the length of a block."""
    process = spawn(directory, port)
    try:
        wait(process, port)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """Run a node in the foreground until Ctrl-C."""
    port = int(settings().kafka_servers.rpartition(":")[2])
    directory = settings().data_directory / "kafka"
    with node(directory, port) as process:
        typer.echo(f"Apache Kafka listens on 127.0.0.1:{port}; CAP_EVENT_LOG=kafka uses it; Ctrl-C ends it")
        try:
            process.wait()
        except KeyboardInterrupt:
            sys.exit(0)


if __name__ == "__main__":
    main()
