"""What a sweep says, in sentences: its best trial, and which methods are shown to differ from the controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raymm.counts import counted
from raymm.reports.pages.verdict import Sentence
from raymm.reports.pages.words import p_text
from raymm.reports.paired_statistics import LEVEL
from raymm.sweep.effects import effects
from raymm.sweep.labels import settings_text, short_names, varied
from raymm.sweep.rows import best_of, measured
from raymm.tracking.epoch_text import figure_text
from raymm.tracking.metrics import higher_is_better

if TYPE_CHECKING:
    from raymm.reports.pages.verdict import Tone
    from raymm.sweep.effects import Effect
    from raymm.sweep.rows import TrialRow

__all__ = ["sweep_headline", "sweep_verdict"]


def sweep_headline(rows: Sequence[TrialRow], metric: str) -> str:
    """The best finished trial with its settings and score; that there is none where none has finished."""
    if (best := best_of(rows)) is None:
        return "No trial has finished yet"
    settings = settings_text(best.params, short_names(varied(rows)))
    said = f" ({settings})" if settings else ""
    return f"Trial {best.number}{said} is the best by {metric}: {figure_text(measured(best.score or 0.0, metric))}"


def sweep_verdict(rows: Sequence[TrialRow], metric: str) -> list[Sentence]:
    """A sentence on how the trials ended, on each method against the controls, and on what this is not."""
    statuses = [row.status for row in rows]
    counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
    made = [Sentence("plain", "", f"{', '.join(f'{count} {status}' for status, count in counts.items())}.")]
    for effect in effects(rows):
        if effect.difference is not None:
            made.append(_against(effect, "joint", effect.difference, effect.margin, effect.p))
        if effect.over_random is not None:
            evidence = effect.over_random_margin, effect.over_random_p
            made.append(_against(effect, "random", effect.over_random, *evidence))
    turned = (
        "" if higher_is_better(metric) else f" Of {metric} less is better, so scores are negated: more is better."
    )
    text = (
        "Scores are of validation, by which trials were chosen, so the best one is partly luck: compare it with the "
        "control over new seeds on test (`raymm study`)."
    )
    return [*made, Sentence("plain", "", text + turned)]


def _against(effect: Effect, control: str, difference: float, margin: float | None, p: float) -> Sentence:
    """One comparison: it is shown where p is at most 0.05 after Holm's correction."""
    what = f"{effect.group} against {control}: {figure_text(difference, signed=True)}"
    if effect.seeds == 1:
        return Sentence("plain", effect.group, f"{what} with one seed, so no interval.")
    shown = p <= LEVEL
    tone: Tone = ("good" if difference > 0 else "bad") if shown else "plain"
    over = f"over {counted(effect.seeds, 'seed')}"
    evidence = (
        f", the same {over} ({p_text(p)} after Holm, by sign flips)"
        if margin is None
        else f" ± {figure_text(margin)} {over} ({p_text(p)} after Holm)"
    )
    return Sentence(tone, effect.group, f"{what}{evidence}: {'shown' if shown else 'not shown'}.")
