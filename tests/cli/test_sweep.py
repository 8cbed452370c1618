"""`raymm sweep` up to the moment at which it would start Ray: mistakes, and what they leave behind."""

import os
import signal
import time

import pytest

from raymm.storage.layout import lock_of_folder
from raymm.sweep.rows import TrialRow
from raymm.sweep.store import TrialOutcome, open_sweep, read_trials, write_outcome
from tests.cli.calling import call, result_in
from tests.heard import heard
from tests.holders import held

SAMPLES = 90

SPACE = """
from ray import tune

def space():
    return {"method.settings.fs.scale": tune.uniform(0.5, 4.0)}

def grid():
    return {"method.name": tune.grid_search(["joint", "sample"])}

def late():
    return {"method.warmup": tune.grid_search([1, 9])}

def encoders():
    return {"model.encoders.m0.name": tune.grid_search(["mlp", "resnet"])}

def many():
    return {
        "model.fusion": tune.choice(["concat", "maxx"]),
        "model.encoders.m7.width": tune.choice([4, 8]),
        "model.encoders.m0.name": tune.choice(["mlp", "mlpp"]),
        "view.noise_db.m9": -10.0,
        "method.settings.fs.family": tune.choice(["linear", "tanhh"]),
        "method.name": "sample",
        "optimizer.lrr": 0.1,
    }

def together():
    return {"method.name": "sample", "model.fusion": tune.choice(["concat", "sum"])}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a space, where nothing is run."""
    (tmp_path / "space.py").write_text(SPACE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("raymm.api.sweep._run", lambda *_, **__: [])
    return tmp_path


def new(capfd, dataset, *more, space="space.py"):
    settings = ["method=sample", "training.epochs=4", "method.warmup=1"]
    return call(capfd, "sweep", "--data", dataset.path, "--space", space, "--out", "s", *more, *settings)


def test_a_sweep_is_written_down_before_anything_runs(capfd, here, dataset):
    options = ("--trials", 3, "--seeds", 2, "--seed", 5, "--scheduler", "asha", "--own-warmup", "--noise", "m0=-10dB")
    code, out, _ = new(capfd, dataset, *options)
    assert code == 0
    assert "summary with plots: " in out
    job = open_sweep(here / "s")
    assert (job.settings.seeds, job.settings.scheduler, job.settings.share_warmup) == ((5, 6), "asha", False)
    assert (job.config.training.epochs, job.config.training.seed) == (4, 5)
    assert [trial.config.view.noise_db for trial in read_trials(job)] == [{"m0": -10.0}] * 3
    code, out, _ = call(capfd, "sweep", "--resume", "s", "--json")
    assert result_in(out) == {"sweep": str(here / "s"), "metric": "val/accuracy", "trials": []}


def test_a_population_keeps_every_epoch_and_others_do_not(capfd, here, dataset):
    for scheduler, keep in (("pbt", 4), ("none", 2)):
        code, _, _ = call(
            capfd,
            "sweep",
            *("--data", dataset.path, "--space", "space.py", "--out", scheduler, "--scheduler", scheduler),
            *("method=sample", "training.epochs=4", "method.warmup=1"),
        )
        assert code == 0
        assert open_sweep(here / scheduler).config.training.keep == keep


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give --data, --space and --out for a new sweep, or --resume SWEEP"),
        (["--data", "d", "--out", "s"], "give --data, --space and --out"),
        (["--retry-failed"], "--retry-failed tries the trials of a sweep again; give --resume SWEEP"),
        (["--resume", "s", "--trials", "3"], "goes on with the sweep as it was made; leave out --trials"),
        (["--resume", "s", "--seed", "0"], "leave out --seed"),
        (["--resume", "s", "--own-warmup", "--grace", "2"], "leave out"),
        (["--resume", "s", "training.epochs=3"], "leave out training.epochs=3"),
        (["--resume", "s", "--workers", "3"], "leave out cluster.workers=3"),
        (["--search", "grid"], "'grid' is not one of 'random', 'optuna'"),
    ],
)
def test_options_that_do_not_go_together_are_said(capfd, here, arguments, words):
    code, _, err = call(capfd, "sweep", *arguments)
    assert code == 2
    assert words in " ".join(err.split())
    assert "Traceback" not in err


def test_all_options_that_a_resumed_sweep_has_already_are_named(capfd, here):
    _, _, err = call(
        capfd, "sweep", "--resume", "s", "--seeds", 2, "--scheduler", "asha", "--own-warmup", "--concurrent", 1
    )
    for name in ("--seeds", "--scheduler", "--own-warmup", "--concurrent"):
        assert name in err
    for name in ("--trials", "--search", "--reduction"):
        assert f"{name}," not in err


@pytest.mark.parametrize(
    ("space", "more", "words"),
    [
        ("space.py:spaec", [], "no function 'spaec'; did you mean 'space'?"),
        ("gone.py", [], "gone.py: no such file"),
        ("space.py", ["training.epoch=3"], "did you mean 'epochs'?"),
        (
            "space.py",
            ["--scheduler", "asha", "--grace", "4"],
            "--grace 4: trials have training.epochs=4, so none could end early",
        ),
        ("space.py:grid", ["--scheduler", "pbt"], "--scheduler pbt: space.py:grid draws nothing that may change"),
        ("space.py:late", [], "method.warmup=9 leaves no epoch"),
        ("space.py:encoders", [], "resnet"),
        ("space.py", ["--noise", "m7=-10dB"], "no modality 'm7'"),
        ("space.py", ["--search", "optuna", "--noise", "m7=-10dB"], "no modality 'm7'"),
    ],
)
def test_what_cannot_run_leaves_no_sweep_behind(capfd, here, dataset, space, more, words):
    code, _, err = new(capfd, dataset, *more, space=space)
    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert not (here / "s" / "sweep.json").exists()
    code, _, err = call(capfd, "sweep", "--resume", "s")
    assert (code, "no sweep there" in err) == (2, True)
    assert new(capfd, dataset, "--trials", 2)[0] == 0
    assert len(read_trials(open_sweep(here / "s"))) == 2


@pytest.mark.parametrize("search", ["random", "optuna"])
def test_every_mistake_of_a_space_is_said_at_once_and_before_anything_is_drawn(capfd, here, dataset, search):
    code, _, err = new(capfd, dataset, "--search", search, "--trials", 1, "--noise", "m1=-5dB", space="space.py:many")
    assert code == 2
    assert "space.py:many: 6 problems" in err
    for words in (
        "model.fusion: no fusion 'maxx'",
        "model.encoders: no modality 'm7'",
        "model.encoders.m0: name: no encoder 'mlpp'; did you mean 'mlp'?",
        "view.noise_db: no modality 'm9'",
        "'tanhh'; did you mean 'tanh'?",
        "optimizer.lrr: no such setting",
    ):
        assert err.count(words) == 1
    assert not (here / "s").exists()
    assert new(capfd, dataset, "--search", search, "--trials", 1, space="space.py:together")[0] == 0


def test_a_mistake_of_the_shared_settings_is_not_said_of_the_space(capfd, here, dataset):
    _, _, err = new(capfd, dataset, "--noise", "m7=-10dB", "--noise", "m8=-10dB")
    assert "space.py" not in err
    assert "configuration: 2 problems" in err


def test_a_sweep_is_not_written_over(capfd, here, dataset):
    assert new(capfd, dataset)[0] == 0
    before = (here / "s" / "sweep.json").read_bytes()
    code, _, err = new(capfd, dataset, "--trials", 3)
    assert (code, "s holds a sweep; go on with it by --resume" in err) == (2, True)
    assert (here / "s" / "sweep.json").read_bytes() == before


def test_failed_trials_are_tried_again_only_when_that_is_asked_for(capfd, here, dataset):
    new(capfd, dataset, space="space.py:grid")
    trial = read_trials(open_sweep(here / "s"))[0]
    write_outcome(trial, TrialOutcome("failed", 0, "x"))
    assert call(capfd, "sweep", "--resume", "s")[0] == 0
    assert (trial.path / "ended.json").exists()
    assert call(capfd, "sweep", "--resume", "s", "--retry-failed")[0] == 0
    assert not (trial.path / "ended.json").exists()


@pytest.mark.parametrize(
    ("statuses", "ended"),
    [(["failed", "failed"], 1), (["failed", "finished"], 0), (["failed", "stopped"], 0), (["finished"], 0), ([], 0)],
)
@pytest.mark.parametrize("json", [(), ("--json",)])
def test_the_exit_code_says_where_every_trial_failed(capfd, here, dataset, monkeypatch, statuses, ended, json):
    rows = [
        TrialRow(f"{number}", number, {}, status, () if status == "failed" else (0.5,), {}, 4, 9.0, 1.0, "no memory")
        for number, status in enumerate(statuses)
    ]
    monkeypatch.setattr("raymm.api.sweep._run", lambda *_, **__: rows)
    code, out, err = new(capfd, dataset, *json)
    assert code == ended
    said = "every trial failed; once the cause is mended, try them again by raymm sweep --resume"
    assert (said in err) == bool(ended)
    assert said not in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_sweep_says_how_to_go_on(capfd, here, dataset, monkeypatch, number):
    def interrupted(*_, **__):
        os.kill(os.getpid(), number)
        time.sleep(9)

    monkeypatch.setattr("raymm.api.sweep._run", interrupted)
    with heard(number):
        code, _, err = new(capfd, dataset)
    assert code == 128 + number
    assert f"go on with: raymm sweep --resume {here / 's'}" in err
    assert len(err.strip().splitlines()) == 1
    assert not lock_of_folder(here / "s").exists()


def test_a_sweep_that_somebody_runs_is_neither_resumed_nor_replaced(capfd, here, dataset):
    with held(lock_of_folder(here / "s")) as process:
        for code, _, err in (new(capfd, dataset), call(capfd, "sweep", "--resume", "s")):
            assert code == 2
            assert err.startswith(f"error: the sweep s is in use by process {process.pid} on this machine (")
