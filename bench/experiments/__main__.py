"""Answer a question by measuring, and write its page.

python -m bench.experiments classes --shared ../shared/data --out docs/results/classes

NAME is one of those below. The same command goes on with what lies in --work. OUT/reading.md is taken into the page.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from bench.experiments import (
    all_families,
    classes,
    complexity,
    families,
    modalities,
    resolutions,
    sample_vs_modality,
    sentiment,
    transfer,
)
from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from raymm.errors import RaymmError
from raymm.study.settings import seeds_of

EXPERIMENTS: dict[str, Callable[[Inputs], Page]] = {
    "all_families": all_families.run,
    "classes": classes.run,
    "complexity": complexity.run,
    "families": families.run,
    "modalities": modalities.run,
    "resolutions": resolutions.run,
    "sample_vs_modality": sample_vs_modality.run,
    "sentiment": sentiment.run,
    "transfer": transfer.run,
}


def main(given: Sequence[str] | None = None) -> int:
    """Run one experiment and say where its page is."""
    asked = _parser().parse_args(given)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(asked.shared, asked.work or Path(folder), asked.seeds, asked.lanes, asked.quick, asked.ucf)
        try:
            page = EXPERIMENTS[asked.name](inputs)
        except RaymmError as cause:
            print(cause, file=sys.stderr)
            return 1
        print(page.write(asked.out, _command(asked), inputs))
    return 0


def _command(asked: argparse.Namespace) -> str:
    more = " --ucf UCF" if asked.ucf else ""
    more += " --quick" if asked.quick else ""
    seeds = ",".join(map(str, asked.seeds))
    shared = "--shared ../shared/data --out"
    folder = {"families": "families/matched", "all_families": "families/encodings"}.get(asked.name, asked.name)
    return f"python -m bench.experiments {asked.name} {shared} docs/results/{folder} --seeds {seeds}{more}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.experiments")
    parser.add_argument("name", choices=sorted(EXPERIMENTS))
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"), help="data sets in their first form")
    parser.add_argument("--out", type=Path, required=True, help="folder of the page")
    parser.add_argument("--work", type=Path, help="folder of data and runs, to go on with; default: a temporary one")
    parser.add_argument("--seeds", type=seeds_of, default=(0, 1, 2), help="such as 0-4; default: 0-2")
    parser.add_argument("--lanes", type=int, default=1, help="runs at the same time; default: 1")
    parser.add_argument("--ucf", type=Path, help="UCF-101 as `raymm prepare --source ucf101` wrote it")
    parser.add_argument("--quick", action="store_true", help="stand-ins of a few samples: does the command work?")
    return parser


if __name__ == "__main__":
    sys.exit(main())
