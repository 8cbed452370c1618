"""The names of files and folders on disk: runs, their epochs and results. Nobody else spells them.

RUN/run.json                     what the run is; written first
RUN/epochs/epoch-00007/          state after 7 epochs
RUN/result/                      the picked model and its test result
"""

from pathlib import Path

from raymm.storage.directory import is_committed

__all__ = ["RUN", "committed_epochs", "epoch_folder", "result_folder"]

RUN = "run.json"


def epoch_folder(run: Path, epoch: int) -> Path:
    """Where the state after `epoch` epochs lies."""
    return run / "epochs" / f"epoch-{epoch:05d}"


def committed_epochs(run: Path) -> list[int]:
    """Numbers of the committed epochs of a run, in order."""
    folders = (run / "epochs").glob("epoch-*")
    return sorted(int(folder.name.removeprefix("epoch-")) for folder in folders if is_committed(folder))


def result_folder(run: Path) -> Path:
    """Where the result of a run lies."""
    return run / "result"
