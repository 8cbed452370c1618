"""What `raymm.check` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raymm.api.shown import Shown
from raymm.api.texts import size_text, time_text
from raymm.counts import counted

if TYPE_CHECKING:
    from raymm.training.rehearsal import Rehearsal

__all__ = ["Checked"]


class Checked(Shown):
    """What would stop a run, and what it would take.

    Attributes
    ----------
    problems
        Everything that would stop it; empty where nothing would.
    rehearsal
        What the first batches tell, see `raymm.training.rehearsal.Rehearsal`; None where there are problems.
    free
        Free bytes of the disk that the run would be written to.
    """

    def __init__(self, problems: tuple[str, ...], rehearsal: Rehearsal | None, free: int) -> None:
        self.problems = problems
        self.rehearsal = rehearsal
        self.free = free

    @property
    def ok(self) -> bool:
        """Whether nothing was found that would stop the run."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        found = None if self.rehearsal is None else self.rehearsal.to_dict()
        return {"ok": self.ok, "problems": list(self.problems), "free": self.free, "rehearsal": found}

    def summary(self) -> str:
        """Everything, for people."""
        count = len(self.problems)
        lines = [counted(count, "problem")] if count else ["nothing was found that would stop the run"]
        lines += [f"  - {problem}" for problem in self.problems]
        return "\n".join([*lines, *([] if self.rehearsal is None else self._taken(self.rehearsal))])

    def _taken(self, found: Rehearsal) -> list[str]:
        rows = ", ".join(f"{count} {split}" for split, count in found.rows.items())
        epoch = f"about {time_text(found.epoch_seconds)}, and {time_text(found.validation_seconds)} for validation"
        whole = f"about {time_text(found.seconds)} in one process, rows that the method adds not counted"
        valued = f"{found.valuations} times the training split, about {time_text(found.valuation_seconds)} each"
        return [
            f"  samples  {rows}",
            f"  model    {found.parameters:,} trained parameters, on {found.device}",
            f"  batch    {1000 * found.batch_seconds:.1f} ms, by {counted(found.tried, 'trained batch')}",
            f"  epoch    {counted(found.batches, 'batch')}, {epoch}",
            f"  valuing  {valued}" if found.valuations else "  valuing  no pass over the training split",
            f"  in all   {counted(found.epochs, 'epoch')}, {whole}",
            f"  memory   {found.memory:.0f} MiB at the most",
            f"  disk     about {size_text(found.bytes)}; {size_text(self.free)} are free",
        ]

    def __repr__(self) -> str:
        return f"Checked({counted(len(self.problems), 'problem')})" if self.problems else "Checked(ok)"
