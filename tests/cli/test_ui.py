"""`raymm ui` before it becomes the server: the port is free, and the store is there."""

import os
import socket

import pytest

from raymm.cli import main
from raymm.tracking.mlflow import local_store
from raymm.tracking.mlflow.front_page import OPENS_ON


class Started(BaseException):
    """In the place of the server."""


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store, with MLflow's own part left out."""
    tables = ("digits", "older")
    monkeypatch.setattr("raymm.tracking.mlflow.run_tables", lambda _, at: {name: f"{at}/#/{name}" for name in tables})
    monkeypatch.setattr("raymm.tracking.mlflow.end_left_runs", lambda _: ["joint-s0"])
    local_store(tmp_path / "mlflow")
    (tmp_path / "mlflow" / "mlflow.db").touch()
    return tmp_path / "mlflow"


@pytest.fixture
def commands(monkeypatch):
    """Commands that would take the place of this process."""
    found = []

    def start(program, command, environment):
        del program
        found.append((command, environment))
        raise Started

    monkeypatch.setattr(os, "execve", start)
    return found


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_refused_before_anything_is_served(store, commands, capsys, host):
    with socket.socket() as other:
        other.bind((host, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["ui", "--store", str(store), "--port", str(port)])
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert f"error: port {port} is taken; give --port" in said.err
    assert said.out == ""
    assert commands == []


def test_a_free_port_is_served(store, commands, capsys):
    port = free_port()
    with pytest.raises(Started):
        main(["ui", "--store", str(store), "--port", str(port)])
    ((command, environment),) = commands
    assert command[command.index("--port") + 1] == str(port)
    assert command[command.index("--artifacts-destination") + 1] == str(store / "artifacts")
    assert environment[OPENS_ON] == "#/digits"  # the first, which is the newest
    assert capsys.readouterr().out.splitlines() == [
        "joint-s0: its process was killed, so it is KILLED here too; the same command goes on with it",
        f"digits: http://127.0.0.1:{port}/#/digits",
        f"older: http://127.0.0.1:{port}/#/older",
        f"http://127.0.0.1:{port} (Ctrl-C ends it)",
    ]


def test_a_port_that_was_just_left_is_free(store, commands):
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as MLflow's server does
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        client.connect(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first keeps the port in TIME_WAIT
    with pytest.raises(Started):
        main(["ui", "--store", str(store), "--port", str(port)])
    assert commands
