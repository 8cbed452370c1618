"""What the command line says to a wrong word, and to what the operating system refuses: one line, exit code 2."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

import raymm.cli
from raymm.cli import main
from raymm.config.registries import METHODS
from raymm.methods import Joint
from raymm.storage.os_errors import explain_os_error
from raymm.valuation.utilities import UTILITIES
from tests.cli.calling import call

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "no verb 'trian'; did you mean 'train'?"),
        (["train", "--epoch", "3"], "raymm train has no option --epoch; did you mean --epochs?"),
        (["train", "--lr", "3"], "--lr; it is a setting, so write optimizer.lr=VALUE (without dashes)"),
        (["train", "--weight-decay=3"], "write optimizer.weight_decay=VALUE"),
        (["train", "--html", "x"], "raymm train has no option --html; raymm value has one"),
        (["doctor", "--zzz"], "raymm doctor has no option --zzz; it has --path, --store, --json"),
        (["value", "--lr", "3"], "raymm value has no option --lr; it has --data"),
        (["--verbos", "doctor"], "raymm has no option --verbos; did you mean --verbose?"),
    ],
)
def test_the_nearest_word_is_named(capfd, words, said):
    code, _, err = call(capfd, *words)
    assert code == 2
    assert said in err
    assert "--help'?" not in err


def test_help_lists_what_is_registered_when_it_is_shown(capfd, monkeypatch):
    METHODS.names()
    with monkeypatch.context() as patch:
        patch.setitem(METHODS._parts, "made_in_a_test", Joint)
        _, out, _ = call(capfd, "train", "--help")
        assert ", ".join(METHODS) in " ".join(out.split())
        assert "made_in_a_test" in out
    _, out, _ = call(capfd, "train", "--help")
    assert "made_in_a_test" not in out
    _, out, _ = call(capfd, "value", "--help")
    assert f"{', '.join(UTILITIES)}, or package.module:NAME" in " ".join(out.split())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "runs/a: no permission; choose another place"),
        (errno.EROFS, "runs/a: this file system can only be read"),
        (errno.ENOSPC, "runs/a: the disk is full; free some space and repeat the command, which goes on from"),
        (errno.ENOTDIR, "runs/a: a part of this path is a file"),
        (errno.EMFILE, "runs/a: too many files are open; run `ulimit -n 4096`"),
        (errno.EIO, "runs/a: Input/output error; --debug shows where this came from"),
    ],
)
def test_what_the_system_refuses_is_said_with_the_file_and_what_to_do(capfd, monkeypatch, code, words):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code), "runs/a")

    monkeypatch.setattr("raymm.api.report.open_run", refuse)
    ended, _, err = call(capfd, "report", "runs/a")
    assert ended == 2
    assert err.startswith(f"error: {words}")
    assert len(err.splitlines()) == 1
    with pytest.raises(OSError, match=os.strerror(code)):
        main(["report", "runs/a", "--debug"])


@pytest.mark.parametrize(
    ("greedy", "words"),
    [
        (lambda: np.zeros(10**15), r"Unable to allocate 7\.11 PiB for an array"),
        (lambda: bytearray(2**60), None),
        (lambda: torch.empty(10**15), r"tried to allocate 4000000000000000 bytes"),
        (lambda: pa.allocate_buffer(2**60), r"1152921504606846976"),
    ],
    ids=["numpy", "python", "torch", "arrow"],
)
def test_memory_that_is_refused_is_one_line_and_says_what_to_do(capfd, monkeypatch, greedy, words):
    monkeypatch.setattr("raymm.api.report.open_run", lambda *_: greedy())
    ended, _, err = call(capfd, "report", "runs/a")
    assert ended == 2
    assert err.startswith("error: out of memory (" if words else "error: out of memory; lower training.batch_size")
    assert words is None or re.search(words, err)
    assert "repeat the command, which goes on from what was committed" in err
    assert len(err.splitlines()) == 1
    with pytest.raises((MemoryError, RuntimeError)):
        main(["report", "runs/a", "--debug"])


def test_an_error_of_raymm_itself_keeps_its_trace(monkeypatch):
    def faulty(*_):
        raise RuntimeError("a shape is wrong")

    faulty.__code__ = faulty.__code__.replace(co_filename=raymm.cli.__file__)
    monkeypatch.setattr("raymm.api.report.open_run", faulty)
    with pytest.raises(RuntimeError, match="a shape is wrong"):
        main(["report", "runs/a"])


@pytest.mark.parametrize(
    ("raised", "ended", "words"),
    [
        (EOFError("Ran out of input"), 2, "error: EOFError: Ran out of input ("),
        (KeyboardInterrupt(), 130, "interrupted; what was committed is kept"),
    ],
)
def test_the_end_of_a_file_in_own_code_is_a_mistake_and_no_interrupt(capfd, monkeypatch, raised, ended, words):
    monkeypatch.setattr("raymm.api.report.open_run", lambda *_: (_ for _ in ()).throw(raised))
    code, _, err = call(capfd, "report", "runs/a")
    assert code == ended
    assert err.strip().startswith(words)
    if ended == 2:
        assert "--debug shows the whole trace" in err
        with pytest.raises(EOFError, match="Ran out of input"):
            main(["report", "runs/a", "--debug"])


def test_the_part_of_a_path_that_is_not_there_is_named(tmp_path):
    gone = FileNotFoundError(errno.ENOENT, "No such file", str(tmp_path / "a" / "b" / "c"))
    assert explain_os_error(gone) == f"{tmp_path}/a/b/c: there is no folder {tmp_path}/a"
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert f"no such file or folder in {tmp_path}/a/b" in explain_os_error(gone)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--data", "DATA", "--out", "FILE/run", "--backend", "local"],
        ["train", "--data", "DATA", "--out", "run", "--store", "FILE/mlflow", "--backend", "local"],
        [
            "value",
            "--data",
            "DATA",
            "--model",
            "tests.games:own_model",
            "--out",
            "FILE/a/t.parquet",
            "--backend=local",
        ],
    ],
)
def test_a_place_that_cannot_be_written_is_one_line(capfd, tmp_path, monkeypatch, data, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    code, _, err = call(capfd, *(word.replace("DATA", str(data)).replace("FILE", "file") for word in arguments))
    assert code == 2
    assert "a part of this path is a file where a folder is needed; choose another path" in err
    assert len(err.strip().splitlines()) == 1


def test_a_data_set_that_is_not_there(capfd, tmp_path):
    code, _, err = call(capfd, "train", "--data", tmp_path / "gone", "--out", tmp_path / "run")
    assert code == 2
    assert "gone: there is no such folder; give the folder that `raymm prepare --out` made" in err
    code, _, err = call(capfd, "train", "--data", tmp_path, "--out", tmp_path / "run")
    assert (
        "no manifest.json there, so it was never finished; give the folder that `raymm prepare` made"
        in err.replace(" --out` made", "` made")
    )


def test_an_unknown_family_names_its_setting(capfd, tmp_path, data):
    code, _, err = call(
        capfd,
        "train",
        "--data",
        data,
        "--out",
        tmp_path / "r",
        "method=modality",
        "method.settings.fm.family=square_root",
    )
    assert code == 2
    assert err.startswith("error: configuration: method.settings.fm: no family of fs and fm 'square_root'; known: ")


def test_the_installed_command_finds_modules_of_the_current_folder(tmp_path, data):
    (tmp_path / "mymodel.py").write_text("from tests.games import HALF, own_model\nload = own_model\n")
    script = Path(sys.executable).with_name("raymm")
    command = [script, "value", "--data", data, "--model", "mymodel:load", "--utility", "mymodel:HALF"]
    command += ["--out", "t.parquet", "--backend", "local"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(command, cwd=elsewhere, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert f"there is no module 'mymodel', neither in the current folder ({elsewhere}) nor installed" in done.stderr


@pytest.mark.parametrize(
    "words",
    [["train", "--data", "DATA", "--out", "OUT"], ["sweep", "--data", "DATA", "--out", "OUT", "--space", "SPACE"]],
)
def test_many_more_workers_than_cores_are_refused_before_anything_is_made(capfd, tmp_path, data, words):
    out = tmp_path / "made"
    names = {"DATA": data, "OUT": out, "SPACE": ROOT / "tune_spaces" / "smoke.py"}
    code, _, err = call(capfd, *(names.get(word, word) for word in words), "--workers", 100 * os.cpu_count())
    assert code == 2
    assert f"this machine has {os.cpu_count()} cores; a Ray of its own gets 4 times the cores at most" in err
    assert not out.exists()
