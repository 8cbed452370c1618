"""`raymm study` from the command line: what it prints and writes, and mistakes in words."""

import pytest
import yaml

from raymm.api import study as verb
from tests.cli.calling import call, result_in
from tests.study.studies import HereLane

SAMPLES = 60
SMALL = [
    "training.epochs=3",
    "method.warmup=1",
    "training.threads=1",
    "model.feature_size=16",
    "model.encoder.width=8",
]


@pytest.fixture
def here(monkeypatch):
    """Lanes that are this process."""
    monkeypatch.setattr(verb, "_local_lanes", lambda *_: [HereLane()])


def study(capfd, dataset, out, *options):
    fixed = ["--data", dataset.path, "--out", out, "--store", out.with_name("store"), "--backend", "local"]
    return call(capfd, "study", *fixed, *options, *SMALL)


def below_the_heading(out):
    """What is said after what is compared, on which data and where."""
    heading, _, rest = out.partition("\n\n")
    assert [line.split()[0] for line in heading.splitlines() if line[0] != " "] == ["data", "arms", "runs", "results"]
    return rest.splitlines()


def test_a_line_a_run_without_test_figures_then_a_table(capfd, tmp_path, dataset, here):
    code, out, err = study(
        capfd, dataset, tmp_path / "s", "--arms", "joint,random", "--seeds", "0-1", "--match", "rows"
    )
    assert code == 0, err
    lines = below_the_heading(out)
    assert lines[0] == "6 runs; up to 1 at once"
    runs = [line for line in lines if "  seed " in line]
    assert [line.split()[0] for line in runs] == [f"{i}/6" for i in range(1, 7)]
    assert all("val/accuracy 0." in line or "val/accuracy 1." in line for line in runs)
    here_first, table = lines[: lines.index("")], lines[lines.index("") + 1 :]
    assert "test/" not in "".join(here_first)
    assert [line.split()[0] for line in table[:4]] == ["arm", "joint", "random", "joint_matched"]
    assert any(line.startswith("random ") for line in table[5:])  # the verdicts
    report = tmp_path / "s" / "report" / "report.md"
    assert lines[-1] == f"report with plots: {report}"
    assert "rows of random" in report.read_text()
    logged = (tmp_path / "s" / "study.log").read_text()
    assert [line for line in here_first if line not in logged] == []
    code, again, _ = study(
        capfd, dataset, tmp_path / "s", "--arms", "joint,random", "--seeds", "0,1", "--match", "rows"
    )
    assert code == 0
    again = below_the_heading(again)
    assert again[0] == "6 runs, 6 of them trained before; up to 1 at once"
    assert again[1:] == lines[len(here_first) :]


def test_a_file_makes_the_study_again(capfd, tmp_path, dataset, here):
    assert study(capfd, dataset, tmp_path / "s", "--arms", "joint", "--seeds", "3")[0] == 0
    file = tmp_path / "s" / "study.yaml"
    fixed = ["--out", tmp_path / "t", "--store", tmp_path / "store", "--backend", "local"]
    code, out, err = call(capfd, "study", "--from", file, *fixed, "--json")
    assert code == 0, err
    (run,) = result_in(out)["runs"]
    assert (run["seed"], run["arm"], run["history"]) == (3, "joint", 3)
    one, two = (yaml.safe_load((tmp_path / name / "study.yaml").read_text()) for name in ("s", "t"))
    assert {**one, "key": ""} == {**two, "key": ""}
    code, _, err = call(capfd, "study", "--from", file, *fixed, "--arms", "joint")
    assert code == 2
    assert "has all settings of the study; leave out --arms" in err


def test_a_run_that_failed_is_said_and_the_exit_code_is_1(capfd, tmp_path, dataset, here):
    arms = {"joint": None, "wild": {"method": "joint", "optimizer.lr": 1e30, "optimizer.clip_norm": None}}
    values = {"data": [str(dataset.path)], "arms": arms, "seeds": [0], "settings": {"training": {"epochs": 2}}}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    code, out, _ = call(
        capfd, "study", "--from", file, "--out", tmp_path / "s", "--store", tmp_path / "store", "--backend", "local"
    )
    assert code == 1
    assert f"failed: {dataset.path.name}, wild, seed 0: " in out
    assert "2/2" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--arms", "joint,smaple"], "no method 'smaple'; did you mean 'sample'?"),
        ([], "give --data and --arms, or --from FILE"),
        (["--arms", "joint", "--seeds", "4-1"], "write seeds as 0-4"),
        (["--arms", "joint,random", "--match", "rows", "--to", "amco"], "no arm 'amco'"),
        (["--arms", "joint", "training.epohcs=3"], "did you mean 'epochs'?"),
        (["--arms", "joint", "epochs"], "write it as section.field=value"),
    ],
)
def test_a_mistake_is_told_before_anything_is_made(capfd, tmp_path, dataset, options, words):
    code, _, err = study(capfd, dataset, tmp_path / "s", *options)
    assert code == 2
    assert words in err
    assert not (tmp_path / "s").exists()


def test_a_folder_of_another_study_is_refused_by_the_difference(capfd, tmp_path, dataset, here):
    assert study(capfd, dataset, tmp_path / "s", "--arms", "joint", "--seeds", "0")[0] == 0
    code, _, err = study(capfd, dataset, tmp_path / "s", "--arms", "joint", "--seeds", "0-1")
    assert code == 2
    assert "seeds: [0] then, [0, 1] now" in err
