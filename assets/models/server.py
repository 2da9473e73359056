"""MLflow's server as `cap mlflow` runs it: tracking server, registry and page in one small process.

`mlflow server` is a parent, workers and a job runner, each with pandas, Arrow and SciPy: 700 MB and more. This is its
plain application alone (no jobs, no gateway, no assistant), without the libraries that only clients use.
"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from infra.settings import Settings

CLIENTS_ONLY = ("numpy", "pandas", "polars", "pyarrow", "scipy", "sklearn")
"""What MLflow's server imports where it finds it and never calls; MLflow without them is its `mlflow-skinny`."""


def environment(config: Settings, url: str, files: Path) -> dict[str, str]:
    """Return what `mlflow server` tells its workers; no connection to PostgreSQL is kept between requests."""
    hosts = {"MLFLOW_SERVER_ALLOWED_HOSTS": _hosts(config.mlflow_url)} if config.mlflow_url else {}
    return {
        "_MLFLOW_SERVER_FILE_STORE": url,
        "_MLFLOW_SERVER_REGISTRY_STORE": url,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": files.as_uri(),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MALLOC_ARENA_MAX": "1",
        **hosts,
    }


def _hosts(url: str) -> str:
    """Return the names under which the server is asked: by the URL that others are given, and from this machine.

    >>> _hosts("http://mlflow:5001")
    'mlflow:5001,localhost:*,127.0.0.1:*'
    """
    return f"{urlsplit(url).netloc},localhost:*,127.0.0.1:*"


def main() -> None:
    """Serve, in the interpreter that `cap mlflow` has become."""
    for name in CLIENTS_ONLY:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's way to say that there is none
    import uvicorn  # noqa: PLC0415 - after the line above, so that it finds none of them
    from mlflow.server import app  # noqa: PLC0415 - as well

    host, port = sys.argv[1:]
    uvicorn.run(app, host=host, port=int(port), interface="wsgi", log_level="warning", server_header=False)


if __name__ == "__main__":
    main()
