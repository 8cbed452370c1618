"""Signatures on histories made by hand: their numbers against other computations, their words, their false alarms."""

import logging
import re
from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from raymm.errors import DataError
from raymm.reports.diagnostics import SIGNATURES, diagnose, no_difference_from
from raymm.reports.diagnostics.bounds import SIGNATURE_LEVEL
from raymm.reports.diagnostics.evidence import Evidence, Facts
from raymm.reports.diagnostics.finding import finding_lines, finding_tags, findings_markdown
from raymm.reports.diagnostics.of_run import FindingLog
from raymm.tracking.base import MemoryTracker
from tests.reports.tables import rows_of
from tests.valuation.test_reproduction import random_table

NAMES = ("audio", "rgb")
EPOCHS = 12
FACTS = Facts(
    modalities=NAMES,
    validation={"audio": 400, "rgb": 400},
    accompanied={"audio": 400, "rgb": 400},
    samples=400,
    chance={"audio": 0.25, "rgb": 0.25},
    epochs=EPOCHS,
    reference=4,
    resamples=True,
)
RISING = np.linspace(0.5, 0.9, EPOCHS)
HEALTHY = {
    "val/accuracy": RISING,
    "train/accuracy_copied": 0.8,
    "train/accuracy_uncopied": 0.9,
    **{f"val/accuracy_{name}": 0.6 for name in NAMES},
    **{f"phi/val_{name}": 1.0 for name in NAMES},
    **{f"phi/low_{name}": 0.3 for name in NAMES},
    **{f"phi/agreement_{name}": 0.8 for name in NAMES},
    **{f"phi/breaks_{name}": 0.02 for name in NAMES},
    **{f"phi/repairs_{name}": 0.1 for name in NAMES},
    **{f"conflict/{name}": 0.5 for name in NAMES},
    **{f"conflict/rows_{name}": 32.0 for name in NAMES},
}


def history(epochs=EPOCHS, **changes):
    """A healthy history with some metrics changed, by name with `__` for `/`; None leaves one out."""
    metrics = {**HEALTHY, **{name.replace("__", "/"): values for name, values in changes.items()}}
    table = {
        name: np.broadcast_to(values, (epochs,)) if np.ndim(values) == 0 else np.asarray(values)
        for name, values in metrics.items()
        if values is not None
    }
    return [
        {"epoch": epoch, "metrics": {name: float(values[epoch]) for name, values in table.items()}}
        for epoch in range(epochs)
    ]


def found(entries, facts=FACTS):
    return [(finding.name, finding.subject) for finding in diagnose(Evidence(facts, entries))]


def sentence(entries, facts=FACTS):
    (finding,) = diagnose(Evidence(facts, entries))
    return finding


def test_a_healthy_history_has_no_findings_at_any_epoch():
    assert [found(history()[:done]) for done in range(EPOCHS + 1)] == [[]] * (EPOCHS + 1)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_metric_that_is_not_there_is_no_finding(name):
    assert found(history(**{name: None})) == []


def test_breaking_is_told_by_the_exact_test_of_changed_answers():
    level = SIGNATURE_LEVEL / (2 * 6)
    for broken in range(20, 60):
        p = sum(comb(broken + 20, k) for k in range(broken, broken + 21)) / 2 ** (broken + 20)
        entries = history(phi__breaks_rgb=broken / 400, phi__repairs_rgb=20 / 400)
        assert (found(entries) == [("breaks_right", "rgb")]) == (p <= level)
    finding = sentence(history(phi__breaks_rgb=0.15, phi__repairs_rgb=0.05))
    assert finding.sentence == (
        "rgb breaks right answers: of 400 validation samples it turns 60 right answers of the other modalities wrong "
        "(15.0 %) and 20 wrong ones right (5.0 %), p 4e-06"
    )
    assert (finding.severity, finding.numbers["phi/breaks_rgb"]) == ("warning", 0.15)


def test_a_finding_must_hold_in_three_epochs_in_a_row():
    breaks = np.full(EPOCHS, 0.15)
    breaks[-2] = 0.02
    assert found(history(phi__breaks_rgb=breaks, phi__repairs_rgb=0.05)) == []


def test_a_modality_at_chance_is_told_by_the_exact_binomial_test():
    for right in range(90, 140):
        p = stats.binomtest(right, 400, 0.25, "greater").pvalue
        entries = history(val__accuracy_rgb=right / 400)
        assert (found(entries) == [("at_chance", "rgb")]) == (p > 0.05 / 2)
    finding = sentence(history(val__accuracy_rgb=0.24))
    assert finding.sentence == (
        "rgb alone is not shown to be above chance: right on 24.0 % of 400 validation samples, the most frequent "
        "answer on 25.0 %; more than 29.2 % would be above it"
    )


def test_few_samples_cannot_tell_that_a_modality_is_at_chance():
    few = replace(FACTS, validation={"audio": 4, "rgb": 4}, samples=4)
    assert "at_chance" not in dict(found(history(val__accuracy_rgb=0.25), few))
    assert "at_chance" in dict(
        found(history(val__accuracy_rgb=0.25), replace(FACTS, validation={"audio": 9, "rgb": 9}))
    )


def test_a_low_contributor_stays_low():
    finding = sentence(history(phi__low_rgb=0.8, phi__val_rgb=0.6))
    assert (finding.name, finding.subject) == ("low_contributor", "rgb")
    assert finding.sentence == (
        "rgb stays a low contributor: below the fair share on 80.0 % of 400 validation samples, audio on 30.0 %; the "
        "gap of 50.0 points was 50.0 in the warm-up; mean phi 0.60 against 1.00"
    )
    assert "val/accuracy_rgb" in finding.advice
    joint = replace(FACTS, reference=0, resamples=False)
    assert "acts on low contributors" in sentence(history(phi__low_rgb=0.8), joint).advice


@pytest.mark.parametrize("ends", [0.5, 0.35])
def test_a_low_contributor_that_rises_does_not_stay_low(ends):
    low = np.linspace(0.8, ends, EPOCHS)
    assert found(history(phi__low_rgb=low)) == []
    assert found(history(phi__low_rgb=0.5)) == []  # a gap of 20 points


def test_accuracy_that_falls_after_re_sampling_is_told_with_the_gaps():
    falls = np.r_[np.full(4, 0.8), np.full(8, 0.6)]
    finding = sentence(history(val__accuracy=falls, train__accuracy_copied=0.95))
    assert finding.sentence == (
        "validation accuracy fell after re-sampling began: from 80.0 % to 60.0 % of 400 samples; training accuracy "
        "less validation accuracy, in points: +35.0 on copied samples, +30.0 on uncopied samples"
    )
    assert "learned by heart" in finding.advice
    assert "pull the model away" in sentence(history(val__accuracy=falls, train__accuracy_copied=0.5)).advice
    assert "method.row_budget" in finding.advice
    assert found(history(val__accuracy=falls), replace(FACTS, resamples=False)) == []
    entries = history(val__accuracy=falls, train__accuracy_copied=None, train__accuracy_uncopied=None)
    remixed = sentence(entries, replace(FACTS, in_place=True)).advice
    assert remixed.startswith("no sample is trained whole any more: try a longer method.warmup")
    assert "cop" not in remixed
    assert "row_budget" not in remixed
    z = stats.norm.isf(SIGNATURE_LEVEL / 6)
    for now in np.arange(0.6, 0.8, 0.01):
        entries = history(val__accuracy=np.r_[np.full(4, 0.8), np.full(8, now)])
        fell = 0.8 - now > z * np.sqrt((0.8 * 0.2 + now * (1 - now)) / 400)
        assert (("accuracy_fell", "run") in found(entries)) == fell


def test_no_difference_from_the_warm_up_is_told_at_the_end():
    entries = history(val__accuracy=np.r_[np.full(4, 0.8), np.full(8, 0.81)])
    assert found(entries[:-1]) == []
    finding = sentence(entries)
    assert (finding.name, finding.severity) == ("no_difference", "note")
    assert finding.sentence == (
        "no difference from the end of the warm-up is shown: validation accuracy 80.0 % then, 81.0 % now (+1.0 "
        "points of 400 samples; more than 5.5 would be)"
    )
    assert found(history(val__accuracy=0.999)) == []  # no gain could be shown
    assert found(entries, replace(FACTS, reference=0)) == []


def test_unstable_values_are_told_by_the_exact_test_of_changed_sides():
    for kappa in np.arange(-0.3, 0.3, 0.02):
        changes = round((1 - kappa) * 2 * 0.3 * 0.7 * 400)
        p = stats.binomtest(changes, 400, 0.8 * 2 * 0.3 * 0.7, "greater").pvalue
        expected = kappa < 0.2 and p <= SIGNATURE_LEVEL / 12
        assert (found(history(phi__agreement_rgb=kappa)) == [("unstable_values", "rgb")]) == expected
    assert found(history(phi__agreement_rgb=-0.01, phi__low_rgb=0.01, phi__low_audio=0.01)) == []  # hardly ever low
    finding = sentence(history(phi__agreement_rgb=-0.2))
    assert finding.sentence == (
        "contributions of rgb do not reproduce: which of 400 validation samples are low agrees with the epoch before "
        "by a kappa of -0.20 (1: the same, 0: chance)"
    )
    soft = history(phi__agreement_rgb=-0.2, phi__low_rgb=None, phi__low_audio=None)
    assert found(soft) == [("unstable_values", "rgb")]


def test_conflict_is_told_where_the_mean_cosine_is_below_the_widest_error():
    z = stats.norm.isf(SIGNATURE_LEVEL / 12)
    for cosine in np.arange(-0.5, 0.0, 0.02):
        expected = cosine < -z / np.sqrt(32 * 8)
        assert (found(history(conflict__rgb=cosine)) == [("conflict", "rgb")]) == expected
    assert sentence(history(conflict__rgb=-0.4)).sentence == (
        "gradients of rgb conflict: the loss of rgb alone and of all modalities pull its features apart, by a mean "
        "cosine of -0.40 over 8 epochs (256 rows; -0.40 in the last)"
    )
    assert found(history(conflict__rgb=-0.4, conflict__rows_rgb=None)) == []  # of how many rows is not known
    late = np.r_[np.full(9, -0.9), np.full(3, 0.1)]
    assert found(history(conflict__rgb=late)) == []


@pytest.mark.parametrize(
    ("early", "late", "counted", "told"),
    [(-0.3, -0.1, 32, False), (-0.3, -0.1, 1, True), (-0.25, -0.25, 32, True), (-0.25, -0.25, 1, False)],
)
def test_conflict_is_judged_by_the_rows_that_counted_each_as_much(early, late, counted, told):
    rows = np.r_[np.full(8, 32), np.full(4, counted)]  # the first 4 epochs are not judged
    cosines = np.r_[np.full(8, early), np.full(4, late)]
    every = np.repeat(cosines[4:], rows[4:])
    assert (every.mean() < -stats.norm.isf(SIGNATURE_LEVEL / 12) / np.sqrt(len(every))) == told
    entries = history(conflict__rgb=cosines, conflict__rows_rgb=rows)
    assert found(entries) == [("conflict", "rgb")] * told
    if told:
        assert (
            f"cosine of {every.mean():.2f} over 8 epochs ({len(every)} rows; {late:.2f}" in sentence(entries).sentence
        )


def null_history(generator):
    """A run on the edge of what is no failure: every number drawn from its distribution there, anew each epoch."""
    changes = {}
    for name in NAMES:
        broken = generator.binomial(40, 0.5, EPOCHS)
        sides = generator.binomial(400, 0.8 * 2 * 0.3 * 0.7, EPOCHS)
        changes[f"phi__breaks_{name}"], changes[f"phi__repairs_{name}"] = broken / 400, (40 - broken) / 400
        changes[f"phi__agreement_{name}"] = 1 - sides / 400 / (2 * 0.3 * 0.7)
        changes[f"phi__low_{name}"] = 0.3
        changes[f"conflict__{name}"] = generator.choice([-1, 1], size=(EPOCHS, 32)).mean(axis=1)
    levels = generator.binomial(400, 0.7) / 400, generator.binomial(400, 0.7) / 400
    changes["val__accuracy"] = np.r_[np.full(4, levels[0]), np.full(8, levels[1])]
    return history(**changes)


def test_false_alarms_at_the_edge_are_rarer_than_one_run_in_twenty():
    """Where the truth is on the boundary of each signature, which is the worst case of its test."""
    generator, alarms, runs = np.random.default_rng(0), 0, 150
    for _ in range(runs):
        entries = null_history(generator)
        told = {name for done in range(7, EPOCHS + 1) for name, _ in found(entries[:done])}
        alarms += bool(told - {"no_difference"})  # it is what there is
    assert alarms <= runs / 20


def table_pair(only_here, only_there, samples=60):
    table = random_table(0, count=samples, n=2)
    right = np.zeros(samples, np.int64)
    own, other = right.copy(), right.copy()
    own[:only_there] = 1
    other[only_there : only_there + only_here] = 1
    return replace(table, prediction=own), replace(table, prediction=other)


@pytest.mark.parametrize(("here", "there"), [(5, 5), (12, 3), (10, 0), (6, 0), (5, 0), (0, 0)])
def test_two_runs_are_compared_by_mcnemars_exact_test(here, there):
    own, other = table_pair(here, there)
    tail = sum(comb(here + there, k) for k in range(min(here, there) + 1)) / 2 ** (here + there)
    findings = no_difference_from(own, other, "joint")
    assert bool(findings) == (min(2 * tail, 1.0) > 0.05)
    if (here, there) == (5, 5):
        assert findings[0].sentence == (
            "no difference from joint is shown: accuracy 91.7 % against 91.7 % on 60 samples, 5 right only here and "
            "5 only there, p 1.00"
        )


def test_the_order_of_samples_does_not_matter_and_other_samples_are_refused():
    own, other = table_pair(12, 3)
    mixed = rows_of(other, np.random.default_rng(0).permutation(60))
    assert no_difference_from(own, mixed, "joint") == no_difference_from(own, other, "joint") == []
    strange = replace(other, sample_id=np.char.add(other.sample_id, "x"))
    with pytest.raises(DataError, match="'joint' is not of the same samples; compare runs on one data set"):
        no_difference_from(own, strange, "joint")


def test_a_finding_is_logged_when_it_first_holds_and_its_tag_follows(caplog):
    breaks = np.where((np.arange(EPOCHS) >= 4) & (np.arange(EPOCHS) < 9), 0.15, 0.02)
    entries = history(phi__breaks_rgb=breaks, phi__repairs_rgb=0.05)
    tracker = MemoryTracker()
    log, tags = FindingLog(tracker, FACTS), []
    with caplog.at_level(logging.WARNING):
        for done in (2, 2, 7, 9, 12):
            log(entries[:done])
            tags.append(dict(tracker.tags))
    assert tags == [
        {},
        {},
        {"raymm.finding.breaks_right": "rgb"},
        {"raymm.finding.breaks_right": "rgb"},
        {"raymm.finding.breaks_right": "no longer"},
    ]
    (record,) = caplog.messages
    assert record.startswith("epoch 7: warning: rgb breaks right answers: of 400 validation samples")


def fisher(table):
    """Two-sided p of a 2 x 2 table, summed over all tables with its margins that are no more likely."""
    (a, b), (c, d) = table
    rows, column = (a + b, c + d), a + c
    likely = [comb(rows[0], k) * comb(rows[1], column - k) for k in range(column + 1)]
    return sum(each for each in likely if each <= likely[a]) / sum(likely)


def test_a_label_shift_is_told_by_the_exact_test_of_its_largest_difference():
    for shown in range(10, 25):
        facts = replace(FACTS, training=60, samples=40, labels={"cat": (15, shown), "dog": (45, 40 - shown)})
        p, large = fisher([(15, 45), (shown, 40 - shown)]), abs(15 / 60 - shown / 40) >= 0.2
        told = [("label_shift", "run")] if large and p <= SIGNATURE_LEVEL / 2 else []
        assert found(history(1), facts) == told
    facts = replace(FACTS, training=731, samples=283, labels={"tools": (19, 7), "recreation": (68, 167)})
    finding = sentence(history(), facts)
    assert finding.sentence == (
        "validation is not like training: recreation is the label of 59.0 % of 283 validation samples and of 9.3 % "
        f"of 731 training samples, p {fisher([(68, 663), (167, 116)]):.1g}"
    )
    assert (finding.severity, round(finding.numbers["val share"], 3)) == ("note", 0.59)


@pytest.mark.parametrize(("train", "val"), [(600, 400), (700, 500), (300, 100), (900, 700), (401, 200)])
def test_a_fifth_is_a_shift_wherever_the_shares_lie(train, val):
    """As floats 0.6 - 0.4 is less than 0.2 and 0.7 - 0.5 more."""
    labels = {"cat": (train, val), "dog": (1000 - train, 1000 - val)}
    facts = replace(FACTS, training=1000, samples=1000, labels=labels)
    assert found(history(1), facts) == [("label_shift", "run")]
    less = {"cat": (train, val + 2), "dog": (1000 - train, 998 - val)}
    assert found(history(1), replace(facts, labels=less)) == []


def test_a_share_that_differs_little_is_no_shift_however_many_samples_show_it():
    facts = replace(
        FACTS, training=100_000, samples=100_000, labels={"cat": (30_000, 49_000), "dog": (70_000, 51_000)}
    )
    assert found(history(), facts) == []


def test_all_epochs_at_once_are_told_as_one_by_one(caplog):
    entries = history(phi__breaks_rgb=0.15, phi__repairs_rgb=0.05, conflict__audio=-0.6)
    with caplog.at_level(logging.WARNING):
        FindingLog(MemoryTracker(), FACTS)(entries)
        together = list(caplog.messages)
        caplog.clear()
        log = FindingLog(MemoryTracker(), FACTS)
        for done in range(EPOCHS + 1):
            log(entries[:done])
    assert caplog.messages == together
    assert len(together) == 2


def test_findings_as_text():
    findings = diagnose(Evidence(FACTS, history(val__accuracy_rgb=0.24, val__accuracy_audio=0.24)))
    lines = finding_lines(findings)
    assert len(lines) == 4
    assert lines[0].startswith("warning: audio alone is not shown to be above chance")
    assert lines[0].endswith("[at_chance]")
    assert findings_markdown(findings).count("\n- **at_chance** (warning): rgb alone") == 1
    assert finding_tags(findings) == {"raymm.finding.at_chance": "audio, rgb"}


def test_signatures_are_pure():
    entries = history(val__accuracy_rgb=0.24)
    before = repr(entries)
    first = [signature(Evidence(FACTS, entries)) for signature in SIGNATURES]
    assert first == [signature(Evidence(FACTS, entries)) for signature in SIGNATURES]
    assert repr(entries) == before


def test_the_docs_explain_every_signature_and_no_other():
    page = (Path(__file__).parents[2] / "docs" / "diagnostics.md").read_text()
    headings = re.findall(r"^### `(\w+)`", page, flags=re.MULTILINE)
    assert headings == [signature.__name__ for signature in SIGNATURES]
    assert f"level {100 * SIGNATURE_LEVEL:g} %" in page
    present = len(SIGNATURES) - len(("at_chance", "no_difference"))  # the others say that something is there
    assert f"at most\n  {100 * SIGNATURE_LEVEL * present:g} % of runs" in page
