"""`raymm demo`: the whole story on a small collection, in a few minutes."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raymm.cli.options import FOLDER, workers_option
from raymm.cli.progress import follow, printing
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
MARK = "made-by-raymm-demo"
SETTINGS = ("training.epochs=15", "training.batch_size=32", "model.encoder.width=16")
MODALITIES = {"audio": "audio", "rgb": "rgb"}


@click.command(epilog="Example: raymm demo --out demo")
@click.option(
    "--out", type=FOLDER, default="demo", show_default=True, help="Folder to write; an earlier demo is replaced."
)
@workers_option("Ray Train workers.", default=2)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the clips, and is the first of three.")
def demo(out: Path, workers: int, seed: int) -> None:
    """Make clips, prepare them, train without and with a remedy on Ray, value with actors, log to MLflow."""
    from raymm.cli.demo_clips import write_collection
    from raymm.cluster.connect import connect
    from raymm.config.cluster import ClusterConfig

    with writing(lock_of_folder(out), f"the demo {out}"):
        _make_room(out)
        click.echo(f"1/4  writing {CLIPS} clips: a loud pitch tells the class of most, faint stripes of nearly all")
        collection = write_collection(out / "media", CLIPS, seed)
        with connect(ClusterConfig(workers=workers)):
            click.echo("2/4  preparing: sound and frames from the files, on Ray")
            _prepare(collection, out / "data")
            results = {}
            for number, method in enumerate(METHODS, start=3):
                click.echo(
                    f"{number}/4  training {method}, {SEEDS} seeds, on {workers} Ray workers, valued by Ray actors"
                )
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


def _train(out: Path, method: str, workers: int, seed: int) -> "list[Result]":
    from raymm.api.stores import Store
    from raymm.api.tracked import train_seeds_tracked
    from raymm.config.loading import load
    from raymm.data.dataset import open_dataset
    from raymm.training.run import create_or_open

    dataset, runs = open_dataset(out / "data"), []
    for number in range(seed, seed + SEEDS):
        chosen = (f"method.name={method}", f"training.seed={number}", f"cluster.workers={workers}")
        run = out / layout.RUNS / f"{method}-s{number}"
        runs.append(create_or_open(run, load(None, (*SETTINGS, *chosen)), dataset))
    return train_seeds_tracked(runs, dataset, Store.of(out / "mlflow"), "raymm-demo", printing())


def _truth(collection: "Collection", data: Path) -> "npt.NDArray[np.float64]":
    """Mean true contribution of each modality over the test split."""
    from raymm.cli.demo_clips import true_phi
    from raymm.data.dataset import open_dataset

    dataset = open_dataset(data)
    test = set(dataset.shards.sample_id[dataset.rows("test")].tolist())
    rows = [number for number, name in enumerate(collection.sample_id) if name in test]
    return true_phi(collection.carriers[rows]).mean(axis=0)


def _show(out: Path, results: "dict[str, list[Result]]", truth: "npt.NDArray[np.float64]") -> None:
    columns = {method: _figures(of_seeds) for method, of_seeds in results.items()}
    ideal = {f"phi {name}": f"{value:.3f}" for name, value in zip(MODALITIES, truth, strict=True)}
    click.echo(f"\nOn the test split, read once by each run; means over {SEEDS} seeds, ± one standard deviation:\n")
    click.echo(f"{'':<16}" + "".join(f"{head:<18}" for head in (*columns, "truth")).rstrip())
    for line in next(iter(columns.values())):
        cells = (*(column[line] for column in columns.values()), ideal.get(line, ""))
        click.echo(f"{line:<16}" + "".join(f"{cell:<18}" for cell in cells).rstrip())
    click.echo(
        "\n'truth': mean contributions for an ideal observer, known because the clips were\n"
        "made. In joint training the pictures contribute less than they could, since the\n"
        "sound is learned first. Losses of all coalitions, from features that are encoded\n"
        "once, train the pictures as well. A demonstration on one collection, no study.\n\n"
        f"Compare the runs in the browser:   make ui   (or: raymm ui --store {out / 'mlflow'})\n"
        f"One run on a page:                 raymm report {out / layout.RUNS / METHODS[-1]}-s0"
    )


def _figures(results: "list[Result]") -> dict[str, str]:
    """Accuracy of all modalities and of each alone, and contributions, over seeds; rows and seconds of a run."""
    import numpy as np

    from raymm.tracking.metrics import ROWS_TOTAL, phi_metric, split_metric
    from raymm.tracking.of_an_epoch import epoch_seconds

    measured = {"accuracy": split_metric("test", "accuracy")}
    measured |= {f"{name} alone": split_metric("test", "accuracy", name) for name in MODALITIES}
    measured |= {f"phi {name}": phi_metric("test", name) for name in MODALITIES}
    found = {line: np.array([result.metrics[name] for result in results]) for line, name in measured.items()}
    rows = np.mean([result.history[-1]["metrics"][ROWS_TOTAL] for result in results])
    seconds = np.mean([sum(epoch_seconds(entry["metrics"]) for entry in result.history) for result in results])
    spread = {line: f"{values.mean():.3f} ± {values.std():.3f}" for line, values in found.items()}
    return {**spread, "rows a run": f"{rows:,.0f}", "seconds a run": f"{seconds:.1f}"}
