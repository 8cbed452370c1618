"""Broken and repaired answers, low shares and agreement of two valuations, against counts by hand."""

from dataclasses import replace

import numpy as np
import pytest

from raymm.valuation.agreement import agreement, cohens_kappa, low_shares
from raymm.valuation.bits import pack_bits
from raymm.valuation.marginals import broken_and_repaired
from raymm.valuation.table import TableInfo, ValuationTable


def table_of(phi, correct, utility="count", method="exact"):
    """A table whose outcomes are `correct`, bool [N, 2**n]; a sample is right where the grand coalition is."""
    count, n = phi.shape
    label = np.zeros(count, np.int64)
    return ValuationTable(
        info=TableInfo(tuple(f"m{i}" for i in range(n)), utility, "zeros", "0" * 16, method=method, classes=2),
        sample_id=np.array([f"s{row}" for row in range(count)]),
        split=np.array(["val"] * count),
        label=label,
        prediction=np.where(correct[:, -1], 0, 1),
        phi=phi,
        outcomes=pack_bits(correct),
        loss=np.zeros(count),
        stderr=np.zeros_like(phi),
        unimodal_correct=correct[:, [1 << i for i in range(n)]],
    )


def random_table(seed, count=60, n=3, **info):
    """Outcomes of a game in which absent modalities are null players, and any contributions."""
    generator = np.random.default_rng(seed)
    present = generator.random((count, n)) < 0.8
    present[~present.any(axis=1), 0] = True
    codes = np.arange(2**n)
    free = generator.random((count, 2**n)) < 0.2 + 0.2 * np.bitwise_count(codes)
    free[:, 0] = False
    has = present @ (1 << np.arange(n))
    correct = free[np.arange(count)[:, None], codes[None] & has[:, None]]
    phi = np.where(present, generator.choice([0.5, 1.0, 1.5], size=present.shape), np.nan)
    return table_of(phi, correct, **info)


@pytest.mark.parametrize("seed", range(5))
def test_broken_and_repaired_answers_are_those_counted_sample_by_sample(seed):
    table = random_table(seed)
    correct, found = table.correct(), broken_and_repaired(table)
    for i in range(3):
        broken = repaired = samples = 0
        for row, phi in enumerate(table.phi):
            members = [j for j in range(3) if not np.isnan(phi[j])]
            if i not in members or len(members) == 1:
                continue
            together = correct[row, sum(1 << j for j in members)]
            without = correct[row, sum(1 << j for j in members if j != i)]
            samples += 1
            broken += without and not together
            repaired += together and not without
        assert found[:, i] == pytest.approx([broken / samples, repaired / samples])
    assert found[0] != pytest.approx(found[1])


def test_marginals_are_unknown_where_not_all_coalitions_were_evaluated_or_nobody_has_another_modality():
    table = random_table(0)
    assert broken_and_repaired(replace(table, info=replace(table.info, method="sampled"))) is None
    alone = np.where(np.arange(3)[None] == 0, 1.0, np.full((60, 3), np.nan))
    assert np.isnan(broken_and_repaired(replace(table, phi=alone))).all()


@pytest.mark.parametrize("read", [(0, 2), (1, 2), (1,)])
def test_modalities_that_are_not_read_are_no_company(read):
    table = random_table(1, n=3)
    mask = np.isin(np.arange(3), read)
    as_if_absent = replace(table, phi=np.where(mask, table.phi, np.nan))
    found = broken_and_repaired(table, mask)
    assert found == pytest.approx(broken_and_repaired(as_if_absent), nan_ok=True)
    assert np.isnan(found[:, ~mask]).all()
    assert np.isnan(found[:, mask]).all() == (len(read) == 1)


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_the_table_of_counts(seed):
    generator = np.random.default_rng(seed)
    a, b = generator.random(40) < 0.4, generator.random(40) < 0.6
    counts = np.array([[((a == x) & (b == y)).sum() for y in (False, True)] for x in (False, True)])
    expected = counts.sum(axis=1) @ counts.sum(axis=0)[[0, 1]] / counts.sum()
    kappa = (np.trace(counts) - expected) / (counts.sum() - expected)
    assert cohens_kappa(a, b) == pytest.approx(kappa)
    assert cohens_kappa(a, a) == 1.0
    assert np.isnan(cohens_kappa(np.ones(4, bool), np.ones(4, bool)))


def test_agreement_is_over_samples_that_have_the_modality_in_both_tables():
    now, then = random_table(1), random_table(2)
    found = agreement(now, then)
    for i in range(3):
        pairs = [
            (x < 1, y < 1)
            for x, y in zip(now.phi[:, i], then.phi[:, i], strict=True)
            if not np.isnan(x) and not np.isnan(y)
        ]
        first, second = np.array(pairs).T
        assert found[i] == pytest.approx(cohens_kappa(first, second))
    assert agreement(now, now) == pytest.approx(1.0)
    other = replace(then, sample_id=then.sample_id[::-1])
    assert np.isnan(agreement(now, other)).all()


def test_low_shares_need_a_fair_share_and_agreement_takes_the_median_then():
    table = random_table(3)
    low = [sum(value < 1 for value in column) / sum(value > 0 for value in column) for column in table.phi.T]
    assert low_shares(table) == pytest.approx(low)
    soft = replace(table, info=replace(table.info, utility="probability"))
    assert np.isnan(low_shares(soft)).all()
    assert agreement(soft, soft) == pytest.approx(1.0)
