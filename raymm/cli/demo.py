"""`raymm demo`: the whole story on a small collection, in a minute or two."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raymm.cli.options import FOLDER, workers_option
from raymm.cli.progress import follow
from raymm.errors import DataError
from raymm.storage import layout
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from raymm.cli.demo_clips import Collection
    from raymm.training.result import Result

__all__ = ["demo"]

CLIPS = 400
SEEDS = 3
METHODS = ("joint", "coalition")
"""What starves the pictures, and the remedy: the default of `raymm train`, which the main study supports."""
MARK = "made-by-raymm-demo"
EXPERIMENT = "raymm-demo"
SETTINGS = ("training.epochs=12", "training.batch_size=32", "model.encoder.width=16")
MODALITIES = {"audio": "audio", "rgb": "rgb"}


@click.command(epilog="Example: raymm demo --out demo")
@click.option(
    "--out", type=FOLDER, default="demo", show_default=True, help="Folder to write; an earlier demo is replaced."
)
@workers_option("Ray Train workers.", default=2)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the clips, and is the first of three.")
def demo(out: Path, workers: int, seed: int) -> None:
    """Make clips, prepare them, train without and with a remedy on Ray, value with actors, log to MLflow."""
    with writing(lock_of_folder(out), f"the demo {out}"):
        _make_room(out)
        click.echo(
            f"1/3  writing {CLIPS} clips with sound: a loud pitch tells the class of three in four, faint\n"
            "     stripes that of nearly all; so what each modality should contribute is known"
        )
        _run(out, workers, seed)


def _run(out: Path, workers: int, seed: int) -> None:
    from raymm.cli.demo_clips import write_collection
    from raymm.cli.demo_story import story
    from raymm.cluster.connect import connect
    from raymm.config.cluster import ClusterConfig

    collection = write_collection(out / "media", CLIPS, seed)
    with connect(ClusterConfig(workers=workers)):
        click.echo("2/3  preparing: sound and frames from the files, on Ray")
        _prepare(collection, out / "data")
        click.echo(
            f"3/3  training on {workers} Ray workers, valuing every clip of validation by Ray actors after each\n"
            f"     epoch: {METHODS[0]} training, and its remedy {METHODS[1]}; means over {SEEDS} seeds"
        )
        results = _train(out, workers, seed)
    click.echo(story(results, dict(zip(MODALITIES, _truth(collection, out / "data"), strict=True))))
    _say_where(out, seed)


def _make_room(out: Path) -> None:
    there = [entry for entry in out.iterdir() if entry.name != layout.LOCK]
    if there and not (out / MARK).exists():
        raise DataError(f"{out}: not empty and not made by an earlier demo; choose another --out")
    for entry in there:
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    (out / MARK).touch()


def _prepare(collection: "Collection", data: Path) -> None:
    from raymm.cluster.prepare import run_on_ray
    from raymm.data.manifest import load_manifest
    from raymm.data.prepare import chunks_of, finish
    from raymm.data.schema_inference import build_schema

    manifest = load_manifest(collection.manifest, collection.clips, MODALITIES)
    schema = build_schema(MODALITIES, manifest, collection.clips)
    chunks = chunks_of(manifest.records)
    reports = run_on_ray(chunks, schema, collection.clips.absolute(), data.absolute())
    finish(data, schema, list(follow(reports, len(chunks), "     preparing")), "raise")


def _train(out: Path, workers: int, seed: int) -> "dict[str, list[Result]]":
    """Train all runs with one worker group, which takes an epoch of each in turn; results by method."""
    from raymm.api.stores import Store
    from raymm.api.tracked import train_together_tracked
    from raymm.cli.demo_story import EpochLines
    from raymm.config.loading import load
    from raymm.data.dataset import open_dataset
    from raymm.training.run import create_or_open

    dataset, runs = open_dataset(out / "data"), []
    for method in METHODS:
        for number in range(seed, seed + SEEDS):
            chosen = (f"method.name={method}", f"training.seed={number}", f"cluster.workers={workers}")
            run = out / layout.RUNS / f"{method}-s{number}"
            runs.append(create_or_open(run, load(None, (*SETTINGS, *chosen)), dataset))
    lines = EpochLines(METHODS, tuple(MODALITIES), runs[0].config.training.epochs, click.echo)
    starved = [runs[0].name]
    results = train_together_tracked(runs, dataset, Store.of(out / "mlflow"), EXPERIMENT, lines, starved)
    return {method: results[at * SEEDS : (at + 1) * SEEDS] for at, method in enumerate(METHODS)}


def _truth(collection: "Collection", data: Path) -> "npt.NDArray[np.float64]":
    """Mean true contribution of each modality over the test split."""
    from raymm.cli.demo_clips import true_phi
    from raymm.data.dataset import open_dataset

    dataset = open_dataset(data)
    test = set(dataset.shards.sample_id[dataset.rows("test")].tolist())
    rows = [number for number, name in enumerate(collection.sample_id) if name in test]
    return true_phi(collection.carriers[rows]).mean(axis=0)


def _say_where(out: Path, seed: int) -> None:
    """Write the report of all runs; say where it is, and that of a run that starves, written as it was recorded."""
    import raymm

    runs = [out / layout.RUNS / f"{method}-s{number}" for method in METHODS for number in range(seed, seed + SEEDS)]
    starved, together = runs[0], out / layout.PAGE
    raymm.report(*runs, out=together)
    click.echo(f"{'What starves, sample by sample:':<34}{starved / layout.PAGE}")
    click.echo(f"{'Both methods side by side:':<34}{together}")
    click.echo(f"{'Compare the runs in the browser:':<34}make ui   (or: raymm ui --store {out / 'mlflow'})")
