"""What the report of a study says, in order: sections of sentences, tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raymm.counts import counted
from raymm.reports.pages.words import listed
from raymm.study.columns import (
    by_data_columns,
    cost_columns,
    difference_columns,
    finding_columns,
    interval_columns,
    mcnemar_columns,
    score_columns,
)
from raymm.study.comparison import Against
from raymm.study.figures import Figure, arms_of, data_of
from raymm.study.signatures import StudyFindings, findings_text, signatures_of
from raymm.study.tables import (
    Table,
    by_data_table,
    cost_table,
    difference_table,
    interval_table,
    mcnemar_table,
    score_table,
)
from raymm.study.verdict import outcome, verdict

if TYPE_CHECKING:
    from raymm.study.results import StudyResults
    from raymm.study.samples import Samples

__all__ = ["Image", "Section", "Sentence", "sections_of"]

SCORES = (
    "Means and standard deviations over seeds{}. Validation is that of the picked epochs, as trained: arms are "
    "chosen by it, never by test."
)
MACRO = " on each data set; macro is the mean over data sets"
DIFFERENCES = (
    "Pairs are runs of the same data set and seed. The difference and its 95 % interval are Student's t over all "
    "pairs; p is corrected by Holm's method over the arms of a table. A difference is shown where the interval "
    "excludes 0 and the corrected p is at most 0.05. d_z is the mean over the standard deviation of the pairs."
)
INTERVALS = (
    "Each interval is over what else could have been drawn: all pairs, which verdicts rest on; the seeds, by their "
    "means over data sets; other data sets like these; other test samples for these very models; and all at once. "
    "Bootstrap intervals are percentiles, which are too narrow for five seeds or data sets."
)
BY_DATA = (
    "95 % intervals over the seeds of each data set (t). A gain that vanishes without its best data set is that data "
    "set's."
)
MCNEMAR = (
    "Test samples that only the arm, and only the control, predicts right, the seeds of a data set pooled, with the "
    "exact p. It is about these models: a sample counts once a seed, and another seed may say otherwise."
)
COST = (
    "Totals of training, valuing the training split included, relative to the reference: geometric means over pairs. "
    "Seconds depend on the machine and on what else it does; those of runs of several machines do not compare."
)
FRONT = " Filled points are on the Pareto front: no other arm is as good for as little."
ALONE = "Contributions (phi) and accuracy of each modality alone, on validation after each epoch; means over seeds."

NOT_LOOKED_FOR = StudyFindings()


@dataclass(frozen=True)
class Sentence:
    """A verdict, with what it says: "better", "worse" or "not shown"; or what a failure signature was read from."""

    outcome: str
    text: str


@dataclass(frozen=True)
class Image:
    """A plot: the name of its file without suffix, and what it shows."""

    name: str
    shows: str


@dataclass(frozen=True)
class Section:
    """A title with what stands below it; parts that are empty are left out.

    Attributes
    ----------
    level
        1 for the page, 2 and 3 below it.
    text, sentences, table, columns, images
        In this order; `columns` says by the head of each column of the table what it is.
    """

    level: int
    title: str
    text: str = ""
    sentences: tuple[Sentence, ...] = ()
    table: Table | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    images: tuple[Image, ...] = ()


def sections_of(
    results: StudyResults,
    samples: Mapping[Figure, Samples],
    tables: Sequence[Against],
    images: Mapping[str, Image],
    findings: StudyFindings = NOT_LOOKED_FOR,
) -> list[Section]:
    """The sections of a report.

    Parameters
    ----------
    samples
        What is compared, the first figure first, with its test samples.
    tables
        Comparisons, of `compare_all`.
    images
        Plots that were drawn: "cost", "differences", and one by the name of each data set.
    findings
        Failure signatures that hold in the runs, of `read_findings`.
    """
    figures = list(samples)
    first = [table for table in tables if table.figure == figures[0]]
    trained = {table.second: table for table in tables if table.figure != figures[0]}
    made = [Section(1, results.title, _opening(results, figures[0]))]
    made += [Section(2, "Verdicts")] if first else []
    made += [Section(3, f"Against {table.second}", sentences=_sentences(table)) for table in first]
    text = SCORES.format(MACRO if len(data_of(results)) > 1 else "")
    said = bool(results.about)
    for figure in figures:
        columns = score_columns(figure, data_of(results), said)
        made.append(Section(2, f"Test {figure.name}", text, table=score_table(results, figure), columns=columns))
    cost = _found(images, "cost")
    text, columns = COST + (FRONT if cost else ""), cost_columns(results)
    made.append(Section(2, "Cost", text, table=cost_table(results), columns=columns, images=cost))
    made += [Section(2, "Differences", DIFFERENCES, images=_found(images, "differences"))] if first else []
    for table in first:
        made += _differences(table, trained.get(table.second), explained=table is not first[0])
    return [*made, *_epochs(results, images), *_findings(findings), *_remarks(results, samples), *_facts(results)]


def _opening(results: StudyResults, figure: Figure) -> str:
    """What there is, and what is missing."""
    arms, data = arms_of(results), data_of(results)
    seeds = sorted({run.seed for run in results.runs})
    better = "higher" if figure.higher else "lower"
    text = (
        f"{counted(len(arms), 'arm')} on {counted(len(data), 'data set')} with {counted(len(seeds), 'seed')}: "
        f"{counted(len(results.runs), 'finished run')}, compared by {figure.name} on test ({better} is better). "
        "Each run reads the test split once, after validation has picked its epoch."
    )
    missing = [f"{counted(results.pending, 'run')} not finished"] if results.pending else []
    missing += [f"{counted(results.failed_runs, 'run')} failed"] if results.failed_runs else []
    return f"{text} {' and '.join(missing)}: what follows is of the others." if missing else text


def _sentences(table: Against) -> tuple[Sentence, ...]:
    """Better first, then worse, then not shown, each by size."""
    order = {"better": 0, "worse": 1, "not shown": 2}
    found = sorted(table.comparisons, key=lambda each: (order[outcome(each)], -abs(each.over_pairs.mean)))
    return tuple(Sentence(outcome(each), verdict(each)) for each in found)


def _differences(table: Against, trained: Against | None, *, explained: bool) -> list[Section]:
    """The tables of one control; what they are is said of the first only."""
    what = f"Arms less {table.second}"
    columns = difference_columns(table, trained=trained is not None)
    made = [Section(3, what, _balance(table), table=difference_table(table, trained), columns=columns)]
    text = "" if explained else INTERVALS
    columns = interval_columns(table)
    made.append(Section(3, f"{what}, 95 % intervals", text, table=interval_table(table), columns=columns))
    if any(len(each.by_data) > 1 for each in table.comparisons):
        text, by_data = "" if explained else BY_DATA, by_data_table(table)
        columns = by_data_columns(table, by_data[0][1:-1])
        made.append(Section(3, f"{what}, by data set", text, table=by_data, columns=columns))
    if tested := mcnemar_table(table):
        text, columns = "" if explained else MCNEMAR, mcnemar_columns(table, tested[0][1:])
        title = f"McNemar's test against {table.second}"
        made.append(Section(3, title, text, table=tested, columns=columns))
    return made


def _balance(table: Against) -> str:
    """Arms without a pair on some data sets, and arms whose mean over pairs is not the macro mean."""
    some = [each for each in table.comparisons if each.missing]
    arms = [each.first for each in table.comparisons if not each.balanced]
    said = []
    if some:
        where = "; ".join(f"{each.first} (on {listed(list(each.by_data))})" for each in some)
        said.append(f"Not compared on all {some[0].data_sets} data sets: {where}.")
    if arms:
        said.append(f"Not all data sets have as many pairs, which weighs them by their pairs: {', '.join(arms)}.")
    return " ".join(said)


def _epochs(results: StudyResults, images: Mapping[str, Image]) -> list[Section]:
    made = [Section(3, name, images=_found(images, f"data {name}")) for name in data_of(results)]
    made = [section for section in made if section.images]
    return [Section(2, "Modalities over the epochs", ALONE), *made] if made else []


def _findings(findings: StudyFindings) -> list[Section]:
    """The failure signatures that hold, and how many runs were looked at."""
    said, columns = findings_text(findings), finding_columns()
    made = [Section(2, "Findings", said)] if said else []
    for each in signatures_of(findings):
        sentences = tuple(Sentence("read from", sentence) for sentence in each.sentences)
        made.append(Section(3, each.title, each.advice, sentences, (list(columns), each.rows), columns))
    return made


def _remarks(results: StudyResults, samples: Mapping[Figure, Samples]) -> list[Section]:
    """What failed, and test tables that are not used."""
    made = []
    if results.failed:
        made.append(Section(2, "What failed", table=(["what"], [[line] for line in results.failed])))
    if left_out := [[line] for of_figure in samples.values() for line in of_figure.left_out]:
        text = "Statistics over samples leave these runs out:"
        made.append(Section(2, "Test tables that do not fit", text, table=(["run"], left_out)))
    return made


def _facts(results: StudyResults) -> list[Section]:
    rows = [[name, value] for name, value in results.facts.items()]
    return [Section(2, "What was run", table=(["what", "how it was run"], rows))] if rows else []


def _found(images: Mapping[str, Image], name: str) -> tuple[Image, ...]:
    return (images[name],) if name in images else ()
