"""A real head node, started as `cluster.yaml` does, and jobs submitted to it the way the documentation says."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

__all__ = ["RAY", "ROOT", "Head", "processes_of", "start_head"]

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
RAY = str(BIN / "ray")


@dataclass(frozen=True)
class Head:
    url: str
    address: str
    env: dict[str, str]
    token: str

    def submit(self, *command, wait=True, timeout=300, working_dir=".", **variables):
        """Submit a job; `variables` are set in its environment."""
        options = [] if wait else ["--no-wait"]
        if variables:
            options += ["--runtime-env-json", json.dumps({"env_vars": variables})]
        submit = [RAY, "job", "submit", "--working-dir", str(working_dir), *options, "--"]
        code, output = self.run(*submit, *command, timeout=timeout)
        return code, output + self._log(output) if wait else output

    def _log(self, output):
        """The whole log of the job: Ray may stop following it before its last lines."""
        found = re.search(r"raysubmit_\w+", output)
        if found is None:
            return ""
        bearer = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/jobs/{found.group()}/logs", headers=bearer)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["logs"]

    def run(self, *command, timeout=120, **environment):
        env = {**self.env, **environment}
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )
        return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def start_head(cpus=2):
    """A head node of one's own, with a token, as `cluster.yaml` starts it; yields a `Head`."""
    home = Path(tempfile.mkdtemp(prefix="rj-", dir="/tmp"))  # short: Ray's sockets live below it
    gcs, dashboard, client, agent = free_ports(4)
    url = f"http://127.0.0.1:{dashboard}"
    env = {
        "HOME": str(home),
        "PATH": f"{BIN}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_API_SERVER_ADDRESS": url,
    }
    made = subprocess.run([RAY, "get-auth-token", "--generate"], env=env, capture_output=True, text=True, check=True)
    start = [RAY, "start", "--head", "--block", f"--num-cpus={cpus}", "--disable-usage-stats"]
    start += ["--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", "--object-store-memory=100000000"]
    start += [f"--port={gcs}", f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}"]
    start += [f"--dashboard-agent-listen-port={agent}", f"--temp-dir={home / 'ray'}"]
    log = home / "start.log"
    with log.open("w") as out:
        process = subprocess.Popen(start, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        wait_until_it_answers(url, process, log)
        yield Head(url, f"127.0.0.1:{gcs}", env, made.stdout.strip())
    finally:
        stop_only_ours(process, home)
        shutil.rmtree(home, ignore_errors=True)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_until_it_answers(url, process, log, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{url}/api/version", timeout=2).close()
        except urllib.error.HTTPError:
            return  # it answers, and asks for the token
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise AssertionError(log.read_text())


def stop_only_ours(process, home):
    """End this head and what it started; other Rays of the machine are let alone."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    while left := processes_of(home):
        for number in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.2)


def processes_of(home):
    listing = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=1) for line in listing.splitlines() if f"{home}/" in line]
    return [int(number) for number, _ in lines]
