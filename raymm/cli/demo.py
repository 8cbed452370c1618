"""`raymm demo`: the whole story on a small collection, in a few minutes."""

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

CLIPS = 300
MARK = "made-by-raymm-demo"
SETTINGS = ("training.epochs=10", "method.warmup=3", "training.batch_size=32", "model.encoder.width=16")
MODALITIES = {"audio": "audio", "rgb": "rgb"}


@click.command(epilog="Example: raymm demo --out demo")
@click.option(
    "--out", type=FOLDER, default="demo", show_default=True, help="Folder to write; an earlier demo is replaced."
)
@workers_option("Ray Train workers.", default=2)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the clips and the training.")
def demo(out: Path, workers: int, seed: int) -> None:
    """Make clips, prepare them, train `joint` and `sample` on Ray, value with actors, log to MLflow."""
    from raymm.cli.demo_clips import write_collection
    from raymm.cluster.connect import connect
    from raymm.config.sections import ClusterConfig

    with writing(lock_of_folder(out), f"the demo {out}"):
        _make_room(out)
        click.echo(f"1/4  writing {CLIPS} clips with sound; pitch and colour tell the class, not always both")
        collection = write_collection(out / "media", CLIPS, seed)
        with connect(ClusterConfig(workers=workers)):
            click.echo("2/4  preparing: sound and frames from the files, on Ray")
            _prepare(collection, out / "data")
            results = {}
            for number, method in enumerate(("joint", "sample"), start=3):
                click.echo(f"{number}/4  training {method} on {workers} Ray workers, valued by Ray actors")
                results[method] = _train(out, method, workers, seed)
    _show(out, results, _truth(collection, out / "data"))


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


def _train(out: Path, method: str, workers: int, seed: int) -> "Result":
    from raymm.cli.tracked import train_tracked
    from raymm.config.loading import load
    from raymm.data.dataset import open_dataset
    from raymm.training.run import create_or_open

    chosen = (f"method.name={method}", f"training.seed={seed}", f"cluster.workers={workers}")
    config = load(None, (*SETTINGS, *chosen))
    dataset = open_dataset(out / "data")
    run = create_or_open(out / layout.RUNS / method, config, dataset)
    return train_tracked(run, dataset, "ray", out / "mlflow", "raymm-demo")


def _truth(collection: "Collection", data: Path) -> "npt.NDArray[np.float64]":
    """Mean true contribution of each modality over the test split."""
    from raymm.cli.demo_clips import true_phi
    from raymm.data.dataset import open_dataset

    dataset = open_dataset(data)
    test = set(dataset.shards.sample_id[dataset.rows("test")].tolist())
    rows = [number for number, name in enumerate(collection.sample_id) if name in test]
    return true_phi(collection.carriers[rows]).mean(axis=0)


def _show(out: Path, results: "dict[str, Result]", truth: "npt.NDArray[np.float64]") -> None:
    from raymm.tracking.metrics import ROWS_TOTAL, epoch_seconds, phi_metric, split_metric

    click.echo("\nOn the test split (read once, with the epoch that validation picked):\n")
    names = list(MODALITIES)
    heads = ["accuracy", *(f"{name} alone" for name in names), *(f"phi {name}" for name in names), "rows", "seconds"]
    click.echo(f"{'':<8}" + "".join(f"{head:>12}" for head in heads))
    for method, result in results.items():
        metrics, last = result.metrics, result.history[-1]["metrics"]
        figures = [metrics[split_metric("test", "accuracy", name)] for name in (None, *names)]
        figures += [metrics[phi_metric("test", name)] for name in names]
        seconds = sum(epoch_seconds(entry["metrics"]) for entry in result.history)
        line = "".join(f"{figure:>12.3f}" for figure in figures)
        click.echo(f"{method:<8}{line}{last[ROWS_TOTAL]:>12.0f}{seconds:>12.1f}")
    ideal = "".join(f"{figure:>12.3f}" for figure in truth)
    click.echo(f"{'truth':<8}{'':>{12 * (1 + len(names))}}{ideal}")
    click.echo(
        "\n'truth': mean contributions for an ideal observer, known because the clips were made.\n"
        "One seed and 60 test clips: a demonstration, no evidence for either method.\n\n"
        f"Compare the runs in the browser:   make ui   (or: raymm ui --store {out / 'mlflow'})\n"
        f"One run on a page:                 raymm report {out / layout.RUNS / 'sample'}"
    )
