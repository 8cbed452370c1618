"""How far a run, a sweep or a study is, as somebody sees it who looks at its folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from raymm.api.status_text import status_lines
from raymm.tracking.epoch_text import WIDTH

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


class StatusList(list[Status]):
    """Entries, those that run first, then by their last sign of life."""

    def __init__(self, found: Sequence[Status] = ()) -> None:
        super().__init__(sorted(found, key=lambda one: (ORDER.index(one.state), -(one.seen or 0.0), str(one.path))))

    def summary(self, most: int | None = None, width: int = WIDTH) -> str:
        """At most `most` entries in lines of at most `width` columns: a table where it fits, else sentences."""
        if not self:
            return "no run, sweep or study there"
        shown = self[:most]
        lines = status_lines(shown, width)
        if len(shown) < len(self):
            left = [one.state for one in self[len(shown) :]]
            lines.append(f"and {', '.join(f'{left.count(state)} {state}' for state in ORDER if state in left)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self.summary())}</pre>"
