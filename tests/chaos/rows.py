"""The rows of the reliability scorecard: what is done to raymm, what must hold, and what it counts.

A row has a test when the name of the test, or of one of its parameters, has the row's id in it: `test_F20_...`, or a
parameter `B_audio_03_minus_infinity`. `python -m tests.chaos.page` writes the rows, their tests and the points into
docs/reliability.md.
"""

from dataclasses import dataclass

from tests.chaos.rows_bad import BAD

__all__ = ["PARTS", "Part", "Row"]


@dataclass(frozen=True)
class Row:
    """A row: its id, what is done, and what must hold."""

    id: str
    what: str
    holds: str


@dataclass(frozen=True)
class Part:
    """A part of the scorecard; its points are shared equally by its rows."""

    title: str
    points: float
    rows: tuple[Row, ...]


def _killed(first: int, phase: str) -> tuple[Row, Row]:
    """A phase of training in which the worker of either rank is killed."""
    held = "the run ends; the bits of an uninterrupted run; at most one epoch is repeated"
    rows = [Row(f"F{first + rank:02d}", f"worker {rank} killed {phase}", held) for rank in (0, 1)]
    return rows[0], rows[1]


FAULTS = (
    *_killed(1, "before the run is restored"),
    *_killed(3, "in the first step"),
    *_killed(5, "in the middle of an epoch"),
    *_killed(7, "between backward and the update"),
    *_killed(9, "before the epoch is saved"),
    *_killed(11, "while a file is written"),
    *_killed(13, "after the commit, before it is reported"),
    *_killed(15, "while the other waits for the valuation"),
    Row("F17", "valuation actor killed before its first batch", "the exact table, one row a sample"),
    Row("F18", "valuation actor killed between batches", "the exact table, one row a sample"),
    Row("F19", "valuation actor killed after its last batch", "the exact table, one row a sample"),
    Row("F20", "valuation actors killed again and again", "ClusterError; no partial table"),
    Row("F21", "node killed, another is free", "as F01"),
    Row("F22", "cluster too small", "refused at once, with what is needed and what is there"),
    Row("F23", "driver killed while it trains", "the same command ends with the same bits; no metric twice"),
    Row("F24", "driver killed while it values", "as F23"),
    Row("F25", "driver killed in a commit", "as F23"),
    Row("F26", "SIGTERM", "the last commit is kept, exit code 143, the same command goes on"),
    Row("F27", "disk full while an epoch is committed", "the commit before is kept; path and cause are said"),
    Row("F28", "disk full while a table is written", "no partial table; path and cause are said"),
    Row("F29", "epoch cut at ten places", "passed over; the run goes on from the commit before, same bits"),
    Row("F30", "bit of an epoch flipped (newest, best, exported)", "named or passed over, never used"),
    Row("F31", "manifest of an epoch gone", "as F29"),
    Row("F32", "Ray's own snapshot cut", "not read: the run goes on"),
    Row("F33", "Parquet or Arrow file cut", "DataError names the file before epoch 0"),
    Row("F34", "bit of a Parquet or Arrow file flipped", "DataError names the file before its rows are used"),
    Row("F35", "MLflow unreachable from the start", "same bits; nothing is lost"),
    Row("F36", "MLflow goes away and comes back", "every epoch arrives once"),
    Row("F37", "MLflow accepts and never answers, or a byte a second", "same bits; the run ends"),
    Row("F38", "store that can only be read", "refused before the first epoch"),
    Row(
        "F39",
        "SIGINT in a sweep, once and twice",
        "exit code 130; ended trials are kept; a second run does the rest",
    ),
    Row("F40", "worker that is slow; clock that steps back", "same bits; no order follows from the clock"),
)

INVARIANTS = (
    Row("I01", "plan", "an epoch trains the samples of its plan, each as often as it says, over all ranks"),
    Row("I02", "valuation table", "one row a sample, the ids of the data set, no NaN but for what is missing"),
    Row("I03", "efficiency", "contributions of a sample sum to v(all) - v(none)"),
    Row("I04", "null player", "a modality that changes no utility contributes 0"),
    Row("I05", "symmetry", "modalities that are interchangeable contribute the same"),
    Row("I06", "linearity", "contributions of a sum of games are the sum of contributions"),
    Row("I07", "order of modalities", "permutes contributions and changes no number"),
    Row("I08", "sampled values", "within 4 standard errors of exact ones; exact with all orders; budget kept"),
    Row("I09", "batch size, split over processes, order of shards", "change no bit of the table"),
    Row("I10", "resume", "weights, optimizer, plan and table equal those of an uninterrupted run"),
    Row("I11", "readers", "no reader ever sees a folder or file that is not whole"),
    Row("I12", "plan", "a function of table, seed and epoch; every sample once and a bounded number of copies"),
    Row("I13", "tracking", "at most one value a run, metric and step; no run is left RUNNING"),
    Row("I14", "what is left", "no process, thread, actor, placement group or temporary folder"),
    Row("I15", "import raymm", "imports neither Ray nor MLflow"),
)

SECURITY = (
    Row("S1", "code", "no pickle, no torch.load without weights_only, no yaml.load, eval or shell=True"),
    Row("S2", "files that carry code (.npy, .pt, .pkl, Parquet, Arrow, YAML)", "nothing in them is run"),
    Row("S3", "cluster", "token, dashboard on 127.0.0.1, a client without token is refused"),
    Row("S4", "twelve names that leave their folder", "each is refused, or stays inside"),
    Row("S5", "dependencies", "each pinned with hashes; a bill of materials; none with a known weakness"),
    Row("S6", "secrets planted in addresses and environment", "in no log, parameter, tag or file"),
    Row("S7", "modes of files", "outbox and temporary files can be read by their owner only"),
    Row("S8", "SECURITY.md", "says whom raymm trusts, and it is so"),
)

RECOVERY = (
    Row("D1", "the same command twice", "the same bits"),
    Row("D2", "other numbers of loader workers and valuation chunks", "the same bits"),
    Row("D3", "killed in an epoch", "that epoch alone is trained again"),
    Row("D4", "command repeated on a run that has ended", "trains and values nothing"),
    Row("D5", "newest epoch damaged", "one epoch is trained again, no more"),
)

PARTS = (
    Part("Faults", 40, FAULTS),
    Part("Invariants", 20, INVARIANTS),
    Part("Bad inputs", 20, tuple(Row(*row) for row in BAD)),
    Part("Security", 15, SECURITY),
    Part("Determinism and cost of recovery", 5, RECOVERY),
)
