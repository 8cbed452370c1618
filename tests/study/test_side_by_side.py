"""Runs side by side, against sums over their test tables; runs that do not belong together are refused in words."""

import math
import re
import shutil
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

import raymm
from raymm.data import Dataset, open_dataset
from raymm.errors import CheckpointError, ConfigError, DataError
from raymm.reports.pages.paired import over_samples, over_seeds, per_sample, phi_not_shown
from raymm.reports.pages.terms import intervals_of_columns
from raymm.reports.pages.usage import usages
from raymm.reports.pages.words import p_text
from raymm.reports.statistics import Interval
from raymm.storage.layout import result_folder, valuation_file
from raymm.study.runs_page import _difference_table, runs_headline, runs_table, runs_verdict
from raymm.study.side_by_side import beside
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from raymm.valuation.table_file import read_table
from tests.cli.calling import call
from tests.games import settings, small_dataset
from tests.reports.tables import random_table
from tests.study.test_regression import write_dataset_of_numbers

SAMPLES = 90
FOUR = ("joint-0", "joint-1", "random-0", "random-1")
SHORT = {"epochs": 2, "batch_size": 32, "threads": 1}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, dataset):
    """Runs of two methods and two seeds by name, and one on another data set."""
    folder = tmp_path_factory.mktemp("runs")
    second = small_dataset(folder / "elsewhere" / "d", 80)
    made = {}
    for name, data in {
        **dict.fromkeys(("joint-0", "joint-1", "random-0", "random-1"), dataset),
        "other-0": second,
    }.items():
        method, seed = name.split("-")
        config = settings(
            training={**SHORT, "seed": int(seed)}, method={"name": "random" if method == "random" else "joint"}
        )
        run = create_or_open(folder / name, config, data)
        train(run, data, Backends())
        made[name] = run.path
    return made


def tables(runs, *names):
    return [read_table(valuation_file(result_folder(runs[name]), "test")) for name in names]


def by_id(table, values):
    return dict(zip(table.sample_id.tolist(), values.tolist(), strict=True))


def test_one_pair_of_runs_is_compared_sample_by_sample(runs):
    found = beside([runs["random-0"], runs["joint-0"]])
    assert [column.name for column in found.columns] == ["joint", "random"]
    differences, pairs = found.differences(found.columns[1])
    assert pairs == "samples"
    random, joint = tables(runs, "random-0", "joint-0")
    left, right = (by_id(each, each.grand_correct.astype(float)) for each in (random, joint))
    apart = [left[one] - right[one] for one in left]
    accuracy = differences[0]
    assert (accuracy.figure, accuracy.interval.mean) == ("accuracy", pytest.approx(sum(apart) / len(apart)))
    assert (accuracy.only_first, accuracy.only_second) == (apart.count(1.0), apart.count(-1.0))
    changed = len(apart) - apart.count(0.0)
    p = stats.binomtest(apart.count(1.0), changed).pvalue if changed else 1.0
    assert accuracy.p == pytest.approx(p)
    for at, phi in enumerate(differences[1:]):
        left, right = (by_id(each, each.phi[:, at]) for each in (random, joint))
        apart = [left[one] - right[one] for one in left if not math.isnan(left[one] - right[one])]
        assert phi.interval.mean == pytest.approx(np.mean(apart))
        if not np.ptp(apart):
            assert (phi.p, phi.shown) == (1.0 if apart[0] == 0 else 2 * 2 ** (1 - len(apart)), apart[0] != 0)
            continue
        wide = stats.ttest_1samp(apart, 0.0).confidence_interval(1 - 0.05 / 2)
        assert phi.interval.margin == pytest.approx((wide.high - wide.low) / 2)
        assert phi.shown == (abs(np.mean(apart)) > (wide.high - wide.low) / 2)


def test_runs_of_several_seeds_are_one_column_and_paired_by_seed(runs):
    found = beside([runs[name] for name in reversed(FOUR)])
    assert [[member.seed for member in column.members] for column in found.columns] == [[0, 1], [0, 1]]
    (accuracy, *phis), pairs = found.differences(found.columns[1])
    assert pairs == "seeds"
    scores = {name: each.grand_correct.mean() for name, each in zip(FOUR, tables(runs, *FOUR), strict=True)}
    apart = [scores[f"random-{seed}"] - scores[f"joint-{seed}"] for seed in (0, 1)]
    assert accuracy.interval.mean == pytest.approx(np.mean(apart))
    wide = 12.706204736 * np.std(apart, ddof=1) / math.sqrt(2)  # Student's t of one degree of freedom
    assert accuracy.interval.margin == pytest.approx(wide)
    assert (accuracy.p, len(phis), accuracy.samples.count) == (None, 2, len(tables(runs, "joint-0")[0]))
    said = [sentence.text for sentence in runs_verdict(found)]
    assert any(text.startswith("random less joint, accuracy: ") for text in said)
    assert "Pairs are runs of the same seed" in said[-1]
    assert "pairs are test samples" not in said[-1]
    assert "the ± of a column is a 95 % interval by itself" in said[-1]
    assert runs_headline(found)


def test_columns_of_which_one_has_one_seed_in_common_are_told_of_both_kinds_of_pairs(runs):
    first = beside([runs[name] for name in FOUR])
    joint, random = first.columns
    single = replace(random, name="single", members=random.members[:1])
    said = runs_verdict(replace(first, columns=(joint, random, single)))[-1].text
    assert said.startswith("Pairs are runs of the same seed: intervals of differences are Student's t over seeds")
    assert "With one seed in common, pairs are test samples" in said
    assert said.endswith("at once; the ± of a column is a 95 % interval by itself.")


@pytest.mark.parametrize(
    ("seeds", "several", "one", "differences"),
    [
        ((2, 3), True, False, True),
        ((1, 1), False, True, True),
        ((1, 2), True, True, True),
        ((4,), True, False, False),
    ],
)
def test_the_words_on_intervals_are_those_of_the_columns_there_are(seeds, several, one, differences):
    said = intervals_of_columns(seeds)
    assert said.startswith("± of a column is half of a 95 % interval by itself: of ")
    assert ("Student's t over the seeds" in said) is several
    assert ("of one seed over its test samples" in said) is one
    assert ("intervals of differences hold for all columns" in said) is differences


def test_a_planted_difference_is_shown_and_the_same_model_is_not():
    weak, strong = (random_table(400, strength=(0.7, share, 0.5), missing=0.1, seed=1) for share in (0.3, 0.8))
    first, second = (per_sample(each, "accuracy") for each in (strong, weak))
    found = {each.figure: each for each in over_samples(first, second, hard=True)}
    assert found["phi rgb"].shown
    assert found["phi rgb"].interval.mean > 0.2
    assert found["accuracy"].shown
    same = over_samples(first, first, hard=True)
    assert not any(each.shown for each in same)
    assert same[0].p == 1.0
    assert not any(each.shown for each in over_seeds([first, first], [first, first]))


def test_no_difference_is_told_of_a_modality_that_one_of_the_models_does_not_read():
    table = random_table(60, missing=0.0)
    both, one = (per_sample(table, "accuracy", read) for read in (None, ["audio", "rgb"]))
    assert phi_not_shown(over_samples(both, one, hard=True)) == "no difference in phi is shown for audio and rgb."
    assert phi_not_shown(over_samples(one, per_sample(table, "accuracy", []), hard=True)) == ""


def test_a_column_of_which_a_modality_does_harm_says_so(runs):
    found = beside([runs["random-0"], runs["joint-0"]])
    column = found.columns[1]
    harmful = replace(column.members[0].found[0], harm=0.0)
    assert harmful.role == "harmful"
    column = replace(column, members=(replace(column.members[0], found=(harmful,)),))
    said = runs_verdict(replace(found, columns=(found.columns[0], column)))[1].text
    assert said.startswith("random: accuracy 0.")
    assert said.endswith("(1 seed); m0 doing harm.")


@pytest.mark.parametrize(
    ("samples", "said"), [(2000, "no modality under-used"), (14, "no modality shown to be under-used")]
)
def test_a_column_does_not_say_more_than_its_runs_show(runs, samples, said):
    found = beside([runs["random-0"], runs["joint-0"]])
    alike = usages(random_table(samples, ("m0", "m1"), strength=(0.7, 0.7), missing=0.0))
    columns = [replace(each, members=(replace(each.members[0], found=tuple(alike)),)) for each in found.columns]
    assert runs_verdict(replace(found, columns=tuple(columns)))[0].text.endswith(f"; {said}.")


def test_a_column_says_which_modality_no_training_sample_has(runs, monkeypatch):
    monkeypatch.setattr(Dataset, "untrained", ("m1",))
    found = beside([runs["random-0"], runs["joint-0"]])
    assert runs_verdict(found)[0].text.endswith("; m1 never trained.")


def test_false_alarms_of_all_differences_together_are_rare():
    shown = 0
    for seed in range(60):
        pair = [
            per_sample(random_table(120, strength=(0.6, 0.5, 0.5), seed=2 * seed + at), "accuracy") for at in (0, 1)
        ]
        shown += any(each.shown for each in over_samples(*pair, hard=True) if each.figure != "accuracy")
    assert shown <= 8  # 5 % of 60 are 3; as many as 9 come by chance once in 300


def test_the_page_of_several_runs(runs, tmp_path, capfd):
    out = tmp_path / "side.html"
    code, said, _ = call(
        capfd, "report", *(runs[name] for name in ("joint-0", "joint-1", "random-0", "random-1")), "--out", out
    )
    assert code == 0
    assert said.splitlines()[-1] == f"wrote {out}"
    page = out.read_text()
    assert "joint (seeds 0, 1)" in page
    assert page.count('role="img"') == 2  # phi of each modality
    assert "by itself: of several seeds Student&#39;s t over the seeds" in page
    assert "not what another seed would" not in page
    assert re.search(r"phi of m0 on validation over 2 epochs; at the end: joint [0-9.]+, random [0-9.]+", page)
    made = raymm.report(runs["joint-0"], runs["random-0"], out=out)
    assert made.to_pandas().columns.tolist() == ["figure", "joint (seed 0)", "random (seed 0)"]
    assert made.headline in made._repr_html_()


def test_right_answers_of_one_model_only_are_told_by_the_names_of_the_models(runs, tmp_path):
    random, joint = (by_id(each, each.prediction == each.label) for each in tables(runs, "random-0", "joint-0"))
    only = [
        sum(bool(one[key]) > bool(other[key]) for key in one) for one, other in ((random, joint), (joint, random))
    ]
    beside_it = raymm.report(runs["joint-0"], runs["random-0"], out=tmp_path / "side.html")
    assert f"{only[0]:,} right only with random and {only[1]:,} only with joint" in beside_it.summary()
    against = raymm.report(runs["random-0"], baseline=runs["joint-0"], out=tmp_path / "run.html")
    name = runs["joint-0"].name
    assert f"{only[0]:,} right only with this run and {only[1]:,} only with {name}" in against.summary()


def test_a_run_that_is_not_finished_is_said_to_be_so(runs, tmp_path):
    left = shutil.copytree(runs["joint-0"], tmp_path / "left")
    shutil.rmtree(left / "result")
    for others in ([], [runs["random-0"]]):
        with pytest.raises(CheckpointError, match=r"left: this run is not finished; .* goes on with it"):
            raymm.report(left, *others)


def test_that_the_data_are_not_here_is_said_on_the_terminal_too(runs, tmp_path):
    data = open_run(runs["joint-0"]).data
    there = raymm.report(runs["joint-0"], out=tmp_path / "there.html").summary()
    away = data.rename(data.with_name("away"))
    try:
        said = raymm.report(runs["joint-0"], out=tmp_path / "gone.html").summary()
    finally:
        away.rename(data)
    assert f"note: {data} is not there, so that failure signatures" in said
    assert "is not there" not in there


def test_runs_that_do_not_belong_together_are_refused_in_words(runs, tmp_path):
    with pytest.raises(CheckpointError) as raised:
        raymm.report(runs["joint-0"], runs["random-0"], runs["other-0"])
    said = str(raised.value)
    assert "runs on different data cannot stand side by side: 3 problems" in said
    assert all(str(runs[name]) in said for name in ("joint-0", "random-0", "other-0"))
    copy = shutil.copytree(runs["joint-0"], tmp_path / "copy")
    with pytest.raises(CheckpointError, match="have the same settings, data and seed; give one of them"):
        raymm.report(runs["joint-0"], copy)
    with pytest.raises(ConfigError, match="--baseline is for one run"):
        raymm.report(runs["joint-0"], runs["random-0"], baseline=runs["joint-1"])
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.yaml").write_text("{}")
    with pytest.raises(CheckpointError, match="study: is a study") as raised:
        raymm.report(runs["joint-0"], tmp_path / "study", tmp_path / "nowhere")
    assert f"{tmp_path / 'nowhere'}: no run there" in str(raised.value)
    assert str(runs["joint-0"]) not in str(raised.value)
    with pytest.raises(ConfigError, match="is a folder; name the page in it"):
        raymm.report(runs["joint-0"], out=tmp_path)


def test_runs_that_picked_their_epochs_by_different_metrics_are_compared_by_the_first_ones(tmp_path):
    data = open_dataset(write_dataset_of_numbers(tmp_path / "d"))
    paths = []
    for name, selection in (("joint", "mae"), ("modality", "loss")):
        config = settings(
            training={**SHORT, "selection": selection}, method={"name": name}, valuation={"utility": "error"}
        )
        run = create_or_open(tmp_path / name, config, data)
        train(run, data, Backends())
        paths.append(run.path)
    found = beside(paths)
    for column, path in zip(found.columns, paths, strict=True):
        table = read_table(valuation_file(result_folder(path), "test"))
        assert column.interval("mae").mean == pytest.approx(np.abs(table.prediction - table.label).mean())
    assert found.differences(found.columns[1])[0][0].figure == "mae"


@pytest.fixture(scope="module")
def runs_by_r2(tmp_path_factory):
    """Runs that picked their epochs by r2, which is no mean over samples, as they stand side by side."""
    folder = tmp_path_factory.mktemp("r2")
    data = open_dataset(write_dataset_of_numbers(folder / "d"))
    paths = []
    for name, seed in (("joint", 0), ("joint", 1), ("modality", 0), ("modality", 1)):
        training = {**SHORT, "selection": "r2", "seed": seed}
        config = settings(training=training, method={"name": name}, valuation={"utility": "error"})
        run = create_or_open(folder / f"{name}-{seed}", config, data)
        train(run, data, Backends())
        paths.append(run.path)
    return beside(paths)


def planted(found, metric, scores):
    """The same columns with members of seeds 0, 1, ... that have these scores on test, compared by `metric`."""

    def member(old, seed, score):
        training = old.run.config.training.model_copy(update={"seed": seed})
        run = replace(old.run, config=old.run.config.model_copy(update={"training": training}))
        result = replace(old.result, metrics={**old.result.metrics, f"test/{metric}": score})
        return replace(old, run=run, result=result, metric=metric)

    columns = [
        replace(column, members=tuple(member(column.members[0], *pair) for pair in of_column.items()))
        for column, of_column in zip(found.columns, scores, strict=True)
    ]
    return replace(found, columns=tuple(columns), metric=metric)


def test_a_score_that_is_no_mean_over_samples_is_that_of_the_results(runs_by_r2):
    column = runs_by_r2.columns[0]
    scores = [member.result.metrics["test/r2"] for member in column.members]
    assert column.interval("r2").mean == pytest.approx(np.mean(scores))
    one = replace(column, members=column.members[:1])
    assert one.interval("r2") == Interval(scores[0], pytest.approx(math.nan, nan_ok=True), 1)


@pytest.mark.parametrize(("metric", "better"), [("r2", "better"), ("pearson", "better"), ("rmse", "worse")])
def test_a_score_that_is_no_mean_over_samples_is_paired_by_seed(runs_by_r2, metric, better):
    low, high = (0.31, 0.35, 0.28, 0.33), (0.52, 0.55, 0.51, 0.50)
    found = planted(runs_by_r2, metric, [dict(enumerate(low)), dict(enumerate(high))])
    first = found.differences(found.columns[1])[0][0]
    expected = stats.ttest_rel(high, low).confidence_interval()
    assert (first.figure, first.first, first.second) == (metric, np.mean(high), np.mean(low))
    ends = (first.interval.mean - first.interval.margin, first.interval.mean + first.interval.margin)
    assert ends == pytest.approx((expected.low, expected.high))
    assert math.isnan(first.samples.margin)
    assert runs_headline(found) == f"modality is {better} than joint by {np.mean(high) - np.mean(low):.2f}"
    same = planted(runs_by_r2, metric, [dict(enumerate(low)), dict(enumerate(reversed(low)))])
    assert runs_headline(same) == f"No difference from joint in {metric} is shown"


@pytest.mark.parametrize(
    ("seeds", "why"),
    [
        ((4, 5), "modality has no seed in common with joint, so no difference is told."),
        ((1,), "modality has one seed in common with joint, and r2 is no mean over samples, so no difference in it"),
    ],
)
def test_what_was_not_compared_is_said_so_and_not_that_no_difference_is_shown(runs_by_r2, seeds, why):
    found = planted(runs_by_r2, "r2", [{0: 0.1, 1: 0.2}, dict.fromkeys(seeds, 0.9)])
    assert runs_headline(found) == "modality is not compared with joint in r2"
    assert any(sentence.text.startswith(why) for sentence in runs_verdict(found))


def test_a_figure_that_is_the_same_with_all_seeds_has_no_interval(runs_by_r2):
    found = planted(runs_by_r2, "r2", [{0: 0.35, 1: 0.35}, {0: 0.35, 1: 0.45}])
    wide = 12.706204736 * 0.1 / math.sqrt(2) / math.sqrt(2)  # Student's t of one degree of freedom
    assert runs_table(found).rows[0] == ["r2, all together", "0.35", f"0.40 ± {wide:.2f}"]
    assert runs_verdict(found)[0].text.startswith("joint: r2 0.35 (2 seeds); ")


def test_the_same_model_twice_has_no_margin_over_samples(runs):
    found = beside([runs[name] for name in FOUR])
    joint = found.columns[0]
    same = replace(found, columns=(joint, replace(joint, name="same")))
    [table] = [each for column in same.columns[1:] if (each := _difference_table(same, column))]
    assert {tuple(row[3:6]) for row in table.rows} == {("0.00", "-", "-")}


@pytest.mark.parametrize(("seeds", "shown"), [(2, False), (5, False), (6, True), (9, True)])
def test_the_same_difference_with_all_seeds_is_judged_by_sign_flips(runs_by_r2, seeds, shown):
    low = [0.80 + 0.01 * seed for seed in range(seeds)]
    found = planted(runs_by_r2, "r2", [dict(enumerate(low)), dict(enumerate(score + 0.01 for score in low))])
    flips = [abs(sum(signs)) == seeds for signs in product((-1, 1), repeat=seeds)]
    first = found.differences(found.columns[1])[0][0]
    assert (first.p, first.shown) == (sum(flips) / len(flips), shown)
    assert first.words("a", "b") == (
        f"+0.01, the same in all {seeds} pairs ({p_text(first.p)} by sign flips): {'shown' if shown else 'not shown'}"
    )
    assert ("No difference" in runs_headline(found)) is not shown


def test_a_baseline_is_told_on_the_page_of_a_run(runs):
    made = raymm.report(runs["random-0"], baseline=runs["joint-0"])
    text = next(sentence.text for sentence in made.answer.sentences if sentence.about == "accuracy")
    random, joint = (each.grand_correct.mean() for each in tables(runs, "random-0", "joint-0"))
    assert text.startswith(f"Against joint-0: accuracy from {joint:.2f} to {random:.2f} (")
    frame = made.to_pandas()
    assert frame.index.tolist() == ["m0", "m1"]
    table = tables(runs, "random-0")[0]
    assert frame["mean_phi"].tolist() == pytest.approx(np.nanmean(table.phi, axis=0).tolist())
    assert frame["alone"].tolist() == pytest.approx(table.unimodal_correct.mean(axis=0).tolist())
    assert made.answer.headline in made._repr_html_()


def test_phi_of_another_utility_is_not_compared_with_a_baseline(runs, tmp_path, dataset):
    config = settings(training=SHORT, method={"name": "joint"}, valuation={"utility": "correct"})
    other = create_or_open(tmp_path / "other", config, dataset)
    train(other, dataset, Backends())
    said = [sentence.text for sentence in raymm.report(runs["joint-0"], baseline=other.path).answer.sentences]
    against = [text for text in said if text.startswith("Against other: ")]
    assert against[0].startswith("Against other: accuracy from ")
    assert against[1:] == [
        "Against other: phi is not compared, since it is of the utility count here and of correct there."
    ]


def test_a_baseline_on_other_numbers_is_refused(tmp_path):
    paths = []
    for name in ("own", "other"):
        data = open_dataset(write_dataset_of_numbers(tmp_path / f"{name}-d", prefix=name))
        config = settings(training=SHORT, method={"name": "joint"}, valuation={"utility": "error"})
        run = create_or_open(tmp_path / name, config, data)
        train(run, data, Backends())
        paths.append(run.path)
    with pytest.raises(DataError, match="'other' is not of the same samples; compare runs on one data set"):
        raymm.report(paths[0], baseline=paths[1])


def test_a_run_without_its_data_set_is_reported_still(tmp_path):
    data = small_dataset(tmp_path / "d", 80)
    run = create_or_open(tmp_path / "run", settings(training=SHORT, method={"name": "joint"}), data)
    train(run, data, Backends())
    shutil.move(tmp_path / "d", tmp_path / "moved")
    made = raymm.report(run.path)
    assert (made.step, made.findings, made.plots) == (None, (), ())
    assert "is not there" in made.page.read_text()


def test_a_study_is_reported_again_from_its_folder(tmp_path, dataset, capfd):
    folder = tmp_path / "study"
    arms = {"joint": None, "random": {"method": {"name": "random", "warmup": 1}}}
    config = settings(training=SHORT, method={"name": "joint"})
    made = raymm.study(dataset.path, arms, out=folder, seeds=[0], config=config, lanes=1, progress=None)
    page = folder / "report" / "report.html"
    first = page.read_bytes()
    page.unlink()
    code, said, error = call(capfd, "report", folder)
    assert code == 0, error
    assert page.read_bytes() == first
    assert said.splitlines()[0] == "No arm is shown to differ from joint"
    assert said.splitlines()[1:-1] == [f"  {line}" for line in made.verdicts()]
    assert 'aria-label="Verdict"><p class="headline">No arm is shown to differ from joint' in page.read_text()
