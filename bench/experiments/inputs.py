"""What an experiment is given: where its data are, where it may work, and how much it should do."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Inputs"]


@dataclass(frozen=True)
class Inputs:
    """The options of the command.

    Attributes
    ----------
    shared
        Folder with `grid_digits/` and the `.npz` files; not read where `quick`.
    work
        Folder of prepared data sets and studies; the same command goes on with what is there.
    seeds
        Of every arm on every data set.
    lanes
        Runs at the same time; 1 trains in this process.
    quick
        Stand-ins of a few samples and epochs for everything, to see whether the command works.
    ucf
        A prepared data set of UCF-101, for the experiment that can use it.
    """

    shared: Path
    work: Path
    seeds: tuple[int, ...] = (0, 1, 2)
    lanes: int = 1
    quick: bool = False
    ucf: Path | None = None
