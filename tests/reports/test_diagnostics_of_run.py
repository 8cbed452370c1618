"""What the signatures are told of a run, and where its findings are recorded and shown."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from raymm.cli import main
from raymm.config.registries import METHODS
from raymm.data import open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.data.kinds.vector import VectorSpec
from raymm.data.schema import Schema
from raymm.reports.diagnostics.advice import first_method
from raymm.reports.diagnostics.finding import finding_tags
from raymm.reports.diagnostics.of_run import facts_of, findings_of
from raymm.reports.run_page import write_run_page
from raymm.reports.run_tracking import record_result
from raymm.tasks import get_task
from raymm.tracking.base import MemoryTracker
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.run import BranchPoint, create_or_open
from tests.games import settings
from tests.reports.planted_failures import FAILURES

LABELS = ("a", "b", "c")


def written(path, rows, task="classification"):
    """A data set of rows (split, label, modalities)."""
    schema = Schema(
        modalities=tuple(VectorSpec(name=f"m{i}", size=2) for i in range(3)), classes=LABELS, task=get_task(task)
    )
    samples = (
        Sample(f"s{number:02d}", split, label, {f"m{i}": np.full(2, float(number), np.float32) for i in has})
        for number, (split, label, has) in enumerate(rows)
    )
    write_dataset(path, samples, schema)
    return open_dataset(path)


@pytest.fixture
def gappy(tmp_path):
    """Validation: m0 in four samples, m1 in three of them, m2 alone in one; all in training."""
    rows = [("val", 0, (0, 1)), ("val", 0, (0, 1)), ("val", 1, (0, 1)), ("val", 1, (0,)), ("val", 2, (2,))]
    rows += [("train", label, range(label + 1)) for label in (0, 1, 2, 1)]
    rows += [("test", label, (0, 1, 2)) for label in range(3)]
    return written(tmp_path / "gappy", rows)


def test_facts_count_samples_that_have_a_modality_and_another(tmp_path, gappy):
    config = settings(training={"epochs": 9, "batch_size": 2}, method={"name": "sample", "warmup": 2})
    facts = facts_of(create_or_open(tmp_path / "run", config, gappy), gappy)
    assert facts.modalities == ("m0", "m1", "m2")
    assert facts.validation == {"m0": 4, "m1": 3, "m2": 1}
    assert facts.accompanied == {"m0": 3, "m1": 3, "m2": 0}
    assert facts.chance == pytest.approx({"m0": 2 / 4, "m1": 2 / 3, "m2": 1.0})
    assert (facts.training, facts.labels) == (4, {"a": (1, 2), "b": (2, 2), "c": (1, 1)})
    assert (facts.samples, facts.epochs, facts.reference, facts.resamples) == (5, 9, 2, True)


def test_facts_are_of_the_modalities_that_the_model_reads(tmp_path, gappy):
    every = facts_of(create_or_open(tmp_path / "all", settings(), gappy), gappy)
    two = settings(model={"modalities": ["m2", "m0"]})
    facts = facts_of(create_or_open(tmp_path / "two", two, gappy), gappy)
    assert facts.modalities == ("m0", "m2")
    assert facts.validation == {"m0": 4, "m2": 1}
    assert facts.chance == {name: every.chance[name] for name in ("m0", "m2")}
    assert facts.accompanied == {"m0": 0, "m2": 0}  # none has both


def test_a_modality_that_no_training_sample_has_is_company_but_nothing_is_found_of_it(tmp_path):
    rows = [(split, label, (0, 2)) for split in ("val", "test") for label in (0, 1)]
    rows += [("train", label, (0, 1)) for label in (0, 1)]
    dataset = written(tmp_path / "data", rows)
    facts = facts_of(create_or_open(tmp_path / "run", settings(), dataset), dataset)
    assert facts.modalities == ("m0", "m1")
    assert facts.validation == {"m0": 2, "m1": 0}
    assert facts.accompanied == {"m0": 2, "m1": 0}


def test_a_run_of_one_modality_is_not_told_of_the_others(tmp_path):
    planted = FAILURES["at_chance"]  # m1 is noise
    method = {"name": "alone", "settings": {"modality": "m0"}}
    run, result = replace(planted, sections={"method": method}).run(tmp_path, 0)
    assert [(finding.name, finding.subject) for finding in findings_of(run, run.dataset(), result.history)] == []
    assert "phi/breaks_m0" not in result.history[-1]["metrics"]  # nothing else answers


def test_a_method_without_copies_has_no_warm_up_and_a_branch_begins_where_it_began(tmp_path, gappy):
    joint = settings(method={"name": "joint"})
    facts = facts_of(create_or_open(tmp_path / "run", joint, gappy), gappy)
    assert (facts.reference, facts.resamples, facts.in_place) == (0, False, False)
    start = BranchPoint(tmp_path / "run", 3)
    assert facts_of(create_or_open(tmp_path / "branch", joint, gappy, start), gappy).reference == 3


@pytest.mark.parametrize("method", ["remix", "sample", "random"])
def test_rows_in_the_place_of_samples_are_no_copies(tmp_path, method):
    rows = [(split, label, (0, 1, 2)) for split in ("train", "val", "test") for label in range(3)]
    dataset = written(tmp_path / "data", rows)
    run = create_or_open(tmp_path / "run", settings(method={"name": method}), dataset)
    for state in iter_epochs(run, dataset, Backends()):
        if state.epoch == 1:
            assert (state.plan.base == 0) == facts_of(run, dataset).in_place == (method == "remix")
            break


def test_chance_of_several_labels_is_that_of_the_best_label_set(tmp_path):
    sets = [(True, False, True)] * 3 + [(False, True, False)] * 2 + [(True, True, True)]
    rows = [(split, label, (0, 1, 2)) for split in ("train", "val", "test") for label in sets]
    dataset = written(tmp_path / "labels", rows, "multilabel")
    facts = facts_of(create_or_open(tmp_path / "run", settings(), dataset), dataset)
    task, labels = dataset.schema.task, dataset.label[dataset.rows("val")]
    every = [np.array([[bool(code >> bit & 1) for bit in range(3)]] * 6) for code in range(8)]
    best = max(task.is_right(answer, labels).mean() for answer in every)
    assert facts.chance == pytest.approx(dict.fromkeys(facts.modalities, best))
    assert facts.labels == {"a": (4, 4), "b": (3, 3), "c": (4, 4)}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A run with findings: a modality that is noise."""
    return FAILURES["at_chance"].run(tmp_path_factory.mktemp("planted"), 0)


def test_findings_of_a_finished_run_are_tags_and_stand_in_its_description(planted):
    run, result = planted
    dataset, tracker = run.dataset(), MemoryTracker()
    record_result(tracker, run, result, dataset)
    findings = findings_of(run, dataset, result.history)
    assert {finding.name for finding in findings} >= {"at_chance", "low_contributor"}
    assert finding_tags(findings).items() <= tracker.tags.items()
    assert tracker.tags["raymm.finding.at_chance"] == "m1"
    assert tracker.description.startswith("Method **sample** on `data`: 600 samples, modalities m0, m1, 4 classes.\n")
    assert "- **at_chance** (warning): m1 alone is not shown to be above chance: right on" in tracker.description


def test_a_run_without_findings_has_no_such_tag_and_its_description_names_its_pages_alone(tmp_path, gappy):
    run = create_or_open(tmp_path / "run", settings(training={"epochs": 2}), gappy)
    result, tracker = train(run, gappy, Backends()), MemoryTracker()
    record_result(tracker, run, result, gappy)
    assert tracker.tags == {}
    about, pages = tracker.description.split("\n\n")
    assert about == "Method **sample** on `gappy`: 12 samples, modalities m0, m1, m2, 3 classes."
    assert re.findall("`(.*?)`", pages) == ["report.html", "valuation.html", "samples/"]
    record_result(tracker, run, result, gappy, pages=False)
    assert tracker.description == about
    page = write_run_page(run, result, gappy, []).read_text()
    assert "No failure signature holds at the end of this run." in page


def test_findings_stand_on_the_page(planted, tmp_path):
    run, result = planted
    dataset = run.dataset()
    page = write_run_page(run, result, dataset, findings_of(run, dataset, result.history)).read_text()
    assert ">Findings</h2>" in page
    assert '<span class="warning">warning:</span> m1 alone is not shown to be above chance: right on' in page


def call(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_verb_report_says_them_and_compares_with_a_baseline(planted, capsys):
    run, _ = planted
    twin = run.path.parent / "twin"
    shutil.copytree(run.path, twin)
    said = call(capsys, "report", run.path, "--baseline", twin)
    assert "warning: m1 alone is not shown to be above chance: right on" in said
    assert "note: no difference from twin is shown: accuracy" in said
    assert "0 right only here and 0 only there, p 1.00 [no_difference]" in said
    assert "no difference from twin is shown" in (run.path / "report.html").read_text()


def test_the_verb_train_says_them_at_the_end_and_in_json(planted, tmp_path, capsys):
    run, result = planted
    expected = findings_of(run, run.dataset(), result.history)
    config = tmp_path / "config.yaml"
    config.write_text(run.config.to_yaml())
    words = ["train", "--data", run.data, "--out", tmp_path / "run", "--store", tmp_path / "mlflow"]
    words += ["--config", config, "--backend", "local"]
    said = call(capsys, *words)
    assert all(
        f"{finding.severity}: {finding.sentence} [{finding.name}]\n  {finding.advice}\n" in said
        for finding in expected
    )
    found = json.loads(call(capsys, *words, "--json").splitlines()[-1])["findings"]
    assert [(each["name"], each["subject"], each["sentence"]) for each in found] == [
        (finding.name, finding.subject, finding.sentence) for finding in expected
    ]


def test_advice_names_only_methods_that_there_are():
    assert first_method("no_such_method", "joint") == "--method joint"
    assert {"sample", "random", "joint"} <= set(METHODS.names())
