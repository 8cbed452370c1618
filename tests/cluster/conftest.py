"""What the tests of Ray share."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from raymm.cluster.local_ray import DASHBOARD

ROOT = Path(__file__).parents[2]
IMPORTS = """
import json
from raymm.config import ClusterConfig
from raymm.cluster.connect import connect
from raymm.errors import ClusterError
"""


@pytest.fixture
def ray_free():
    """Run lines in a process of their own, beside the suite's Ray; the last line that they print answers."""

    def run(lines, **environment):
        env = {name: value for name, value in os.environ.items() if name != DASHBOARD}  # the suite's Ray sets it
        env.update(PYTHONPATH=str(ROOT), **environment)
        command = [sys.executable, "-c", IMPORTS + textwrap.dedent(lines)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
