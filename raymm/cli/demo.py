"""`raymm demo`: the whole story on a small collection, in a minute or two."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from raymm.cli.options import FOLDER, json_option, workers_option
from raymm.cli.progress import printing, show_result
from raymm.counts import counted
from raymm.errors import DataError
from raymm.storage import layout
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from raymm.api.progress import Progress
    from raymm.cli.demo_clips import Collection
    from raymm.training.result import Result

    Results = dict[str, list[Result]]
    """Of the runs of each method, seed by seed."""

__all__ = ["demo"]

CLIPS = 400
SEEDS = 3
METHODS = ("joint", "coalition")
"""What starves the pictures, and the remedy: the default of `raymm train`, which the main study supports."""
MARK = "made-by-raymm-demo"
EXPERIMENT = "raymm-demo"
STORE = "mlflow"
SETTINGS = ("training.epochs=12", "training.batch_size=32", "model.encoder.width=16")
MODALITIES = {"audio": "audio", "rgb": "rgb"}


@click.command(epilog="Example: raymm demo --out demo")
@click.option(
    "--out", type=FOLDER, default="demo", show_default=True, help="Folder to write; an earlier demo is replaced."
)
@workers_option("Ray Train workers.", default=2)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the clips, and is the first of three.")
@json_option("figures", steps=True)
def demo(out: Path, workers: int, seed: int, as_json: bool) -> None:
    """Make clips, prepare them, train without and with a remedy on Ray, value with actors, log to MLflow."""
    with writing(lock_of_folder(out), f"the demo {out}"):
        _make_room(out)
        results, truth, pages = _run(out, workers, seed, as_json)
        if as_json:
            _show_figures(out, results, truth, pages)
        else:
            _show_story(out, results, truth, pages)


def _run(out: Path, workers: int, seed: int, as_json: bool) -> "tuple[Results, dict[str, float], tuple[Path, Path]]":
    """Make the clips, train, and write the pages: results by method, the truth by modality, and the pages."""
    from raymm.api.showing import showing

    with showing(printing(as_json)) as told:
        told.on_line(f"1/3  writing {CLIPS} clips with sound: a loud pitch tells the class of three in four, faint")
        told.on_line("     stripes that of nearly all; so what each modality should contribute is known")
        results, truth = _trained(out, workers, seed, told, as_json)
        return results, truth, _write_pages(out, seed)


def _trained(
    out: Path, workers: int, seed: int, told: "Progress", as_json: bool
) -> "tuple[Results, dict[str, float]]":
    from raymm.cli.demo_clips import write_collection
    from raymm.cluster.connect import connect
    from raymm.config.cluster import ClusterConfig

    collection = write_collection(out / "media", CLIPS, seed)
    with connect(ClusterConfig(workers=workers)):
        told.on_line("2/3  preparing: sound and frames from the files, on Ray")
        _prepare(collection, out / "data", told)
        on = counted(workers, "Ray worker")
        told.on_line(f"3/3  training on {on}, valuing every clip of validation by Ray actors after each")
        told.on_line(f"     epoch: {METHODS[0]} training, and its remedy {METHODS[1]}; means over {SEEDS} seeds")
        results = _train(out, workers, seed, told, as_json)
    truth = _truth(collection, out / "data").tolist()
    return results, dict(zip(MODALITIES, truth, strict=True))


def _show_figures(out: Path, results: "Results", truth: dict[str, float], pages: tuple[Path, Path]) -> None:
    from raymm.cli.demo_story import story_figures

    places = {"demo": out, "page": pages[0], "comparison": pages[1], "store": out / STORE}
    show_result({name: str(path) for name, path in places.items()} | {"figures": story_figures(results, truth)})


def _show_story(out: Path, results: "Results", truth: dict[str, float], pages: tuple[Path, Path]) -> None:
    from raymm.cli.demo_story import story

    click.echo(story(results, truth))
    click.echo(f"{'What starves, sample by sample:':<34}{pages[0]}")
    click.echo(f"{'Both methods side by side:':<34}{pages[1]}")
    click.echo(f"{'Compare the runs in the browser:':<34}make ui   (or: raymm ui --store {out / STORE})")


def _make_room(out: Path) -> None:
    if layout.beside_lock(out) and not (out / MARK).exists():
        raise DataError(f"{out}: not empty and not made by an earlier demo; choose another --out")
    layout.remove_beside_lock(out)
    (out / MARK).touch()


def _prepare(collection: "Collection", data: Path, told: "Progress") -> None:
    from raymm.cluster.prepare import run_on_ray
    from raymm.data.manifest import load_manifest
    from raymm.data.prepare import chunks_of, finish
    from raymm.data.schema_inference import build_schema

    manifest = load_manifest(collection.manifest, collection.clips, MODALITIES)
    schema = build_schema(MODALITIES, manifest, collection.clips)
    chunks = chunks_of(manifest.records)
    reports = run_on_ray(chunks, schema, collection.clips.absolute(), data.absolute())
    finish(data, schema, list(told.follow(reports, len(chunks), "     preparing")), "raise")


def _train(out: Path, workers: int, seed: int, told: "Progress", as_json: bool) -> "Results":
    """Train all runs with one worker group, which takes an epoch of each in turn; results by method."""
    from raymm.api.stores import Store
    from raymm.api.tracked import train_together_tracked
    from raymm.cli.demo_story import EpochEvents, EpochLines
    from raymm.config.loading import load
    from raymm.data.dataset import open_dataset
    from raymm.training.run import create_or_open

    dataset, runs = open_dataset(out / "data"), []
    for method in METHODS:
        for number in range(seed, seed + SEEDS):
            chosen = (f"method.name={method}", f"training.seed={number}", f"cluster.workers={workers}")
            run = out / layout.RUNS / f"{method}-s{number}"
            runs.append(create_or_open(run, load(None, (*SETTINGS, *chosen)), dataset))
    training, starved = runs[0].config.training, [runs[0].name]
    lines = (
        EpochEvents([run.name for run in runs], training.epochs, training.selection, told.on_epoch)
        if as_json
        else EpochLines(METHODS, tuple(MODALITIES), training.epochs, told.on_line)
    )
    results = train_together_tracked(runs, dataset, Store.of(out / STORE), EXPERIMENT, lines, starved)
    return {method: results[at * SEEDS : (at + 1) * SEEDS] for at, method in enumerate(METHODS)}


def _truth(collection: "Collection", data: Path) -> "npt.NDArray[np.float64]":
    """Mean true contribution of each modality over the test split."""
    from raymm.cli.demo_clips import true_phi
    from raymm.data.dataset import open_dataset

    dataset = open_dataset(data)
    test = set(dataset.shards.sample_id[dataset.rows("test")].tolist())
    rows = [number for number, name in enumerate(collection.sample_id) if name in test]
    return true_phi(collection.carriers[rows]).mean(axis=0)


def _write_pages(out: Path, seed: int) -> tuple[Path, Path]:
    """Write the report of all runs: the page of a run that starves, as it was recorded, and that of all."""
    import raymm

    runs = [out / layout.RUNS / f"{method}-s{number}" for method in METHODS for number in range(seed, seed + SEEDS)]
    starved, together = runs[0], out / layout.PAGE
    raymm.report(*runs, out=together)
    return starved / layout.PAGE, together
