"""What came of a comparison with the oracle: lines of a table, a CSV file, a plot, metrics and a README."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from raymm.reports import plots
from raymm.storage import write_bytes
from tests.oracle.formulas import HARD, UTILITIES
from tests.oracle.study import BAND, MANY, TOLERANCE, Comparison, Coverage, TrialResult

__all__ = ["Outcome", "csv_rows", "lines", "metrics", "oracle_plot", "write_report"]

COLOURS = dict(zip(UTILITIES, plots.COLOURS, strict=False))
FLOOR = 1e-18
"""Where no difference at all is drawn."""

MOST_POINTS = 4_000
SIZES = (7.5, 6.0, 5.0, 4.0, 3.0, 2.0)
"""Of the points of each utility: where points lie upon each other all can be seen."""


@dataclass(frozen=True)
class Outcome:
    """All comparisons of a study."""

    comparisons: Sequence[Comparison]
    coverages: Sequence[Coverage]

    @property
    def every(self) -> list[Comparison | Coverage]:
        """Exact and sampled ones together."""
        return [*self.comparisons, *self.coverages]

    @property
    def values(self) -> int:
        """Contributions that were compared."""
        return sum(one.values for one in self.every)

    @property
    def failed(self) -> int:
        """Comparisons that did not pass."""
        return sum(not one.passed for one in self.every)


def lines(outcome: Outcome) -> list[str]:
    """The result as lines of tables, 80 columns wide at most."""
    games = sorted({one.game for one in outcome.comparisons})
    short = {"probability": "prob.", "log_probability": "log prob."}
    shown = [
        "largest difference from the formula ('=': all equal, bit by bit; '!': failed)",
        f"{'game':<14}{'values':>9}" + "".join(f"{short.get(name, name):>9}" for name in UTILITIES),
    ]
    for game in games:
        some = [one for one in outcome.comparisons if one.game == game]
        cells = "".join(f"{_cell([one for one in some if one.trial.utility == name]):>9}" for name in UTILITIES)
        shown.append(f"{game:<14}{sum(one.values for one in some):>9}{cells}")
    if outcome.coverages:
        shown += ["", f"sampled, {MANY} modalities: 95 % intervals that hold the truth"]
        shown.append(
            f"{'game':<11}{'utility':<8}{'budget':>6}{'values':>8}{'designs':>8}{'coverage':>15}{'silent':>8}{'rmse':>8}{'stated':>8}"
        )
    for one in outcome.coverages:
        share = f"{100 * one.share:.1f} ± {196 * one.error:.1f} %{_mark(one)}"
        shown.append(
            f"{one.trial.game_samples:<11}{one.trial.utility:<8}{one.trial.budget:>6}{one.values:>8}{len(one.by_design):>8}"
            f"{share:>15}{100 * one.silent:>6.1f} %{one.rmse:>8.4f}{one.stderr:>8.4f}"
        )
    return shown


def csv_rows(outcome: Outcome) -> Iterator[dict[str, Any]]:
    """One row a comparison: exact ones by game and channel, sampled ones by trial."""
    for one in outcome.comparisons:
        yield {
            **_about(one),
            "game": one.game,
            "channel": one.channel,
            "samples": one.samples,
            "unequal": one.unequal,
            "largest": one.largest,
        }
    for cover in outcome.coverages:
        yield {
            **_about(cover),
            "game": cover.trial.game_samples,
            "designs": len(cover.by_design),
            "coverage": cover.share,
            "coverage_error": cover.error,
            "rmse": cover.rmse,
            "stderr": cover.stderr,
            "silent": cover.silent,
        }


def metrics(outcome: Outcome) -> dict[str, float]:
    """What a tracker is told."""
    found: dict[str, float] = {
        "oracle/comparisons": len(outcome.every),
        "oracle/values": outcome.values,
        "oracle/failed": outcome.failed,
    }
    for name in UTILITIES:
        some = [one for one in outcome.comparisons if one.trial.utility == name]
        if some:
            found[f"oracle/largest_{name}"] = max(one.largest for one in some)
            found[f"oracle/unequal_{name}"] = sum(one.unequal for one in some)
    for one in outcome.coverages:
        end = f"{one.trial.game_samples.replace(' ', '_')}_{one.trial.budget}"
        found |= {
            f"oracle/coverage_{end}": one.share,
            f"oracle/silent_{end}": one.silent,
            f"oracle/rmse_{end}": one.rmse,
            f"oracle/stated_{end}": one.stderr,
        }
    return found


def write_report(out: Path, outcome: Outcome, results: Sequence[TrialResult], command: str) -> list[Path]:
    """Write OUT/oracle.csv, OUT/oracle.png and OUT/README.md; returns their paths.

    Parameters
    ----------
    command
        What made them.
    """
    paths = [out / "oracle.csv", out / "oracle.png", out / "README.md"]
    text = io.StringIO()
    rows = list(csv_rows(outcome))
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(paths[0], text.getvalue().encode())
    plots.save(oracle_plot(outcome, results), paths[1])
    write_bytes(paths[2], _readme(outcome, command).encode())
    return paths


def oracle_plot(outcome: Outcome, results: Sequence[TrialResult]) -> Figure:
    """Values against formulas; largest differences by number of modalities; coverage of each sampling design."""
    figure = plots.new_figure(13.0, 4.0)
    scatter, differences, coverage = figure.subplots(1, 3)
    _scatter(scatter, [one for one in results if one.trial.budget is None])
    _differences(differences, outcome.comparisons)
    _coverage(coverage, outcome.coverages)
    return figure


def _scatter(axis: Axes, results: Sequence[TrialResult]) -> None:
    for size, utility in zip(SIZES, UTILITIES, strict=True):
        some = [one for one in results if one.trial.utility == utility]
        if some:
            truth = np.concatenate([one.truth.ravel() for one in some])
            phi = np.concatenate([one.table.phi.ravel() for one in some])
            step = max(1, len(truth) // MOST_POINTS)
            axis.plot(truth[::step], phi[::step], "o", color=COLOURS[utility], markersize=size, mew=0, label=utility)
    axis.axline((0.0, 0.0), slope=1.0, color="black", linewidth=0.6)
    axis.set(xlabel="contribution by formula", ylabel="contribution by valuation", title="all coalitions results")
    plots.style_axis(axis, grid=None)
    axis.legend(frameon=False, fontsize=8)


def _differences(axis: Axes, comparisons: Sequence[Comparison]) -> None:
    for size, utility in zip(SIZES, UTILITIES, strict=True):
        some = [one for one in comparisons if one.trial.utility == utility]
        players = sorted({one.trial.players for one in some})
        worst = [max(one.largest for one in some if one.trial.players == n) for n in players]
        if players:
            heights = np.maximum(np.nan_to_num(worst, posinf=1.0), FLOOR)
            axis.plot(players, heights, "o-", color=COLOURS[utility], linewidth=1, markersize=size, label=utility)
    axis.axhline(TOLERANCE, color="black", linewidth=1, linestyle="--", label="allowed for soft utilities")
    axis.set_yscale("log")
    axis.set_ylim(FLOOR / 5, 1e-1)
    axis.set_yticks([FLOOR, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3], ["equal", *(f"1e-{k}" for k in (15, 12, 9, 6, 3))])
    axis.minorticks_off()
    axis.set(xlabel="modalities", ylabel="largest difference", title="valuation - formula")
    plots.style_axis(axis, grid=None)
    axis.legend(frameon=False, fontsize=7, loc="upper right", ncols=2)


def _coverage(axis: Axes, coverages: Sequence[Coverage]) -> None:
    axis.axhspan(100 * BAND[0], 100 * BAND[1], color=plots.GRID)
    axis.axhline(95, color="black", linewidth=1, linestyle="--")
    for place, one in enumerate(coverages):
        parts = 100 * np.sort(one.by_design)
        across = place + np.linspace(-0.3, 0.3, len(parts))
        axis.plot(across, parts, ".", color=plots.COLOURS[place // 2], markersize=4)
        axis.errorbar(place, 100 * one.share, 196 * one.error, color="black", marker="D", markersize=4, capsize=4)
    labels = [f"{one.trial.game_samples}\n{one.trial.budget}" for one in coverages]
    axis.set_xticks(range(len(coverages)), labels, fontsize=8)
    axis.set_xlabel("game, coalitions of a sample")
    axis.set(ylabel="95 % intervals that hold the truth (%)", title=f"sampled, {MANY} modalities; a point a design")
    plots.style_axis(axis, grid=None)


def _readme(outcome: Outcome, command: str) -> str:
    verdict = "All hold." if outcome.failed == 0 else f"{outcome.failed} fail."
    players = sorted({one.trial.players for one in outcome.every})
    models = sorted({one.trial.model for one in outcome.every})
    opening = (
        f"{len(outcome.every)} comparisons, {outcome.values:,} contributions; {', '.join(map(str, players))} "
        f"modalities; models {', '.join(models)}. {verdict}"
    )
    claims = (
        f"Hard utilities ({', '.join(HARD)}) must equal the formula in every bit, soft ones to {TOLERANCE:g}. Of "
        "sampled values, 95 % intervals must hold the truth in "
        f"{100 * BAND[0]:.0f} to {100 * BAND[1]:.0f} % of all cases."
    )
    reading = (
        "Coverage is over all contributions but those that are stated to be exact and are, ± 1.96 standard errors "
        "over the designs. `silent` ones are stated to be exact and are not; `rmse` is the error that was made, "
        "`stated` the one that the table states, both as root mean squares. Of votes that everyone together loses, "
        "often none of the few winning coalitions is drawn; the stated error is then what unseen ones may hide."
    )
    table = ["```", *lines(outcome), "```"]
    content = ["# Valuation against an oracle", "", opening, "", f"Made by `{command}`.", "", claims, "", *table, ""]
    return "\n".join([*content, reading, "", "![oracle](oracle.png)", ""])


def _mark(one: Coverage) -> str:
    return " " if one.passed else "!"


def _cell(some: Sequence[Comparison]) -> str:
    if not some:
        return "-"
    text = "=" if all(one.unequal == 0 for one in some) else f"{max(one.largest for one in some):.0e}"
    return text + ("" if all(one.passed for one in some) else "!")


def _about(one: Comparison | Coverage) -> dict[str, Any]:
    trial = one.trial
    return {
        "game_samples": trial.game_samples,
        "players": trial.players,
        "model": trial.model,
        "utility": trial.utility,
        "budget": trial.budget,
        "values": one.values,
        "passed": one.passed,
    }
