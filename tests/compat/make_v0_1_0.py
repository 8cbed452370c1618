"""Write tests/compat/v0_1_0: one of everything that raymm 0.1.0 saves, and beside each what is to be read from it.

    OMP_NUM_THREADS=1 PYTHONPATH=RAYMM_0_1_0 python tests/compat/make_v0_1_0.py

RAYMM_0_1_0 is a checkout of commit 9a53a7b. All is made in a temporary folder; one sweep needs a local Ray, so it
takes a minute or two. Keys of runs and sweeps and all times differ from call to call, everything else is the same.
Files that hold absolute paths, none of which is under a checksum, get @ROOT@ in their place. README.md says what
each thing is.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.update(
    RAY_AUTH_TOKEN=secrets.token_hex(32),
    RAY_USAGE_STATS_ENABLED="0",
    TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
)

import numpy as np
from old_version import (
    HERE,
    check_version,
    environment,
    history_of,
    plain,
    settings_of,
    six_data,
    small_data,
    timeless,
    weights_in,
    weights_of_epoch,
    wide_data,
    write,
)
from raymm.model import build_model, fingerprint
from raymm.studies.parameters import canonical, parameters
from raymm.studies.record import LOADER, HistoryLog, run_info
from raymm.studies.sweep_runs import branch_runs, current_paths, open_runs, trial_rows, warmup_of
from raymm.studies.sweep_store import (
    Ended,
    Plan,
    commit_sweep,
    new_sweep,
    open_sweep,
    read_ended,
    read_trials,
    write_ended,
    write_trial,
)
from raymm.training.export import load_model
from raymm.training.state import committed_epochs, load_latest, read_state
from raymm.training.value import value_rows
from safetensors.torch import save_file

import raymm
from raymm.config import flatten
from raymm.data import View, open_dataset
from raymm.storage import verify
from raymm.studies.predictor import load as load_predictor
from raymm.training.loop import Ports, steps
from raymm.training.result import finished, read_result
from raymm.training.run import Start, create_or_open, open_run
from raymm.valuation import read_table, write_table

OUT = HERE / "v0_1_0"
TOKEN = "@ROOT@"

SPACE = '''from ray import tune


def space():
    """Whole sections, and a setting."""
    sample = {"strategy": "sample", "warmup": 1, "fs": {"family": "tanh", "scale": 2.5, "rate": 1.5}}
    modality = {"strategy": "modality", "warmup": 1, "subset": 0.5, "fm": {"family": "power", "exponent": 1.5}}
    reference = {"strategy": "modality_reference", "warmup": 1}
    return {"resampling": tune.grid_search([sample, modality, reference]), "optimizer.lr": 0.02}
'''

CONFIGS = {
    "fs-tanh": (
        "small",
        {"resampling.strategy": "sample", "resampling.fs.family": "tanh", "resampling.fs.rate": 2.5},
    ),
    "fs-power": (
        "small",
        {"resampling.fs.family": "power", "resampling.fs.exponent": 1.5, "resampling.fs.scale": 3.0},
    ),
    "fs-exponential": ("small", {"resampling.fs.family": "exponential", "resampling.fs.rate": 0.5}),
    "fs-logarithmic": ("small", {"resampling.fs.family": "logarithmic", "resampling.fs.rate": 4.0}),
    "fs-step": ("small", {"resampling.fs.family": "step", "resampling.fs.steps": 3, "resampling.row_budget": 1.5}),
    "fs-reference": ("small", {"resampling.fs.family": "reference"}),
    "joint-with-unread": (
        "small",
        {
            "resampling.strategy": "joint",
            "resampling.fs.family": "tanh",
            "resampling.fs.rate": 9.0,
            "resampling.fm.scale": 0.5,
            "resampling.random_rows": 0.25,
            "resampling.subset": 0.75,
        },
    ),
    "modality": (
        "small",
        {
            "resampling.strategy": "modality",
            "resampling.fm.family": "tanh",
            "resampling.fm.rate": 3.0,
            "resampling.fm.scale": 0.9,
            "resampling.subset": 0.4,
            "resampling.every": 2,
        },
    ),
    "modality-reference": (
        "small",
        {
            "resampling.strategy": "modality_reference",
            "resampling.fm.family": "power",
            "resampling.fm.exponent": 0.5,
            "resampling.subset": 1.0,
        },
    ),
    "class": ("small", {"resampling.strategy": "class", "resampling.fm.family": "step", "resampling.fm.steps": 4}),
    "random": ("small", {"resampling.strategy": "random"}),
    "random-rows": ("small", {"resampling.strategy": "random", "resampling.random_rows": 0.5}),
    "fusion-attention": (
        "small",
        {
            "model.fusion": "attention",
            "model.fusion_layers": 3,
            "model.fusion_tokens": 2,
            "model.baseline": "learned",
        },
    ),
    "fusion-mlp": ("small", {"model.fusion": "mlp", "model.fusion_size": 12, "model.baseline": "mean"}),
    "fusion-sum": ("small", {"model.fusion": "sum"}),
    "fusion-gated": ("small", {"model.fusion": "gated", "model.fusion_size": 6}),
    "fusion-film": ("small", {"model.fusion": "film", "model.fusion_size": 10}),
    "encoders": (
        "six",
        {
            "model.encoders.points.name": "mlp",
            "model.encoders.points.width": 5,
            "model.encoders.points.dropout": 0.25,
            "model.encoders.series.name": "cnn1d",
            "model.encoders.series.width": 6,
            "model.encoders.series.norm": "batch",
            "model.encoders.words.name": "text",
            "model.encoders.frames.name": "cnn",
            "model.encoder.dropout": 0.1,
        },
    ),
    "view": (
        "six",
        {
            "view.noise_db.sound": -10.0,
            "view.noise_db.points": 3.0,
            "view.shift": 0.2,
            "view.crop": 0.1,
            "view.flip": True,
        },
    ),
    "not-augmented": ("six", {"view.augment": False, "view.shift": 0.3, "view.flip": True}),
    "optimizer-sgd": (
        "small",
        {
            "optimizer.name": "sgd",
            "optimizer.momentum": 0.5,
            "optimizer.weight_decay": 0.0,
            "optimizer.schedule": "step",
            "optimizer.step_epochs": 2,
            "optimizer.step_factor": 0.5,
            "optimizer.clip_norm": None,
        },
    ),
    "optimizer-adam": (
        "small",
        {"optimizer.name": "adam", "optimizer.schedule": "constant", "optimizer.clip_norm": 0.5},
    ),
    "valuation-sampled": (
        "six",
        {
            "valuation.method": "sampled",
            "valuation.budget": 40,
            "valuation.refine": False,
            "valuation.batch_size": 16,
            "valuation.utility": "logit",
        },
    ),
    "valuation-passes": ("six", {"valuation.budget": "1.5x", "valuation.utility": "log_probability"}),
    "training": (
        "small",
        {
            "training.epochs": 7,
            "training.batch_size": 5,
            "training.seed": 11,
            "training.precision": "bfloat16",
            "training.selection": "macro_f1",
            "training.keep": 3,
            "training.threads": None,
            "resampling.warmup": 0,
        },
    ),
    "cluster": (
        "small",
        {
            "cluster.workers": 4,
            "cluster.cpus_per_worker": 2.0,
            "cluster.gpus_per_worker": 0.5,
            "cluster.actors": 3,
            "cluster.cpus_per_actor": 1.0,
            "cluster.gpus_per_actor": 0.25,
            "cluster.max_failures": 1,
            "cluster.start_timeout": 60.0,
        },
    ),
}
"""Runs of which only run.json is kept: the data set, and what differs from `old_version.SMALL`."""


def saved(root, name):
    """Where the expectations of a thing are written: beside it."""
    return root / f"{name}.expected.json"


def write_datasets(root):
    for name, make in (("small", small_data), ("six", six_data)):
        dataset = make(root / "data" / name)
        write(saved(root, f"data/{name}"), _about_data(dataset))
    _prepare(root)


def _about_data(dataset):
    schema, shards = dataset.schema, dataset.shards
    rows = np.arange(len(dataset))
    values = {}
    for spec in schema.modalities:
        if spec.kind == "text":
            values[spec.name] = shards.read_text(spec.name, rows)
        else:
            values[spec.name] = plain(shards.read(spec.name, rows).reshape(len(rows), -1)[:, :4])
    return {
        "digest": dataset.digest,
        "classes": list(schema.classes),
        "modalities": {spec.name: spec.model_dump(mode="json") for spec in schema.modalities},
        "sample_id": plain(shards.sample_id),
        "split": plain(shards.split),
        "label": plain(dataset.label),
        "present": plain(dataset.present),
        "source": shards.sources(rows),
        "statistics": dataset.statistics,
        "first_four_numbers": values,
    }


def _prepare(root):
    """A data set that `raymm prepare` made of a manifest, one of whose samples it left out."""
    with tempfile.TemporaryDirectory() as folder:
        media = Path(folder)
        generator = np.random.default_rng(4)
        lines = ["sample_id,split,label,points,words"]
        for row in range(13):
            values = generator.normal(size=3).astype(np.float32)
            np.save(media / f"{row}.npy", values if row < 12 else values[:2])
            split = ("train", "train", "val", "test")[row % 4] if row < 12 else "train"
            lines.append(f"clip-{row:02d},{split},{'ab'[row // 4 % 2]},{row}.npy,word {row % 5}")
        (media / "labels.csv").write_text("\n".join(lines) + "\n")
        kinds = (
            "--modalities",
            "points:vector,words:text",
            "--set",
            "words.max_tokens=4",
            "--set",
            "words.buckets=32",
        )
        more = ("--on-bad-sample", "quarantine", "--backend", "local", "--out", str(root / "data" / "prepared"))
        _raymm(media, "prepare", "--manifest", "labels.csv", "--media-root", ".", *kinds, *more)
    write(saved(root, "data/prepared"), _about_data(open_dataset(root / "data" / "prepared", check=True)))


def write_runs(root):
    dataset = open_dataset(root / "data" / "small")
    _finished(root, dataset)
    _unfinished(root, dataset)
    _branch(root, dataset)


def _finished(root, dataset):
    dotted, config = settings_of({"resampling.strategy": "sample", "resampling.fs.family": "tanh"})
    run = create_or_open(root / "runs" / "finished", config, dataset)
    list(steps(run, dataset, Ports()))
    write(saved(root, "runs/finished"), {**_about_run(run, dotted), "end": _end(run)})
    tables = {path.stem: _about_table(path) for path in sorted(run.path.glob("result/*.parquet"))}
    write(saved(root, "runs/finished-tables"), tables)


def _unfinished(root, dataset):
    """Two of four epochs are committed, and what they say waits in the outbox of MLflow's tracker."""
    from raymm.tracking.mlflow import MlflowTracker, store_of

    changes = {"resampling.strategy": "modality", "resampling.fm.scale": 1.5, "training.epochs": 4}
    dotted, config = settings_of(changes)
    run = create_or_open(root / "runs" / "unfinished", config, dataset)
    with tempfile.TemporaryDirectory() as store:
        uri, artifacts = store_of(Path(store))
        tracker = MlflowTracker(uri, run.path, artifacts)
        tracker.start(run_info(run, dataset, "raymm"))
        _train_until(run, dataset, 2, Ports(report=HistoryLog(tracker)))
    _expect_resumed(root, "runs/unfinished", run, dotted)


def _branch(root, dataset):
    """Goes on from epoch 2 of the unfinished run with another strategy; its first commit is there."""
    changes = {"resampling.strategy": "class", "resampling.warmup": 2, "training.epochs": 4}
    dotted, config = settings_of(changes)
    start = Start(root / "runs" / "unfinished", 2)
    run = create_or_open(root / "runs" / "branch", config, dataset, start)
    _train_until(run, dataset, 2)
    _expect_resumed(root, "runs/branch", run, dotted)


def _train_until(run, dataset, epoch, ports=None):
    for state in steps(run, dataset, ports or Ports()):
        if state.epoch >= epoch:
            return


def _expect_resumed(root, name, run, dotted):
    """What a run is, and what came of a copy of it that was trained to its end."""
    write(saved(root, name), {**_about_run(run, dotted), "end": _end(_resumed_copy(run, root / f"{name}.expected"))})


def _resumed_copy(run, weights):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(run.path, Path(folder) / "run"))
        again = open_run(copy)
        list(steps(again, again.dataset(), Ports()))
        kept = Path(shutil.copytree(copy, weights))
    return open_run(kept)


def _about_run(run, dotted):
    """What is read of a run whatever came after; `epochs` holds each committed state."""
    return {
        "environment": environment(),
        "settings": dotted,
        "key": run.key,
        "digest": run.digest,
        "start": run.start and {"run": str(run.start.run), "epoch": run.start.epoch},
        "finished": finished(run.path),
        "committed": committed_epochs(run.path),
        "latest": load_latest(run.path).epoch,
        "epochs": {epoch: _about_state(run, epoch) for epoch in committed_epochs(run.path)},
    }


def _about_state(run, epoch):
    state = read_state(run.path, epoch, check=True)
    return {
        "fingerprint": weights_of_epoch(run, epoch)[1],
        "best_epoch": state.best_epoch,
        "plan": {"index": plain(state.plan.index), "keep": plain(state.plan.keep), "dropped": state.plan.dropped},
        "phi": None if state.phi is None else plain(state.phi),
        "history": history_of(state.history),
    }


def _end(run):
    """What a finished run ended with; of a copy that only served this, no more than the final weights is kept."""
    result, config = read_result(run.path), run.config
    schema = run.dataset().schema
    end = {
        "best_epoch": result.best_epoch,
        "metrics": timeless(result.metrics),
        "history": history_of(result.history),
        "picked": weights_in(run.path / "result" / "model", config, schema)[1],
        "last": weights_of_epoch(run, config.training.epochs)[1],
        "test_table": _about_table(run.path / "result" / "valuation-test.parquet"),
    }
    if run.path.name.endswith(".expected"):
        weights = weights_of_epoch(run, config.training.epochs)[0]
        shutil.rmtree(run.path)
        save_file(weights, run.path.with_name(f"{run.path.name}.safetensors"))
    return end


def write_configs(root):
    """For every setting a run that uses it, as run.json alone, with what 0.1.0 made of it."""
    expected = {}
    for name, (data, changes) in CONFIGS.items():
        dataset = open_dataset(root / "data" / data)
        dotted, config = settings_of(changes)
        run = create_or_open(root / "configs" / name, config, dataset)
        expected[name] = {
            "data": data,
            "settings": dotted,
            "flat": flatten(config),
            "read": sorted(parameters(config)),
            "fingerprint": config.fingerprint(),
            "canonical": canonical(config).fingerprint(),
            "initial_weights": fingerprint(build_model(dataset.schema, config.model, config.training.seed)),
            "key": run.key,
        }
    write(root / "configs.expected.json", {"environment": environment(), "configs": expected})


def write_sweep(root):
    """`raymm sweep` on a local Ray; of its three trials the last is then taken back to its first own epoch."""
    path = root / "sweeps" / "grid"
    (root / "space.py").write_text(SPACE)
    settings = {"training.keep": 1, "training.epochs": 3, "cluster.workers": 1, "cluster.actors": 0}
    dotted, _ = settings_of(settings)
    overrides = [f"{key}={json.dumps(value)}" for key, value in dotted.items()]
    given = ("--data", str(root / "data" / "small"), "--space", "space.py:space", "--out", str(path))
    with tempfile.TemporaryDirectory() as store:
        _raymm(root, "sweep", *given, "--concurrent", "1", "--store", store, *overrides)
    sweep = open_sweep(path)
    ends = {}
    for trial in read_trials(sweep):
        assert read_ended(trial).status == "finished"
        (folder,) = current_paths(sweep, trial)
        ends[trial.name] = _end(open_run(folder))
    last = read_trials(sweep)[-1]
    again = _end(_resumed_copy(_take_back(sweep, last), root / "again.expected"))
    assert again == ends[last.name], "one process and Ray do not end with the same numbers"
    (root / "again.expected.safetensors").unlink()
    _remove_what_serves_a_session(path)
    write(saved(root, "sweeps/grid"), {"settings": dotted, **_about_sweep(sweep), "ends": ends})


def _take_back(sweep, trial):
    """As if the sweep had been stopped after one epoch of this trial beyond the shared warm-up."""
    shutil.rmtree(trial.path / "runs")
    (trial.path / "ended.json").unlink()
    (run,) = open_runs(sweep, trial, sweep.dataset())
    _train_until(run, sweep.dataset(), run.start.epoch + 1)
    return run


def _remove_what_serves_a_session(path):
    """Files of Ray and Tune, logs, plots, and what was told to a tracking store that is gone."""
    for folder in (path, path / "warmups", *path.glob("trials/*")):
        for name in ("ray", "tune", "outbox", "summary", "plots"):
            shutil.rmtree(folder / name, ignore_errors=True)
    for file in [*path.rglob("*.log"), *path.rglob("recorded"), *path.rglob("config.yaml")]:
        file.unlink()
    for folder in path.rglob("plots"):
        shutil.rmtree(folder)


def _about_sweep(sweep):
    trials = {}
    for trial in read_trials(sweep):
        ended = read_ended(trial)
        runs = [open_run(folder) for folder in current_paths(sweep, trial) if (folder / "run.json").exists()]
        trials[trial.name] = {
            "number": trial.number,
            "key": trial.key,
            "sampled": dict(trial.sampled),
            "searched": sorted(trial.searched),
            "flat": flatten(trial.config),
            "read": sorted(parameters(trial.config)),
            "warmup": warmup_of(trial.config).fingerprint(),
            "ended": ended and vars(ended),
            "runs": [_about_run_of_trial(run) for run in runs],
        }
    rows = [{**vars(row), "seconds": None} for row in trial_rows(sweep)]
    about = {"key": sweep.key, "digest": sweep.digest, "plan": sweep.plan.model_dump(mode="json")}
    warmups = {folder.name: committed_epochs(folder) for folder in sorted(sweep.path.glob("warmups/*"))}
    return {"environment": environment(), **about, "trials": trials, "rows": rows, "warmups": warmups}


def _about_run_of_trial(run):
    start = run.start and {"run": str(run.start.run), "epoch": run.start.epoch}
    states = {epoch: weights_of_epoch(run, epoch)[1] for epoch in committed_epochs(run.path)}
    return {"path": str(run.path), "start": start, "finished": finished(run.path), "fingerprints": states}


def write_population(root):
    """A sweep put together by the functions of `sweep_store`: dotted draws, and a trial that went on from another."""
    from raymm.distributed.space import resolve

    dataset = open_dataset(root / "data" / "small")
    dotted, config = settings_of({"training.keep": 1, "training.epochs": 3})
    plan = Plan(space="space.py:space", trials=3, scheduler="pbt", share_warmup=False)
    sweep = new_sweep(root / "sweeps" / "population", plan, config, dataset)
    draws = [
        {"resampling.strategy": "sample", "resampling.fs.family": "power", "resampling.fs.exponent": 1.5},
        {"resampling.strategy": "sample", "resampling.fs.scale": 0.7, "model.fusion": "concat"},
        {"resampling.strategy": "random", "resampling.random_rows": 0.5, "resampling.every": 2},
    ]
    trials = [write_trial(sweep, i, sampled, resolve(config, sampled)) for i, sampled in enumerate(draws)]
    commit_sweep(sweep)
    (first,) = open_runs(sweep, trials[0], dataset)
    _train_until(first, dataset, 2)
    write_ended(trials[0], Ended("stopped", 2))
    moved = resolve(config, {**draws[0], "resampling.fs.exponent": 2.5})
    (second,) = branch_runs(sweep, trials[1], moved, [first.path], 2, dataset)
    _train_until(second, dataset, 2)
    write_ended(trials[2], Ended("failed", 0, "epoch 0, step 0: the loss is nan"))
    current = {trial.name: [str(path) for path in current_paths(sweep, trial)] for trial in trials}
    write(saved(root, "sweeps/population"), {"settings": dotted, **_about_sweep(sweep), "current": current})


def write_model(root):
    """An exported model of all six kinds, the MLflow model that is made of it, and what both answer."""
    from raymm.tracking.mlflow.model import save_served

    dataset = open_dataset(root / "data" / "six")
    changes = {
        "resampling.strategy": "joint",
        "training.epochs": 2,
        "view.noise_db.points": 3.0,
        "model.baseline": "mean",
    }
    dotted, config = settings_of(changes)
    with tempfile.TemporaryDirectory() as folder:
        run = create_or_open(Path(folder) / "run", config, dataset)
        list(steps(run, dataset, Ports()))
        model = Path(shutil.copytree(run.path / "result" / "model", root / "models" / "six"))
    with save_served(model, LOADER) as made:
        served = Path(shutil.copytree(made, root / "models" / "served"))
    columns = _columns(dataset, dataset.rows("test")[:3])
    answer = load_predictor(model).predict(columns)
    assert _served_answer(served, columns) == answer
    exported = load_model(model)
    about = {"environment": environment(), "settings": dotted, "loader": LOADER}
    about |= {"fingerprint": fingerprint(exported.model), "classes": list(exported.schema.classes)}
    write(saved(root, "models/six"), {**about, "columns": columns, "answer": answer})


def _columns(dataset, rows):
    """Three samples as lists; what one lacks is None."""
    columns = {}
    for position, spec in enumerate(dataset.schema.modalities):
        read = dataset.shards.read_text if spec.kind == "text" else dataset.shards.read
        has = dataset.present[rows, position]
        values = [value if isinstance(value, str) else value.tolist() for value in read(spec.name, rows)]
        columns[spec.name] = [value if there else None for value, there in zip(values, has, strict=True)]
    return columns


def _served_answer(served, columns):
    import mlflow.pyfunc
    import pandas as pd

    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    return mlflow.pyfunc.load_model(str(served)).predict(frame).to_dict("list")


def write_tables(root):
    """Valuation tables of each method; `expected` holds all that was computed, also what the file leaves out."""
    (root / "tables").mkdir()
    small, six = open_dataset(root / "data" / "small"), open_dataset(root / "data" / "six")
    trained, wide = root / "runs" / "finished" / "result" / "model", root / "models" / "six"
    rows = small.rows("test")
    whole = rows[small.present[rows].all(axis=1)]
    sampled = {"valuation.method": "sampled", "valuation.budget": 40, "valuation.utility": "probability"}
    jobs = {
        "exact": (trained, small, whole, {}),
        "missing": (trained, small, rows, {"valuation.utility": "margin"}),
        "sampled": (wide, six, six.rows("test"), {**sampled, "valuation.refine": False}),
        "sampled-refined": (wide, six, six.rows("test"), {**sampled, "valuation.utility": "count"}),
    }
    expected = {name: _write_table(root, name, *job) for name, job in jobs.items()}
    expected["closed-form"] = _closed_form(root)
    write(root / "tables.expected.json", {"environment": environment(), **expected})


def _write_table(root, name, folder, dataset, rows, changes):
    exported = load_model(folder)
    dotted = {key: value for key, value in flatten(exported.config).items() if value is not None}
    dotted, config = settings_of({**dotted, **changes})
    table = value_rows(exported.model, View(dataset, config.view, config.training.seed), rows, config)
    write_table(root / "tables" / f"{name}.parquet", table)
    of_values = {"model": str(folder), "data": str(dataset.path), "rows": plain(rows), "changes": changes}
    return {**of_values, **_about_table(root / "tables" / f"{name}.parquet"), "loss": plain(table.loss)}


def _closed_form(root):
    with tempfile.TemporaryDirectory() as folder:
        dataset = wide_data(Path(folder) / "wide")
        _, config = settings_of({"valuation.utility": "logit"})
        model = build_model(dataset.schema, config.model, 0)
        table = value_rows(model, View(dataset, config.view, 0), dataset.rows("test"), config)
    write_table(root / "tables" / "closed-form.parquet", table)
    return {**_about_table(root / "tables" / "closed-form.parquet"), "loss": plain(table.loss)}


def _about_table(path):
    table = read_table(path)
    info = vars(table.info) | {"modalities": list(table.info.modalities)}
    names = ("sample_id", "split", "label", "prediction", "phi", "stderr", "outcomes", "alone")
    return {"info": info, "enumerated": table.enumerated, **{name: plain(getattr(table, name)) for name in names}}


def _raymm(where, *arguments):
    """Run the command line of the version that is on the path."""
    call = "from raymm.cli import main; main()"
    subprocess.run([sys.executable, "-c", call, *arguments], check=True, cwd=where)


def neutralise(root):
    """Put a token where files say where they lay; every one that is under a checksum must be free of it."""
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        content = file.read_bytes()
        if str(root).encode() in content:
            file.write_text(content.decode().replace(str(root), TOKEN))
    of_mlflow = root / "models" / "served" / "MLmodel"
    of_mlflow.write_text(of_mlflow.read_text().replace(str(Path(raymm.__file__).parents[1]), "/raymm-0.1.0"))
    for manifest in root.rglob("manifest.json"):
        verify(manifest.parent)
    (root / "space.py").unlink()


def main():
    check_version()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "v0_1_0"
        write_datasets(root)
        write_runs(root)
        write_configs(root)
        write_model(root)
        write_tables(root)
        write_population(root)
        write_sweep(root)
        neutralise(root)
        shutil.rmtree(OUT, ignore_errors=True)
        shutil.copytree(root, OUT)


if __name__ == "__main__":
    main()
