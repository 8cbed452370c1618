"""Any results, however incomplete, have a report whose verdicts are those of an independent calculation."""

from collections import Counter
from itertools import combinations, product
from math import isfinite, nan

import numpy as np
import pytest
from scipy import stats

from raymm.study.comparison import compare_all, controls_of
from raymm.study.figures import figures_of
from raymm.study.report import verdict_lines, write_study_report
from raymm.study.samples import Samples
from raymm.study.sections import sections_of
from raymm.study.verdict import outcome
from tests.studies import record, results_of

ARMS = ("joint", "random", "multitask", "new", "$\\frac$", "_a|b\n<i>")
GAINS = {"new": 0.05, "random": -0.05, "multitask": 0.02}


def drawn_runs(generator):
    """Accuracies by data set, arm and seed: some runs are missing, some have none (None, NaN), some are equal."""
    spread, present = generator.choice([0.0, 0.01, 0.05]), generator.choice([0.3, 0.8, 1.0])
    found = {}
    for key in product(("a", "b/c", "d e")[: generator.integers(1, 4)], ARMS, range(generator.integers(1, 6))):
        if generator.random() < present:
            value = round(0.5 + GAINS.get(key[1], 0.0) + generator.normal(0, 1) * spread, 3)
            found[key] = generator.choice([value, nan, None], p=[0.96, 0.02, 0.02])
    return found


def made(drawn, **named):
    """Runs with the drawn accuracies; None is a run without one."""
    runs = [record(*key, nan if value is None else value) for key, value in drawn.items()]
    for run, value in zip(runs, drawn.values(), strict=True):
        if value is None:
            run.metrics.pop("test/accuracy")
    return results_of(runs, **named)


def expected(drawn, higher):
    """What is shown of each arm and control, from the definitions: t tests of all pairs, closed tests for Holm."""
    values = {key: value for key, value in drawn.items() if value is not None and isfinite(value)}
    controls = [arm for arm in ("joint", "random", "multitask") if any(key[1] == arm for key in drawn)]
    found = {}
    for place, control in enumerate(controls):
        arms = {key[1] for key in drawn} - set(controls[: place + 1])
        pairs = {
            arm: [
                (key, values[key] - values[key[0], control, key[2]])
                for key in values
                if key[1] == arm and (key[0], control, key[2]) in values
            ]
            for arm in arms
        }
        tests = {arm: t_test([round(gap, 9) for _, gap in of]) for arm, of in pairs.items() if of}
        for arm, (mean, margin, p) in tests.items():
            seeds = max(sum(key[0] == data for key, _ in pairs[arm]) for data in {key[0] for key, _ in pairs[arm]})
            others = [q for other, (_, _, q) in tests.items() if other != arm and not np.isnan(q)]
            shown = seeds > 1 and not np.isnan(p) and closed(p, others) <= 0.05 and abs(mean) > margin
            found[arm, control] = ("better" if (mean > 0) == higher else "worse") if shown else "not shown"
    return found


def t_test(gaps):
    """Mean, margin and p; of equal differences, p of the sign flips."""
    mean = float(np.mean(gaps))
    if len(gaps) < 2:
        return mean, nan, nan
    if len(set(gaps)) == 1:
        return mean, 0.0, 1.0 if mean == 0 else 2 / 2 ** len(gaps)
    test = stats.ttest_1samp(gaps, 0)
    return mean, mean - test.confidence_interval().low, test.pvalue


def closed(p, others):
    families = (more for size in range(len(others) + 1) for more in combinations(others, size))
    return max(min(1.0, (len(more) + 1) * min(p, *more, 1.0)) for more in families)


@pytest.mark.parametrize("higher", [True, False])
def test_what_is_shown_is_what_the_definitions_say(higher):
    shown = Counter()
    for seed in range(30):
        drawn = drawn_runs(np.random.default_rng(seed))
        shown.update(check(drawn, higher))
    assert min(shown["better"], shown["worse"], shown["not shown"]) >= 10  # each is seen often enough to be wrong


def check(drawn, higher):
    results = made(drawn, higher=higher)
    if controls_of(results)[:1] != ["joint"]:
        results = made(drawn, higher=higher, reference="nobody")
    tables = compare_all(results, {figure: Samples() for figure in figures_of(results)})
    found = {(each.first, each.second): outcome(each) for table in tables for each in table.comparisons}
    assert found == expected(drawn, higher)
    sections = sections_of(results, {figure: Samples() for figure in figures_of(results)}, tables, {})
    for section in sections:
        if section.table:
            header, body = section.table
            assert {len(row) for row in body} <= {len(header)}
    assert len(verdict_lines(results)) == len(found)
    return found.values()


@pytest.mark.parametrize("seed", range(4))
def test_any_names_and_gaps_can_be_written(seed, tmp_path):
    """With loss as the metric, for which no test tables are read."""
    generator = np.random.default_rng(seed)
    runs = [
        record(
            data, arm, number, 0.5, {"test/loss": float(generator.normal(1, 0.2))}, float(generator.integers(0, 3))
        )
        for data in ("a", "$b/c$", "a ")
        for arm in ARMS
        for number in range(3)
        if generator.random() < 0.5
    ]
    files = write_study_report(results_of(runs, metric="loss", higher=False), tmp_path)
    assert all(file.stat().st_size for file in files)
    assert "<i>" not in files[1].read_text()
