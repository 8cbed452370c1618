"""`raymm doctor`: nothing wrong here, and each thing that can be wrong with its advice."""

import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import ClassVar

import pytest
from click.testing import CliRunner

from raymm.cli import machine
from raymm.cli.doctor import doctor
from raymm.cluster.probe import missing_extras, probe_ray


def run(*arguments):
    return CliRunner().invoke(doctor, arguments, catch_exceptions=False)


def by_name(findings):
    return {finding.name: finding for finding in findings}


def test_lines_and_json_say_the_same(tmp_path):
    options = ["--path", str(tmp_path), "--store", str(tmp_path / "store")]
    plain, told = run(*options), json.loads(run(*options, "--json").output)
    names = [finding["name"] for finding in told["findings"]]
    assert names[:4] == ["python", "raymm", "torch", "torchvision"]
    assert {"CPU", "Ray extras", "Ray token", "MLflow store", "disk for runs", "open files"} <= set(names)
    assert all(f"{name} " in plain.output for name in names)
    assert plain.exit_code == (0 if told["ok"] else 1)
    assert list(tmp_path.iterdir()) == []


def test_one_thing_wrong_is_exit_code_1(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    result = run("--path", str(tmp_path))
    assert result.exit_code == 1
    assert "!!  RAY_ADDRESS" in result.output
    assert "-> this is a dashboard: write host:6379" in result.output


def test_the_command_line_loads_neither_ray_nor_mlflow_nor_torch():
    code = "import sys, raymm.cli.doctor; print({'ray', 'mlflow', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"


def test_ray_here_has_its_dashboard():
    assert missing_extras() == {}


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://head:8265", "this is a dashboard"),
        ("head", "unset RAY_ADDRESS"),
        ("127.0.0.1:1", "unset RAY_ADDRESS"),
        ("127.0.0.1:99999", "unset RAY_ADDRESS"),
    ],
)
def test_addresses_that_cannot_work(address, words):
    finding = by_name(probe_ray({"RAY_ADDRESS": address}))["RAY_ADDRESS"]
    assert words in finding.advice
    assert address in finding.value


def test_an_address_that_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        finding = by_name(probe_ray({"RAY_ADDRESS": address}))["RAY_ADDRESS"]
    assert finding.value == f"{address} answers"
    assert finding.advice == ""


def test_the_token(tmp_path):
    def token(**environment):
        return by_name(probe_ray({"HOME": str(tmp_path), **environment}))["Ray token"]

    assert token().advice == ""
    assert "is made when Ray first starts" in token().value
    assert "unset RAY_AUTH_MODE" in token(RAY_AUTH_MODE="disabled").advice
    assert "copy the cluster's token" in token(RAY_ADDRESS="127.0.0.1:1").advice
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("secret")
    assert token(RAY_ADDRESS="127.0.0.1:1").advice == ""
    assert "secret" not in token().value


def test_tracking_stores(tmp_path, monkeypatch):
    assert machine.tracking(tmp_path).advice == ""
    (tmp_path / "mlflow.db").write_text("this is no database, and long enough to be seen as none" * 10)
    assert "this is no MLflow database" in machine.tracking(tmp_path).advice
    for uri, words in (("http://127.0.0.1:1", "start `mlflow server`"), ("mlruns", "sqlite:////path")):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert words in machine.tracking(tmp_path).advice


class Healthy(BaseHTTPRequestHandler):
    """A tracking server that asks for no login at /health; it remembers what it was asked with."""

    asked: ClassVar[list[tuple[str, bool]]] = []
    status = 200

    def do_GET(self):
        self.asked.append((self.path, "Authorization" in self.headers))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def healthy():
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("login", ["", "me:hunter2@", "hunter2@", "me:hun@ter2@"])
def test_a_server_is_asked_and_named_without_what_it_is_logged_in_with(tmp_path, monkeypatch, healthy, login):
    Healthy.asked.clear()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{login}{healthy}/")
    found = machine.tracking(tmp_path)
    assert (found.value, found.advice) == (f"http://{healthy}/ answers", "")
    assert Healthy.asked == [("/health", False)]


@pytest.mark.parametrize(
    ("status", "words", "advice"),
    [
        (401, "answers, and asks for a login (HTTP Error 401: Unauthorized); it is not tried here", False),
        (403, "answers, and asks for a login (HTTP Error 403: Forbidden); it is not tried here", False),
        (404, "does not answer (HTTP Error 404: Not Found)", True),
        (503, "does not answer (HTTP Error 503: Service Unavailable)", True),
    ],
)
def test_a_server_behind_a_login_answers(tmp_path, monkeypatch, healthy, status, words, advice):
    monkeypatch.setattr(Healthy, "status", status)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:hunter2@{healthy}")
    found = machine.tracking(tmp_path)
    assert found.value == f"http://{healthy} {words}"
    assert bool(found.advice) == advice


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://me:hunter2@127.0.0.1:1", "http://127.0.0.1:1 does not answer"),
        ("http://me:hunter2@127.0.0.1:port", "http://127.0.0.1:port does not answer (nonnumeric port: 'port')"),
        ("ftp://me:hunter2@127.0.0.1", "ftp://127.0.0.1"),
        ("file://me:hunter2@127.0.0.1/x", "file://127.0.0.1/x"),
    ],
)
def test_a_server_that_cannot_be_asked_is_named_without_its_password(tmp_path, monkeypatch, uri, words):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    found = machine.tracking(tmp_path)
    assert found.value.startswith(words)
    assert found.advice
    assert "hunter2" not in f"{found}"


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    full = SimpleNamespace(total=100 * 2**30, used=99 * 2**30, free=2**30)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: full)
    assert all("free at least 2 GiB" in finding.advice for finding in machine.disk(tmp_path / "not" / "yet"))
    large = SimpleNamespace(total=1000 * 2**30, used=960 * 2**30, free=40 * 2**30)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: large)
    assert all("95 % full" in finding.advice for finding in machine.disk(tmp_path))


def test_versions_that_do_not_fit_and_packages_that_are_absent(monkeypatch):
    monkeypatch.setattr(machine, "requires", lambda _: ["torch<2", "mlflow>=3"])
    monkeypatch.setattr(machine, "PACKAGES", ("torch", "mlflow", "no-such-package"))
    found = by_name(machine.versions())
    assert "raymm needs <2" in found["torch"].advice
    assert found["mlflow"].advice == ""
    assert found["no-such-package"].value == "not installed"
    assert found["no-such-package"].advice
