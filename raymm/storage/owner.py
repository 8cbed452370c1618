"""Whose a committed folder of a run is: its manifest has the key of the run.json beside which it was written.

Those of epochs of version 0.1.0 have none: such an epoch is taken for one of the run that it lies in.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from raymm.errors import CheckpointError
from raymm.storage import layout
from raymm.storage.directory import read_manifest, verify
from raymm.storage.records import JsonRecord

__all__ = ["SavedKey", "check_own", "refuse_other", "signed", "verify_own"]


class SavedKey(JsonRecord):
    """What identifies a run or sweep, in its run.json or sweep.json."""

    error = CheckpointError

    key: str


def signed(run: Path) -> dict[str, str]:
    """What the manifest of a folder of a run says of whose it is; nothing where there is no run.json."""
    file = run / layout.RUN
    return {"key": SavedKey.read(file).key} if file.exists() else {}


def check_own(run: Path, folder: Path) -> None:
    """Refuse a committed folder in a run that another run wrote; its other files are not read.

    Raises
    ------
    CheckpointError
        Where it is of another run, or its manifest cannot be read.
    """
    refuse_other(run, folder, read_manifest(folder, CheckpointError), signed(run).get("key"))


def verify_own(
    run: Path, folder: Path, names: Iterable[str] | None = None, required: Iterable[str] = ()
) -> dict[str, Any]:
    """`verify` a committed folder of a run, and that it is of this run; returns the manifest.

    Raises
    ------
    CheckpointError
        As `verify`, and where another run wrote the folder.
    """
    manifest = verify(folder, CheckpointError, names, required)
    refuse_other(run, folder, manifest, signed(run).get("key"))
    return manifest


def refuse_other(run: Path, folder: Path, manifest: Mapping[str, Any], own: object) -> None:
    """Raise `CheckpointError` where the manifest of a folder in a run has another key than its `own`, naming both."""
    key = manifest.get("key")
    if own is not None and key is not None and key != own:
        raise CheckpointError(
            f"{folder}: is of another run (key {key}) than {run / layout.RUN} ({own}); bring back the folder of this "
            f"run, or that {layout.RUN} where it is the one that lies wrong"
        )
