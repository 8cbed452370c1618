"""What the demo tells is in its runs' figures: means, intervals and changes, for better and for worse."""

import json

import numpy as np
import pytest
from scipy import stats

from raymm.cli import demo
from raymm.cli.demo_story import EpochEvents, EpochLines, Row, story, story_figures
from raymm.tracking.metrics import TRAIN_SECONDS, VALUE_SECONDS
from raymm.training.result import Result
from tests.cli.calling import call

TRUTH = {"audio": 0.9, "rgb": 1.1}
JOINT = {"accuracy": (0.90, 0.92, 0.91), "audio": (0.80, 0.81, 0.82), "rgb": (0.70, 0.72, 0.71)}
JOINT |= {"phi audio": (1.00, 1.01, 0.99), "phi rgb": (0.80, 0.84, 0.82), "seconds": (5.0, 5.2, 5.1)}
REMEDY = {"accuracy": (0.99, 0.92, 0.95), "audio": (0.70, 0.72, 0.71), "rgb": (0.90, 0.91, 0.93)}
REMEDY |= {"phi audio": (0.91, 0.90, 0.89), "phi rgb": (1.05, 1.06, 1.07), "seconds": (7.0, 7.3, 7.1)}


def results_of(figures):
    return [
        Result(
            best_epoch=0,
            metrics={
                "test/accuracy": figures["accuracy"][seed],
                **{f"test/accuracy_{name}": figures[name][seed] for name in TRUTH},
                **{f"phi/test_{name}": figures[f"phi {name}"][seed] for name in TRUTH},
            },
            history=({"epoch": 0, "metrics": {TRAIN_SECONDS: figures["seconds"][seed] - 1, VALUE_SECONDS: 1.0}},),
        )
        for seed in range(3)
    ]


@pytest.fixture
def told():
    return story({"joint": results_of(JOINT), "coalition": results_of(REMEDY)}, TRUTH)


def rows_of(told):
    lines = [line for line in told.splitlines() if " ± " in line and not line.startswith("±")]
    return {line[:14].strip(): line[14:].split() for line in lines if line[14:].count("±") == 3}


def test_every_row_has_the_means_and_intervals_of_both_and_of_their_difference(told):
    rows = rows_of(told)
    names = {"accuracy": "accuracy", "audio alone": "audio", "rgb alone": "rgb", "phi audio": "phi audio"}
    for line, name in {**names, "phi rgb": "phi rgb"}.items():
        found = [float(word) for word in rows[line] if word != "±"]
        for place, values in enumerate((JOINT[name], REMEDY[name])):
            low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
            assert found[2 * place : 2 * place + 2] == pytest.approx([np.mean(values), (high - low) / 2], abs=0.00051)
        low, high = stats.ttest_rel(REMEDY[name], JOINT[name]).confidence_interval(0.95)
        assert found[4:6] == pytest.approx([(low + high) / 2, (high - low) / 2], abs=0.00051)
        assert found[6:] == ([TRUTH[name[4:]]] if name.startswith("phi") else [])


def test_the_sentences_name_the_starved_modality_what_is_better_and_what_is_worse(told):
    said = " ".join(told.split())
    assert "Trained by joint, rgb is starved: its phi is 0.820 where 1.100 is there" in said
    assert "alone it is right on 71.0% of the clips" in said
    better, worse, neither = (said.split(f"{word}: ")[1].split(". ")[0] for word in ("Better", "Worse", "to differ"))
    assert [part.rsplit(" ", 3)[0] for part in better.split(", ")] == ["rgb alone", "phi audio", "phi rgb"]
    assert [part.rsplit(" ", 3)[0] for part in worse.split(", ")] == ["audio alone", "seconds a run"]
    assert [part.rsplit(" ", 3)[0] for part in neither.split(", ")] == ["accuracy"]


def test_a_contribution_that_moves_away_from_the_truth_is_worse():
    away = {**REMEDY, "phi rgb": (0.50, 0.54, 0.521)}
    said = " ".join(story({"joint": results_of(JOINT), "coalition": results_of(away)}, TRUTH).split())
    assert "phi rgb -0.300 ± 0.001" in said.split("Worse: ")[1]


def test_a_change_that_is_the_same_with_all_seeds_has_no_interval():
    away = {**REMEDY, "phi rgb": (0.50, 0.54, 0.52)}
    said = " ".join(story({"joint": results_of(JOINT), "coalition": results_of(away)}, TRUTH).split())
    assert "phi rgb -0.300." in said.split("Not shown to differ: ")[1]


def test_lines_fit_the_terminal(told):
    assert max(map(len, told.splitlines())) <= 80


def history(values):
    return [
        {"epoch": epoch, "metrics": {"val/accuracy": value, "phi/val_audio": 2 * value, "phi/val_rgb": -value}}
        for epoch, value in enumerate(values)
    ]


def test_an_epoch_is_told_once_when_all_runs_have_it_with_the_means_of_each_method():
    lines = []
    told = EpochLines(("joint", "coalition"), ("audio", "rgb"), 3, lines.append)
    told([history([0.1]), history([0.3]), history([0.5]), history([0.6, 0.7])])
    assert [line.split() for line in lines[-1:]] == [["1/3", "0.200", "+0.40", "-0.20", "0.550", "+1.10", "-0.55"]]
    count = len(lines)
    told([history([0.1]), history([0.3]), history([0.5]), history([0.6, 0.7])])
    assert len(lines) == count
    told([history([0.1, 0.4]), history([0.3, 0.6]), history([0.5, 0.5]), history([0.6, 0.7])])
    assert lines[-1].split() == ["2/3", "0.500", "+1.00", "-0.50", "0.600", "+1.20", "-0.60"]
    assert len(lines) == count + 1
    assert max(map(len, lines)) <= 80


def test_epochs_are_told_run_by_run_once_for_programs():
    told = []
    events = EpochEvents(["joint-s0", "coalition-s0"], 3, "accuracy", told.append)
    events([history([0.1]), []])
    events([history([0.1, 0.4]), history([0.6])])
    events([history([0.1, 0.4]), history([0.6])])
    said = [(one.run, one.number, one.epochs, one.metrics["val/accuracy"]) for one in told]
    assert said == [("joint-s0", 1, 3, 0.1), ("joint-s0", 2, 3, 0.4), ("coalition-s0", 1, 3, 0.6)]


def test_figures_for_programs_are_the_means_and_the_interval_of_the_change():
    figures = story_figures({"joint": results_of(JOINT), "coalition": results_of(REMEDY)}, TRUTH)
    assert set(figures) == {"accuracy", "audio alone", "rgb alone", "phi audio", "phi rgb", "seconds a run"}
    low, high = stats.ttest_rel(REMEDY["rgb"], JOINT["rgb"]).confidence_interval(0.95)
    rgb = figures["rgb alone"]
    assert [rgb["joint"], rgb["coalition"]] == pytest.approx([np.mean(JOINT["rgb"]), np.mean(REMEDY["rgb"])])
    assert [rgb["change"], rgb["margin"]] == pytest.approx([(low + high) / 2, (high - low) / 2])
    assert (rgb["shown"], rgb["truth"], figures["phi rgb"]["truth"]) == (True, None, 1.1)
    assert figures["accuracy"]["shown"] is False


@pytest.mark.parametrize(("seeds", "shown"), [(2, False), (3, False), (6, True)])
def test_equal_changes_of_few_seeds_show_nothing(seeds, shown):
    """By sign flips 2 / 2^S: 0.25 with three seeds, 0.03 with six."""
    row = Row("accuracy", np.linspace(0.5, 0.7, seeds), np.linspace(0.6, 0.8, seeds))
    assert row.shown is shown


@pytest.fixture
def without_ray(monkeypatch):
    """The demo whose training is replaced by its figures."""
    results = {"joint": results_of(JOINT), "coalition": results_of(REMEDY)}

    def trained(out, workers, seed, told, as_json):
        told.on_line("2/3  preparing: sound and frames from the files, on Ray")
        return results, TRUTH

    monkeypatch.setattr(demo, "_trained", trained)
    monkeypatch.setattr(demo, "_write_pages", lambda out, seed: (out / "one.html", out / "all.html"))
    return results


def test_the_command_prints_objects_for_programs_and_words_for_people(without_ray, tmp_path, capfd):
    code, out, _ = call(capfd, "demo", "--out", tmp_path / "demo", "--json")
    assert code == 0
    *steps, last = [json.loads(line) for line in out.splitlines()]
    assert [one["event"] for one in steps] == ["line"] * 3
    assert last["event"] == "result"
    assert (last["page"], last["store"]) == (str(tmp_path / "demo" / "one.html"), str(tmp_path / "demo" / "mlflow"))
    assert last["figures"] == story_figures(without_ray, TRUTH)
    code, out, _ = call(capfd, "demo", "--out", tmp_path / "demo")
    assert code == 0
    assert story(without_ray, TRUTH) in out
    assert str(tmp_path / "demo" / "all.html") in out
