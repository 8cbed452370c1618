"""`raymm ui`: open the local MLflow store in the browser."""

import os
import socket
import sys
from pathlib import Path

import click

from raymm.cli.options import store_option
from raymm.errors import TrackingError

__all__ = ["ui"]

HOST = "127.0.0.1"

QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


@click.command(epilog="Example: raymm ui --store demo/mlflow")
@store_option
@click.option("--port", type=click.IntRange(1, 65_535), default=5000, show_default=True, help="Port of 127.0.0.1.")
def ui(store: Path, port: int) -> None:
    """Serve the MLflow UI on this machine until Ctrl-C; prints where the runs of each experiment are."""
    from raymm.tracking.mlflow import end_left_runs, run_tables
    from raymm.tracking.mlflow.front_page import OPENS_ON
    from raymm.tracking.mlflow.store import DATABASE, local_uri

    database = (store / DATABASE).absolute()
    if not database.is_file():
        raise TrackingError(f"{database}: no store there yet; train a run first, or give --store")
    _require_free(port)
    server = f"http://{HOST}:{port}"
    for name in end_left_runs(local_uri(store)):
        click.echo(f"{name}: its process was killed, so it is KILLED here too; the same command goes on with it")
    tables = run_tables(local_uri(store), server)
    for name, address in tables.items():
        click.echo(f"{name}: {address}")
    click.echo(f"{server} (Ctrl-C ends it)")
    newest = next(iter(tables.values()), "").removeprefix(f"{server}/")
    environment = {**os.environ, **QUIET, OPENS_ON: newest}
    os.execve(sys.executable, _command(store, port), environment)  # noqa: S606  (Ctrl-C then reaches the server itself)


def _command(store: Path, port: int) -> list[str]:
    """MLflow's server of a local store."""
    from raymm.tracking.mlflow.front_page import APP, is_installed
    from raymm.tracking.mlflow.store import ARTIFACTS, local_uri

    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", local_uri(store)]
    command += ["--artifacts-destination", str(store.absolute() / ARTIFACTS)]
    command += ["--host", HOST, "--port", str(port), "--workers", "1"]
    return [*command, *(["--app-name", APP] if is_installed() else [])]


def _require_free(port: int) -> None:
    """Refuse a port that the server could not listen on: it would end without saying so."""
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a port just left is free
        try:
            found.bind((HOST, port))
        except PermissionError:
            raise TrackingError(f"port {port} may not be used by this user; give --port with 1024 or more") from None
        except OSError:
            raise TrackingError(f"port {port} is taken; give --port another one, or end what listens there") from None
