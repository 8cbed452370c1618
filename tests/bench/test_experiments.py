import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from bench.experiments.__main__ import EXPERIMENTS, main
from bench.experiments.all_families import ARMS, DEFAULT
from bench.experiments.classes import CLASSES, SIZE, observed_phi, planted
from bench.experiments.planted import splits_of
from bench.experiments.resolutions import moved
from bench.experiments.sections import phi_plot
from bench.experiments.timed import Series, slope
from bench.experiments.transfer import ANSWERS, question_data
from raymm.config.registries import FAMILIES
from raymm.study.results import RunRecord, StudyResults
from tests.data.sources import trees
from tests.data.sources.test_sources import prepare

LONG = ("all_families", "modalities", "resolutions", "sample_vs_modality")

NAMES = [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in sorted(EXPERIMENTS)]


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_writes_its_page(name, tmp_path, capsys):
    out = tmp_path / "page"
    out.mkdir()
    (out / "reading.md").write_text("What it shows.\n")
    given = [name, "--shared", "absent", "--out", str(out), "--work", str(tmp_path / "work"), "--quick"]

    assert main([*given, "--seeds", "0"]) == 0, capsys.readouterr().err
    page = (out / "README.md").read_text()

    assert page.startswith("# ")
    assert f"python -m bench.experiments {name} --shared ../shared/data" in page
    assert "The figures mean nothing" in page
    assert "## Reading\n\nWhat it shows.\n" in page
    assert str(tmp_path) not in "".join(file.read_text() for file in [out / "README.md", *out.glob("*.csv")])
    assert "failed" not in page
    for plot in [line.split("(")[-1].rstrip(")") for line in page.splitlines() if line.startswith("![")]:
        assert (out / plot).stat().st_size > 1000
    assert list(out.glob("*.csv"))


@pytest.mark.parametrize(
    ("method", "function", "families"),
    [("sample", "fs", set(FAMILIES)), ("modality", "fm", set(FAMILIES) - {"reference"})],
)
def test_every_family_is_an_arm_at_equal_encoder_rows(method, function, families):
    key = f"method.settings.{function}.family"
    arms = [asked.get(key, DEFAULT) for name, asked in ARMS.items() if asked.get("method", name) == method]
    assert sorted(arms) == sorted(families)


@pytest.mark.long
def test_ucf_101_is_a_third_data_set_where_it_is_there(tmp_path):
    """Prepared from its published layout by the command that the page names."""
    trees.ucf101(tmp_path / "UCF-101", flow="u")
    prepare(
        "--source", "ucf101", "--root", tmp_path / "UCF-101", "--modalities", "rgb,flow", "--out", tmp_path / "UCF"
    )
    out, work = tmp_path / "page", tmp_path / "work"
    given = ["sample_vs_modality", "--out", str(out), "--work", str(work), "--quick", "--seeds", "0"]

    assert main([*given, "--ucf", str(tmp_path / "UCF")]) == 0
    page = (out / "README.md").read_text()
    assert "| arm | grid_digits | imu_digits | ucf101 | macro |" in page
    assert "--seeds 0 --ucf UCF --quick" in page
    for arm in ("joint", "joint_matched", "random", "sample", "modality"):
        result = json.loads((work / "sample_vs_modality/runs/ucf101" / arm / "seed-0/result/result.json").read_text())
        accuracy = f"{100 * result['metrics']['test/accuracy']:.1f}"
        assert page.split(f"| {arm} |")[1].split("|")[2].strip() == accuracy


def test_a_mistake_is_said_and_writes_no_page(tmp_path, capsys):
    given = ["classes", "--out", str(tmp_path / "page"), "--work", str(tmp_path / "work"), "--quick", "--seeds", "0"]
    (tmp_path / "work" / "classes").mkdir(parents=True)
    (tmp_path / "work" / "classes" / "mine.txt").write_text("something else")

    assert main(given) == 1
    assert "not empty, and no study of raymm" in capsys.readouterr().err
    assert not (tmp_path / "page").exists()


def test_scores_of_a_page_are_those_of_its_runs(tmp_path):
    out, work = tmp_path / "page", tmp_path / "work"
    assert main(["classes", "--out", str(out), "--work", str(work), "--quick", "--seeds", "0,1"]) == 0

    page = (out / "README.md").read_text()
    for arm in ("joint", "class"):
        means = []
        for data in ("absent", "weak"):
            files = sorted((work / "classes" / "runs" / data / arm).glob("seed-*/result/result.json"))
            accuracy = np.array([100 * json.loads(file.read_text())["metrics"]["test/accuracy"] for file in files])
            assert len(accuracy) == 2
            means.append(f"{accuracy.mean():.1f} ± {accuracy.std(ddof=1):.1f}")
        assert f"| {arm} | {means[0]} | {means[1]} |" in page


@pytest.mark.parametrize("name", ["absent", "weak"])
def test_the_observer_is_bayes_rule_and_its_phi_the_mean_over_orders(name):
    made = planted(name, 64)
    found = observed_phi(made)

    for row in range(0, 64, 5):
        expected = np.zeros(2)
        for order in permutations(range(2)):
            seen, before = [], 0.0
            for modality in order:
                seen.append(modality)
                after = len(seen) * (_likeliest(made, row, seen) == made.label[row])
                expected[modality] += (after - before) / 2
                before = after
        assert found[row] == pytest.approx(expected)


def _likeliest(made, row, seen):
    """The class of the largest density, each number for itself."""
    densities = []
    for c in range(CLASSES):
        total = 0.0
        for modality in seen:
            carries = (c >= CLASSES // 2) == (modality == 1)
            noise = 0.35 if carries else made.other_noise
            for number in range(SIZE):
                distance = float(made.values[row, modality, number]) - made.centres[modality, c, number]
                total += -np.log(noise * np.sqrt(2 * np.pi)) - distance**2 / (2 * noise**2)
        densities.append(total)
    return int(np.argmax(densities))


def test_neither_image_nor_text_of_the_visual_question_tells_the_answer():
    images, step, answer = question_data(160)
    brightest = images[:, 0].reshape(160, 2, 8, 2, 8).astype(int).transpose(0, 1, 3, 2, 4) == 255
    place = brightest.sum(axis=(3, 4)).reshape(160, 4).argmax(axis=1)

    assert ((place + step) % ANSWERS == answer).all()
    for seen in (place, step):
        shares = np.array([[np.mean(answer[seen == s] == a) for a in range(ANSWERS)] for s in range(ANSWERS)])
        assert (shares == 0.25).all()


def test_sound_is_moved_by_its_seconds():
    waveform = np.arange(1.0, 11.0, dtype=np.float32)[None]

    late = moved(waveform, 10, 0.3, rolled=False)
    rolled = moved(waveform, 10, 0.3, rolled=True)

    assert late[0].tolist() == [4, 5, 6, 7, 8, 9, 10, 0, 0, 0]
    assert rolled[0].tolist() == [4, 5, 6, 7, 8, 9, 10, 1, 2, 3]
    assert waveform[0].tolist() == list(range(1, 11))


def test_a_slope_is_that_of_the_larger_sizes():
    sizes = (1, 2, 4, 8, 16, 32)
    series = Series("", "n", "", sizes, sizes, tuple(1.0 if size < 8 else size**2 for size in sizes))

    assert slope(series) == pytest.approx(2.0)


def test_splits_have_every_class_of_a_cycle_alike():
    splits, label = np.array(splits_of(64)), np.arange(64) % 8

    assert [int((splits == name).sum()) for name in ("train", "val", "test")] == [32, 16, 16]
    assert all(len(set(np.bincount(label[splits == name]))) == 1 for name in ("train", "val", "test"))


def test_every_data_set_of_a_plot_has_its_own_modalities():
    found = phi_plot(StudyResults("", "accuracy", higher=True, reference="joint", runs=_runs(), pending=0), ["joint"])

    names = {axis.get_title(): [text.get_text() for text in axis.get_yticklabels()] for axis in found.axes}
    assert names == {"grid": ["audio", "rgb"], "imu": ["gravity", "position", "gyroscope"]}
    points = {axis.get_title(): axis.lines[0].get_xdata().tolist() for axis in found.axes}
    assert points == {"grid": [1.5, 0.5], "imu": [0.1, 0.2, 0.3]}


def _runs():
    phi = {"grid": {"audio": 1.5, "rgb": 0.5}, "imu": {"gravity": 0.1, "position": 0.2, "gyroscope": 0.3}}
    return tuple(
        RunRecord(data, "joint", 0, Path(), {f"phi/test_{name}": value for name, value in of.items()}, [], {})
        for data, of in phi.items()
    )
