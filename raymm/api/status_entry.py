"""How far a run, a sweep or a study is, as somebody sees it who looks at its folder."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from raymm.api.progress import clock, pace_of
from raymm.storage.layout import short_path
from raymm.tracking.epoch_text import WIDTH, short_name, short_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raymm.storage.lock_state import LockState
    from raymm.training.live import RunProgress

__all__ = ["Kind", "Status", "StatusList"]

Kind = Literal["run", "sweep", "study"]

ORDER = ("running", "silent", "waiting", "stopped", "failed", "unreadable", "finished")


@dataclass(frozen=True)
class Status:
    """How far a run, sweep or study is.

    Attributes
    ----------
    kind
        "run", "sweep" or "study".
    path
        Its folder.
    state
        "running"; "silent" where its process is there and gives no sign of life; "waiting" for its turn, or for
        workers, in a sweep or study that runs; "stopped" where nobody works on it
        and it is not done; "failed"; "finished"; "unreadable".
    done, of
        Epochs of a run, trials of a sweep, runs of a study; None where that is not known.
    score, selection
        The best value of the validation metric that picks the model, and its name.
    seconds
        What training and valuation have taken so far; of a sweep or study None.
    seen
        When it last gave a sign of life, in seconds since 1970; None where nothing says it.
    lock
        Who writes into the folder; None where nobody says so.
    progress
        What is trained at this moment; None where nothing is.
    cause
        Why it failed or cannot be read.
    """

    kind: Kind
    path: Path
    state: str
    done: int | None = None
    of: int | None = None
    score: float | None = None
    selection: str = ""
    seconds: float | None = None
    seen: float | None = None
    lock: LockState | None = None
    progress: RunProgress | None = None
    cause: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The fields, for programs; `owner` is who holds the lock, or held it last."""
        owner = self.lock.owner if self.lock else None
        return {
            **{name: value for name, value in vars(self).items() if name not in {"lock", "progress"}},
            "path": str(self.path),
            "lock": self.lock.state if self.lock else "none",
            "owner": {"host": owner.host, "pid": owner.pid, "since": owner.since} if owner else None,
            "progress": asdict(self.progress) if self.progress else None,
        }

    def lines(self) -> list[str]:
        """A row of the table, and below it what is trained or what went wrong."""
        of = "?" if self.of is None else self.of
        cells = (
            f"{self.state:<10}",
            f"{self.kind:<5}",
            f"{'-' if self.done is None else f'{self.done}/{of}':>9}",
            f"{'-' if self.score is None else short_number(self.score):>9}",
            f"{'-' if self.seconds is None else clock(self.seconds):>8}",
            f"{'-' if self.seen is None else _age(time.time() - self.seen):>5}",
        )
        row = " ".join(cells)
        lines = [f"{row}  {short_name(short_path(self.path), WIDTH - len(row) - 2)}"]
        return lines + [f"{'':<11}{text}"[:WIDTH] for text in (self._now(), self.cause) if text]

    def _now(self) -> str:
        owner = self.lock.owner if self.lock and self.state in {"running", "silent"} else None
        who = f"process {owner.pid} on {owner.host}" if owner else ""
        state = self.progress
        what = f"epoch {state.epoch}/{state.epochs}  {pace_of(state)}" if state and self.state == "running" else ""
        return "  ".join(filter(None, (what, who)))


class StatusList(list[Status]):
    """Entries, those that run first, then by their last sign of life."""

    def __init__(self, found: Sequence[Status] = ()) -> None:
        super().__init__(sorted(found, key=lambda one: (ORDER.index(one.state), -(one.seen or 0.0), str(one.path))))

    def summary(self, most: int | None = None) -> str:
        """A table of at most `most` entries, in lines of at most 80 columns."""
        if not self:
            return "no run, sweep or study there"
        shown = self[:most]
        heads = f"{'state':<10} {'kind':<5} {'done':>9} {'best':>9} {'time':>8} {'seen':>5}  where"
        lines = [heads, *(line for one in shown for line in one.lines())]
        if len(shown) < len(self):
            left = [one.state for one in self[len(shown) :]]
            lines.append(f"and {', '.join(f'{left.count(state)} {state}' for state in ORDER if state in left)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self.summary())}</pre>"


def _age(seconds: float) -> str:
    """How long ago, in one unit.

    >>> _age(5), _age(200), _age(9000), _age(300000)
    ('5 s', '3 min', '2 h', '3 d')
    """
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
