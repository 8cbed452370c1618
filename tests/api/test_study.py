"""`raymm.study` and `raymm.compare`: arguments in every form, and what their results show."""

import numpy as np
import pytest

import raymm
from raymm.errors import CheckpointError, ConfigError
from raymm.study.settings import read_study_file
from raymm.training.result import read_result
from tests.cli.calling import call
from tests.study.studies import HereLane

SAMPLES = 60
SMALL = {"training.epochs": 2, "method.warmup": 1, "training.threads": 1, "model.feature_size": 16}


@pytest.fixture(scope="module")
def patched():
    patch = pytest.MonkeyPatch()
    patch.setattr("raymm.api.study._local_lanes", lambda *_: [HereLane()])
    yield
    patch.undo()


@pytest.fixture(scope="module")
def result(dataset, tmp_path_factory, patched):
    out = tmp_path_factory.mktemp("api") / "s"
    return raymm.study(dataset.path, ["joint", "random"], out=out, seeds=range(2), settings=SMALL, progress=None)


def test_the_command_line_goes_on_with_it(capfd, dataset, result, tmp_path):
    fixed = ["--data", dataset.path, "--out", result.folder, "--store", tmp_path / "store", "--backend", "local"]
    words = [f"{name}={value}" for name, value in SMALL.items()]
    code, out, said = call(capfd, "study", *fixed, "--arms", "joint,random", "--seeds", "0-1", *words)
    assert code == 0, said
    lines = out.partition("\n\n")[2].splitlines()  # below the heading
    assert lines[0] == "4 runs, 4 of them trained before; up to 1 at once"
    assert lines[2:-1] == result.summary().splitlines()


def test_what_it_shows(result):
    frame = result.to_pandas()
    assert sorted(zip(frame["arm"], frame["seed"], strict=True)) == [
        ("joint", 0),
        ("joint", 1),
        ("random", 0),
        ("random", 1),
    ]
    for row in frame.to_dict("records"):
        assert row["test/accuracy"] == read_result(row_path(row)).metrics["test/accuracy"]
        assert row["cost_rows"] > 0
    means = frame.groupby("arm")["test/accuracy"].mean()
    lines = {line.split()[0]: line.split() for line in result.summary().splitlines() if line}
    assert lines["joint"][2] == f"{means['joint']:.3f}"
    assert repr(result).endswith("4 runs of joint, random, by test/accuracy)")
    assert "<pre" in result._repr_html_()
    assert result.failed == ()
    assert result.plot() is not None
    assert result.plot("cost") is not None
    with pytest.raises(ConfigError, match="the runs allow no 'costs'; did you mean 'cost'"):
        result.plot("costs")


def row_path(row):
    from pathlib import Path

    return Path(row["path"])


def test_arms_may_have_settings_of_their_own(tmp_path, dataset, patched):
    arms = {"joint": None, "fast": {"method": "joint", "optimizer.lr": 0.01}}
    result = raymm.study([dataset.path], arms, out=tmp_path / "s", seeds="0", settings=SMALL, progress=None)
    saved = read_study_file(tmp_path / "s" / "study.yaml")
    assert saved["seeds"] == [0]
    assert sorted(run.arm for run in result.runs) == ["fast", "joint"]
    again = raymm.study(out=tmp_path / "t", file=tmp_path / "s" / "study.yaml", progress=None)
    metrics = [{run.arm: run.metrics["test/accuracy"] for run in each.runs} for each in (result, again)]
    assert metrics[0] == metrics[1]


def test_a_run_that_fails_is_named_and_does_not_end_the_study(tmp_path, dataset, patched):
    wild = {"method": "joint", "optimizer.lr": 1e30, "optimizer.clip_norm": None}
    result = raymm.study(
        dataset.path, {"joint": None, "wild": wild}, out=tmp_path / "s", seeds=[0], settings=SMALL, progress=None
    )
    assert [run.arm for run in result.runs] == ["joint"]
    assert len(result.failed) == 1
    assert "wild" in result.failed[0]
    assert repr(result).endswith("1 failed)")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"arms": ()}, "give data and arms, or file"),
        ({"arms": "joint,rondom"}, "did you mean 'random'?"),
        ({"seeds": "4-0"}, "seeds"),
        ({"file": "study.yaml", "seeds": None, "settings": ()}, "leave out data, arms"),
        ({"match": "row"}, "match"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_trained(tmp_path, dataset, wrong, words):
    asked = {"data": dataset.path, "arms": "joint,random", "seeds": [0], "settings": SMALL, "out": tmp_path / "s"}
    with pytest.raises(ConfigError) as raised:
        raymm.study(**{**asked, **wrong})
    assert words in str(raised.value)
    assert not (tmp_path / "s").exists()


def test_finished_runs_are_compared(tmp_path, result):
    compared = raymm.compare([run.path for run in result.runs], out=tmp_path / "c")
    assert [path.name for path in compared.report[:2]] == ["report.md", "report.html"]
    means = result.to_pandas().groupby("arm")["test/accuracy"].mean()
    (row,) = [row for row in compared.comparisons() if row["figure"] == "accuracy"]
    assert np.isclose(row["pairs_mean"], means[row["first"]] - means[row["second"]])
    with pytest.raises(CheckpointError, match="no run there"):
        raymm.compare([tmp_path / "gone"], out=tmp_path / "d")
