"""Which method and family wins: means over seeds with intervals, paired with joint training where it was tried."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from raymm.config.canonical import Parameter
from raymm.reports.means import exact_mean
from raymm.reports.paired_statistics import differences, holm, p_of_mean, seed_interval
from raymm.reports.tables import text_table

if TYPE_CHECKING:
    from raymm.sweep.rows import TrialRow
from raymm.tracking.epoch_text import figure_text

__all__ = ["Effect", "effect_lines", "effects"]

METHOD = "method.name"
OTHERS = {"method.settings.fs.family": "fs", "method.settings.fm.family": "fm", "model.fusion.name": "fusion"}
LEGEND = (
    "- joint: mean less that of joint at the same seed; ± 95 %: half of its interval",
    "over seeds (of joint: of its mean); a difference that is no larger is not shown",
)
ALONE = ("± 95 %: half of the 95 % interval of the mean, over seeds",)
"""What the columns are."""
Group = tuple[Parameter, Parameter, Parameter, Parameter]


@dataclass(frozen=True)
class Effect:
    """The trials of one method and family.

    Attributes
    ----------
    group
        Such as "sample fs=tanh".
    trials, seeds
        How many finished trials it has, and the seeds of each.
    score
        Mean over trials and seeds.
    difference
        Mean over seeds of the score less that of `joint` at the same seed; None where joint was not tried, or is it.
    margin
        Margin of error of `difference` (of `score` where that is None): 95 %, Student's t, over seeds, of each group
        by itself; None with one seed, and where the difference (or score) is the same at all seeds.
    p
        Of `difference` by Student's t, by sign flips where it is the same at all seeds, corrected by Holm's method
        over the groups that are compared; NaN without a difference and with one seed.
    over_random, over_random_margin, over_random_p
        The same against `random`, which trains as many rows; None where it was not tried, or is it.
    """

    group: str
    trials: int
    seeds: int
    score: float
    difference: float | None
    margin: float | None
    p: float = float("nan")
    over_random: float | None = None
    over_random_margin: float | None = None
    over_random_p: float = float("nan")


def effects(rows: Sequence[TrialRow]) -> list[Effect]:
    """Compare strategies, families and fusions, best first; empty where none of them was searched.

    A group's score at a seed is the mean over its trials, not that of its best one, which would favour groups that
    were tried more often. Trials that were stopped early or failed do not count: they have no full scores.
    """
    done = [row for row in rows if row.status == "finished" and row.scores]
    seeds = max((len(row.scores) for row in done), default=0)
    scores: dict[Group, list[tuple[float, ...]]] = defaultdict(list)
    for row in done:
        group = _group(row)
        if len(row.scores) == seeds and any(part is not None for part in group):
            scores[group].append(row.scores)
    means = {group: np.mean(of_trials, axis=0) for group, of_trials in scores.items()}
    made = _corrected([_effect(group, len(scores[group]), means) for group in scores])
    return sorted(made, key=lambda effect: -effect.score)


def effect_lines(found: Sequence[Effect]) -> list[str]:
    """The comparison as lines of a table, 80 columns wide at most."""
    if len(found) < 2:
        return []
    compared = any(effect.difference is not None for effect in found)
    body = [
        [
            *(str(effect.trials), figure_text(effect.score)),
            *(["" if effect.difference is None else figure_text(effect.difference, signed=True)] if compared else []),
            "-" if effect.margin is None else figure_text(effect.margin),
            effect.group,
        ]
        for effect in found
    ]
    header = ["trials", "mean", *(["- joint"] if compared else []), "± 95 %", "group"]
    return ["", *text_table(header, body, numbers=len(header) - 1), *(LEGEND if compared else ALONE)]


def _effect(group: Group, trials: int, means: dict[Group, np.ndarray]) -> Effect:
    mine = means[group]
    against = {name: _paired(mine, _control(name, group, means)) for name in ("joint", "random")}
    joint, random = against["joint"], against["random"]
    return Effect(
        group=_label(group),
        trials=trials,
        seeds=len(mine),
        score=exact_mean(mine.tolist()),
        difference=None if joint is None else exact_mean(joint.tolist()),
        margin=_margin(mine) if joint is None else _margin(joint),
        p=_p(joint),
        over_random=None if random is None else exact_mean(random.tolist()),
        over_random_margin=None if random is None else _margin(random),
        over_random_p=_p(random),
    )


def _corrected(found: list[Effect]) -> list[Effect]:
    """With p corrected over all groups that are compared with the same control."""
    columns = (holm([each.p for each in found]), holm([each.over_random_p for each in found]))
    return [replace(each, p=p, over_random_p=q) for each, p, q in zip(found, *columns, strict=True)]


def _control(name: str, group: Group, means: dict[Group, np.ndarray]) -> np.ndarray | None:
    """Scores by seed of a control with the same fusion; None where it was not tried, or `group` is one itself."""
    found = [scores for other, scores in means.items() if other[0] == name and other[3] == group[3]]
    return np.mean(found, axis=0) if found and group[0] not in {name, "joint"} else None


def _paired(mine: np.ndarray, control: np.ndarray | None) -> np.ndarray | None:
    return None if control is None else differences(mine, control)


def _p(apart: np.ndarray | None) -> float:
    return float("nan") if apart is None else p_of_mean(apart)


def _margin(samples: np.ndarray) -> float | None:
    """Margin of error of the mean, at 95 %; None below two samples, and where all are equal."""
    margin = seed_interval(samples).margin
    return None if np.isnan(margin) else margin


def _group(row: TrialRow) -> Group:
    method, fs, fm, fusion = (row.params.get(key) for key in (METHOD, *OTHERS))
    return method, fs, fm, fusion


def _label(group: Group) -> str:
    named = [f"{name}={part}" for name, part in zip(OTHERS.values(), group[1:], strict=True) if part is not None]
    return " ".join([*([str(group[0])] if group[0] is not None else []), *named])
