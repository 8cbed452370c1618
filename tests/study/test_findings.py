"""Failure signatures in the report of a study: how many runs of which arms, and what each was read from."""

from collections import Counter

import pytest

from raymm.data import open_dataset
from raymm.reports.diagnostics import SIGNATURES
from raymm.reports.diagnostics.finding import Finding
from raymm.reports.diagnostics.of_run import findings_of
from raymm.study.findings import read_findings
from raymm.study.report import write_study_report
from raymm.study.signatures import StudyFindings, findings_text, signatures_of
from raymm.training.result import read_result
from raymm.training.run import Run, open_run
from tests.reports.planted_failures import noise_only
from tests.reports.test_pages import EVIL, Page
from tests.studies import record, results_of
from tests.study.studies import SETTINGS, run_here, study_of

LONG = {**SETTINGS, "training": {**SETTINGS["training"], "epochs": 12, "batch_size": 64}}
ARMS = {"joint": None, "only_m0": {"method": "alone", "method.settings.modality": "m0"}}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A study on a data set in which m1 is noise: one arm reads it, and one does not."""
    folder = tmp_path_factory.mktemp("study")
    noise_only(folder / "noisy", 0)
    return run_here(study_of(folder / "s", {"noisy": open_dataset(folder / "noisy")}, ARMS, settings=LONG))


@pytest.fixture(scope="module")
def report(results, tmp_path_factory):
    return write_study_report(results, tmp_path_factory.mktemp("report"))


def by_hand(results):
    """The findings of each run, by what the verb `report` reads of it alone."""
    found = {}
    for one in results.runs:
        run = open_run(one.path)
        found[one.data, one.arm, one.seed] = findings_of(run, open_dataset(run.data), read_result(one.path).history)
    return found


def section(text):
    """The lines of the section of findings."""
    return text.split("## Findings\n")[1].split("\n## ")[0]


def table_in(text, name):
    part = next(part for part in text.split("### ") if part.startswith(f"{name} ("))
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return rows[0], rows[1:]


def test_each_signature_has_its_runs_by_data_set_and_arm(results, report):
    found, text = by_hand(results), section(report[0].read_text())
    names = {finding.name for of_run in found.values() for finding in of_run}
    assert {"at_chance", "low_contributor"} <= names
    for name in names:
        runs = [run for run, of_run in found.items() if any(each.name == name for each in of_run)]
        assert f"### {name} (" in text
        assert f"in {len(runs)} of 4 runs" in text
        counts = Counter(
            (data, each.subject, arm)
            for (data, arm, _), of_run in found.items()
            for each in of_run
            if each.name == name
        )
        header, rows = table_in(text, name)
        assert header == ["data set", "about", "runs", "arms"]
        shown = {
            (data, about, arm): int(part.split(" of ")[0])
            for data, about, _, said in rows
            for part, arms in (group.split(": ") for group in said.split("; "))
            for arm in arms.split(", ")
        }
        assert shown == dict(counts)
    assert ["noisy", "m1", "2 of 4", "2 of 2: joint"] in table_in(text, "at_chance")[1]


def test_a_sentence_is_that_of_a_run_and_the_advice_is_said_once(results, report):
    first = next(each for each in by_hand(results)["noisy", "joint", 0] if each.name == "at_chance")
    text, page = report[0].read_text(), Page(report[1])
    assert text.count(f"- joint on noisy, seed 0: {first.sentence}.\n") == 1
    assert text.count("look at m1 of some samples and at its encoder and rate") == 1
    assert f"joint on noisy, seed 0: {first.sentence}." in page.texts
    assert "at_chance (warning): in 2 of 4 runs" in page.texts
    assert "Findings" in page.texts


def test_data_sets_are_opened_once(results, monkeypatch):
    opened, really = [], Run.dataset
    monkeypatch.setattr(Run, "dataset", lambda run: opened.append(run.data) or really(run))
    assert len(read_findings(results).found) == len(results.runs)
    assert sorted(path.name for path in opened) == ["noisy"]


def test_where_none_holds_that_is_said(results, tmp_path):
    fine = [run for run in results.runs if not by_hand(results_of([run]))[run.data, run.arm, run.seed]]
    assert [run.arm for run in fine] == ["only_m0"] * 2
    text = section(write_study_report(results_of(fine), tmp_path)[0].read_text())
    assert f"None holds at the end of any of the {len(fine)} runs." in text
    assert "|" not in text
    assert "too few epochs" not in text


def test_runs_of_few_epochs_are_not_called_sound(tmp_path, dataset):
    short = {**SETTINGS, "training": {**SETTINGS["training"], "epochs": 3}}
    found = read_findings(run_here(study_of(tmp_path / "s", {"d": dataset}, ["joint"], settings=short)))
    assert (found.short, found.unread) == (2, ())
    assert findings_text(found).endswith("2 runs have too few epochs for most of them.")


def test_runs_that_cannot_be_looked_at_are_counted_and_their_cause_is_said(results, tmp_path):
    gone = [record("noisy", "joint", seed, 0.5, path=tmp_path / f"gone-{seed}") for seed in (7, 8)]
    found = read_findings(results_of([*results.runs[:1], *gone]))
    assert (len(found.found), len(found.unread)) == (1, 2)
    text = findings_text(found)
    assert f"Not looked for in 2 runs: {tmp_path / 'gone-7'}: no run there" in text
    assert "(and other causes)" in text
    assert findings_text(StudyFindings()) == ""
    assert findings_text(read_findings(results_of(gone[:1]))).startswith("Not looked for in 1 run: ")


def test_a_data_set_that_is_gone_is_the_cause_of_all_its_runs(results):
    path = open_run(results.runs[0].path).data
    elsewhere = path.rename(path.with_name("moved"))
    try:
        found = read_findings(results)
    finally:
        elsewhere.rename(path)
    assert (found.found, len(found.unread), len(set(found.unread))) == ((), 4, 1)
    assert str(path) in findings_text(found)


def made(name, subject="m0", sentence="said"):
    return Finding(name, subject, sentence, "try", "warning", {})


def test_a_large_study_has_a_short_section():
    names = [signature.__name__ for signature in SIGNATURES]
    found = tuple(
        (record(data, f"arm_{arm}", seed, 0.5), tuple(made(name, m) for name in names for m in ("m0", "m1", "m2")))
        for data in "abcde"
        for arm in range(33)
        for seed in range(5)
    )
    sections = signatures_of(StudyFindings(found))
    assert [each.title.split()[0] for each in sections] == names
    assert sum(len(each.rows) + len(each.sentences) for each in sections) == 8 * (15 + 5)
    assert {row[3] for each in sections for row in each.rows} == {"5 of 5: all 33 arms"}


def test_arms_of_the_most_runs_stand_first_and_the_example_is_of_them():
    held = {("x", 0): (), ("x", 1): (made("conflict", sentence="of x"),), ("y", 0): (made("conflict", "m1", "y0"),)}
    held |= {("y", 1): (made("conflict", "m1", "of y, one"), made("conflict")), ("z", 0): (made("conflict", "m1"),)}
    runs = [(record("d", arm, seed, 0.5), of_run) for (arm, seed), of_run in reversed(held.items())]
    (found,) = signatures_of(StudyFindings(tuple(runs)))
    assert found.title == "conflict (warning): in 4 of 5 runs"
    assert found.sentences == ("y on d, seed 0: y0.",)
    assert found.rows == [["d", "m1", "3 of 5", "1 of 1: z; 2 of 2: y"], ["d", "m0", "2 of 5", "1 of 2: y, x"]]


def test_what_users_write_is_escaped(tmp_path, results, monkeypatch):
    evil = StudyFindings(((results.runs[0], (made("conflict", EVIL, EVIL),)),))
    monkeypatch.setattr("raymm.study.report.read_findings", lambda _: evil)
    page = Page(write_study_report(results, tmp_path)[1])
    assert "script" not in page.tags
    assert EVIL in page.texts
