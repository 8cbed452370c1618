"""The tables of a run's page in words: by modality, by class, worst classes, by pattern, by pair."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from raymm.counts import counted
from raymm.reports.pages.groups import Groups, by_class, by_pattern, class_counts
from raymm.reports.pages.word_table import Head, WordTable
from raymm.reports.pages.words import NONE, decimal, listed, percent, plus_minus, share_words
from raymm.reports.some_classes import MOST_CLASSES
from raymm.reports.statistics import Interval, proportion
from raymm.reports.valuation_summary import MOST_FOR_PAIRS
from raymm.valuation.patterns import PATTERNS, pattern_shares

if TYPE_CHECKING:
    from raymm.reports.pages.usage import Usage
    from raymm.valuation.table import ValuationTable

__all__ = ["class_table", "modality_table", "pair_table", "pattern_table", "worst_classes"]

MOST_PATTERNS = 30
WORST = 5
CONFUSED = 2


def modality_table(found: Sequence[Usage], fair_share: float | None) -> WordTable:
    """What each modality does: a row a modality."""
    share = "" if fair_share is None else f" of {fair_share:g}"
    columns = [
        (Head("samples", "samples that have the modality"), [f"{each.phi.count:,}" for each in found]),
        (
            Head("right alone", "share predicted right from this modality alone, with its 95 % interval"),
            [share_words(each.alone) for each in found],
        ),
        (
            Head("chance", "share right of the best answer that is the same for all samples"),
            [decimal(each.chance) for each in found],
        ),
        (
            Head("mean phi", "mean contribution, in units of the utility, ± its 95 % margin over samples"),
            [plus_minus(each.phi) if each.phi.count else NONE for each in found],
        ),
        (
            Head("below fair share", f"samples on which it contributes less than its fair share{share}"),
            [NONE if each.below is None else percent(each.below.share) for each in found],
        ),
        (
            Head("negative", "samples on which its contribution is below 0: it does harm"),
            [percent(each.negative.share) for each in found],
        ),
        (
            Head("repairs", "samples on which all others are wrong together, and right with it"),
            [percent(each.repairs) for each in found],
        ),
        (
            Head("breaks", "samples on which all others are right together, and wrong with it"),
            [percent(each.breaks) for each in found],
        ),
    ]
    kept = [(head, cells) for head, cells in columns if any(cell != NONE for cell in cells)]
    rows = [[each.modality, *(cells[at] for _, cells in kept)] for at, each in enumerate(found)]
    heads = [Head("modality", number=False), *(head for head, _ in kept)]
    return WordTable("What each modality contributes on test.", heads, rows)


def class_table(table: ValuationTable, names: Sequence[str]) -> WordTable | None:
    """A row a class, the least often found first; None of a task without classes."""
    if not table.task.categorical or not names:
        return None
    groups, counts = by_class(table, len(names)), class_counts(table, len(names))
    order = _worst_first(counts.hits, counts.samples)
    heads = [
        Head("class", number=False),
        Head("samples", "test samples of the class"),
        Head("found", "share of its samples that were answered so (recall), with its 95 % interval"),
        Head("precise", "share of these answers that were right (precision)"),
        *_phi_heads(table),
    ]
    rows = [
        [
            names[at],
            f"{counts.samples[at]:,}",
            share_words(proportion(int(counts.hits[at]), int(counts.samples[at]))),
            decimal(proportion(int(counts.hits[at]), int(counts.answered[at])).share),
            *_phi_cells(groups, at),
        ]
        for at in order[:MOST_CLASSES]
    ]
    more = len(names) - len(rows)
    note = f"{counted(more, 'more class is', 'more classes are')} in tables/per_class.csv of the run." if more else ""
    return WordTable("By class, the least often found first.", heads, rows, note)


def worst_classes(table: ValuationTable, names: Sequence[str]) -> list[str]:
    """A sentence for each of the classes that are found least often, with what they are taken for."""
    if not table.task.categorical or not names:
        return []
    counts = class_counts(table, len(names))
    worst = [at for at in _worst_first(counts.hits, counts.samples) if counts.hits[at] < counts.samples[at]]
    return [_worst(table, names, at, int(counts.hits[at]), int(counts.samples[at])) for at in worst[:WORST]]


def pattern_table(table: ValuationTable) -> WordTable | None:
    """A row for each pattern of present modalities; None where all samples have the same."""
    present, groups = by_pattern(table)
    if len(present) < 2:
        return None
    names = table.info.modalities
    right = [Head("right", "share that all present modalities predict right, with its 95 % interval")]
    heads = [
        Head("modalities that are there", number=False),
        Head("samples"),
        *(right if groups.right is not None else []),
        *_phi_heads(table),
    ]
    rows = [
        [
            listed([name for name, there in zip(names, has, strict=True) if there]) or "none",
            f"{groups.samples[at]:,}",
            *(
                [share_words(proportion(int(groups.right[at]), int(groups.samples[at])))]
                if groups.right is not None
                else []
            ),
            *_phi_cells(groups, at),
        ]
        for at, has in enumerate(present[:MOST_PATTERNS])
    ]
    more = len(present) - len(rows)
    note = f"{counted(more, 'rarer pattern is', 'rarer patterns are')} left out." if more else ""
    return WordTable("By the modalities that a sample has, the most frequent first.", heads, rows, note)


def pair_table(table: ValuationTable) -> WordTable | None:
    """A row for each pair of modalities: which of them carries the answer; None where that was not evaluated."""
    names = table.info.modalities
    if not table.shows_outcomes or not 2 <= len(names) <= MOST_FOR_PAIRS:
        return None
    heads = [
        Head("pair", number=False),
        Head("either is enough", "both are right alone, and together (redundancy)"),
        Head("first carries", "only the first is right alone, and both are together"),
        Head("second carries", "only the second is right alone, and both are together"),
        Head("both needed", "neither is right alone, and both are together (synergy)"),
        Head("first breaks", "only the second is right alone, and both are wrong together"),
        Head("second breaks", "only the first is right alone, and both are wrong together"),
        Head("conflict", "each is right alone, and both are wrong together"),
        Head("hard", "neither alone nor both together are right"),
    ]
    order = ["redundancy", "first carries", "second carries", "synergy"]
    order += ["first breaks", "second breaks", "conflict", "hard"]
    rows = []
    for (i, j), found in pattern_shares(table.outcomes, ~np.isnan(table.phi)).items():
        shares = dict(zip(PATTERNS, found, strict=True))
        rows.append([f"{names[i]} and {names[j]}", *(percent(shares[each]) for each in order)])
    return WordTable("Pairs of modalities: shares of the samples that have both.", heads, rows)


def _worst_first(hits: np.ndarray, samples: np.ndarray) -> list[int]:
    """Classes by their share of hits; those without samples are left out, of equals the larger is first."""
    there = np.flatnonzero(samples)
    order = np.lexsort((there, -samples[there], hits[there] / samples[there]))
    return [int(at) for at in there[order]]


def _worst(table: ValuationTable, names: Sequence[str], at: int, hits: int, samples: int) -> str:
    said = f"{names[at]}: {share_words(proportion(hits, samples))} of {counted(samples, 'sample')} found"
    if not table.task.by_argmax:
        return f"{said}."
    wrong = np.bincount(table.prediction[(table.label == at) & (table.prediction != at)], minlength=len(names))
    taken = [int(other) for other in np.argsort(-wrong, kind="stable")[:CONFUSED] if wrong[other]]
    return f"{said}, most often taken for {listed([f'{names[other]} ({wrong[other]:,})' for other in taken])}."


def _phi_heads(table: ValuationTable) -> list[Head]:
    return [
        Head(f"phi {name}", f"mean contribution of {name}, ± its 95 % margin over samples")
        for name in table.info.modalities
    ]


def _phi_cells(groups: Groups, at: int) -> list[str]:
    cells = zip(groups.mean[at], groups.margin[at], groups.present[at], strict=True)
    return [
        NONE if isnan(mean) else plus_minus(Interval(float(mean), float(margin), int(count)))
        for mean, margin, count in cells
    ]
