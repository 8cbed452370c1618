"""The job entry points: started as a job's driver is, with the project root on the path."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("verb", ["prepare", "study", "sweep", "train", "value"])
def test_a_job_is_the_verb_of_its_name(verb, tmp_path):
    done = run_job(verb, tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: raymm {verb} [OPTIONS]")


@pytest.mark.parametrize("verb", ["prepare", "study", "sweep", "train", "value"])
def test_the_module_is_the_same_verb_in_any_folder(verb, tmp_path):
    done = run_module(verb, tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout == run_job(verb, tmp_path, "--help").stdout


@pytest.mark.parametrize("way", ["script", "module"])
def test_a_mistake_ends_a_job_with_2(way, tmp_path):
    run = run_job if way == "script" else run_module
    done = run("value", tmp_path, "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr
    assert "Traceback" not in done.stderr


def test_jobs_train_on_ray_unless_told_otherwise(tmp_path):
    done = run_job("train", tmp_path, "--help")
    assert "[default: ray]" in " ".join(done.stdout.split())


def test_every_job_has_a_test():
    assert sorted(path.stem for path in (ROOT / "jobs").glob("*.py")) == [
        "prepare",
        "study",
        "sweep",
        "train",
        "value",
    ]


def run_job(verb, folder, *options):
    """Run it from another folder, so that only the path finds raymm."""
    return run_python(folder, ROOT / "jobs" / f"{verb}.py", *options)


def run_module(verb, folder, *options):
    return run_python(folder, "-m", "raymm", verb, *options)


def run_python(folder, *arguments):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
