"""Write tests/compat/golden: what re-sampling, training and valuation of raymm 0.1.0 gave, number by number.

    OMP_NUM_THREADS=1 PYTHONPATH=RAYMM_0_1_0 python tests/compat/make_goldens.py

RAYMM_0_1_0 is a checkout of commit 9a53a7b. It needs tests/compat/v0_1_0/data/small, which make_v0_1_0.py wrote (or
writes that data set anew), and takes about a minute. README.md says what each file is, and how it is compared.
"""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from old_version import (
    HERE,
    check_version,
    environment,
    history_of,
    settings_of,
    small_data,
    timeless,
    weights_in,
    weights_of_epoch,
    write,
)
from raymm.model import build_model
from raymm.resampling import Situation, function, make_plan
from raymm.training.state import read_state
from raymm.training.value import value_rows
from safetensors.torch import save_file

from raymm.config import FunctionConfig, ResamplingConfig
from raymm.data import View
from raymm.training.loop import Ports, steps
from raymm.training.result import read_result
from raymm.training.run import create_or_open
from raymm.valuation import read_table

GOLDEN = HERE / "golden"
UTILITIES = ("count", "correct", "probability", "log_probability", "logit", "margin")
FUSIONS = ("concat", "sum", "mlp", "gated", "film", "attention")

FUNCTIONS = {
    "linear": {"scale": 1.3},
    "power": {"scale": 1.5, "exponent": 1.7},
    "tanh": {"scale": 2.5, "rate": 0.8},
    "exponential": {"scale": 0.9, "rate": 0.7},
    "logarithmic": {"scale": 2.2, "rate": 1.4},
    "step": {"scale": 2.0, "steps": 3},
    "reference": {},
}


def plan_settings():
    """`{name: (settings under resampling., utility, which phi)}`."""
    cases = {
        "joint": ({"strategy": "joint"}, "count", "phi_all"),
        "sample": ({"strategy": "sample"}, "count", "phi_all"),
    }
    for family, given in FUNCTIONS.items():
        fs = {"fs.family": family, **{f"fs.{name}": value for name, value in given.items()}}
        fm = {name.replace("fs.", "fm."): value for name, value in fs.items()}
        cases[f"sample-{family}"] = ({"strategy": "sample", **fs}, "count", "phi_all")
        if family != "reference":
            cases[f"modality-{family}"] = ({"strategy": "modality", **fm}, "count", "phi_subset")
    cases["random"] = ({"strategy": "random"}, "count", "phi_all")
    cases["random-tanh"] = ({"strategy": "random", "fs.family": "tanh", "fs.rate": 2.0}, "count", "phi_all")
    cases["random-rows"] = ({"strategy": "random", "random_rows": 0.7}, "count", "phi_all")
    for utility in ("count", "correct", "probability", "logit", "margin"):
        for strategy in ("modality", "class"):
            cases[f"{strategy}-of-{utility}"] = ({"strategy": strategy, "fm.scale": 1.6}, utility, "phi_subset")
        cases[f"modality_reference-of-{utility}"] = ({"strategy": "modality_reference"}, utility, "phi_subset")
    cases["class-tanh"] = ({"strategy": "class", "fm.family": "tanh", "fm.rate": 3.0}, "count", "phi_subset")
    cases["modality_reference-power"] = (
        {"strategy": "modality_reference", "fm.family": "power", "fm.exponent": 0.5, "fm.scale": 1.4},
        "count",
        "phi_subset",
    )
    return cases


def situation_arrays(n, rows=40):
    """Contributions with missing modalities and, in `phi_subset`, with samples that were not valued."""
    generator = np.random.default_rng(100 + n)
    present = generator.random((rows, n)) < 0.85
    present[~present.any(axis=1), 0] = True
    phi = generator.uniform(-0.8, 2.2, (rows, n))
    phi -= np.linspace(0.4, -0.4, n)  # so that modalities have gaps
    phi[:12] = np.round(phi[:12] * 10) / 10
    phi[0, 0], phi[1, -1], phi[2, 0] = 1.0, 0.4, -0.1  # edges of families
    present[[0, 1, 2], [0, -1, 0]] = True
    phi[~present] = np.nan
    label = generator.integers(4, size=rows)
    subset = np.where((generator.random(rows) < 0.4)[:, None], phi, np.nan)
    subset[label == 3] = np.nan  # nothing is known of one class
    numbers = np.sort(generator.permutation(200)[:rows])
    return {"rows": numbers, "label": label, "present": present, "phi_all": phi, "phi_subset": subset}


def resampling(given):
    nested = {}
    for key, value in given.items():
        section, dot, leaf = key.partition(".")
        (nested.setdefault(section, {}) if dot else nested)[leaf if dot else section] = value
    return ResamplingConfig.model_validate(nested)


def write_plans():
    arrays, cases, index, keep, at = {}, [], [], [], 0
    for n in (2, 3, 5):
        of_n = situation_arrays(n)
        arrays |= {f"n{n}.{name}": array for name, array in of_n.items()}
        for name, (given, utility, which) in plan_settings().items():
            for seed in (0, 1, 12345):
                for budget in (None, 0.25):
                    config = resampling({**given, "row_budget": budget})
                    parts = (of_n["rows"], of_n["label"], of_n["present"], of_n[which])
                    plan = make_plan(Situation(*parts, config=config, utility=utility, seed=seed))
                    assert plan.index.dtype == plan.keep.dtype == np.int64
                    about = {"settings": name, "n": n, "seed": seed, "resampling.row_budget": budget}
                    cases.append({**about, "rows": [at, at + len(plan)], "dropped": plan.dropped})
                    index.append(plan.index)
                    keep.append(plan.keep)
                    at += len(plan)
    x = np.linspace(0, 2, 41)
    for family, given in FUNCTIONS.items():
        arrays[f"function.{family}"] = function(FunctionConfig(family=family, **given))(x)
    arrays |= {"index": np.concatenate(index), "keep": np.concatenate(keep), "function.x": x}
    np.savez_compressed(GOLDEN / "plans.npz", **arrays)
    settings = {
        name: {"phi": which, "utility": utility, **{f"resampling.{key}": value for key, value in given.items()}}
        for name, (given, utility, which) in plan_settings().items()
    }
    functions = {family: {"family": family, **given} for family, given in FUNCTIONS.items()}
    about = {"environment": environment(), "functions": functions, "settings": settings}
    write(GOLDEN / "plans.json", {**about, "cases": cases})


def training_settings():
    cases = {name: {"resampling.strategy": name} for name in ("joint", "sample", "modality", "class", "random")}
    cases["modality_reference"] = {"resampling.strategy": "modality_reference", "resampling.subset": 0.5}
    cases["sample-tanh-budget"] = {
        "resampling.strategy": "sample",
        "resampling.fs.family": "tanh",
        "resampling.fs.rate": 2.0,
        "resampling.row_budget": 0.5,
        "valuation.utility": "probability",
    }
    cases["sample-every-two"] = {
        "resampling.strategy": "sample",
        "resampling.every": 2,
        "training.epochs": 4,
        "training.seed": 7,
        "training.selection": "loss",
    }
    cases["random-rows"] = {"resampling.strategy": "random", "resampling.random_rows": 0.5}
    cases["class-logit"] = {
        "resampling.strategy": "class",
        "resampling.subset": 1.0,
        "resampling.fm.scale": 1.5,
        "valuation.utility": "logit",
    }
    two = {"resampling.strategy": "joint", "training.epochs": 2}
    for name in FUSIONS:
        cases[f"fusion-{name}"] = {**two, "model.fusion": name}
    for name in ("mean", "learned"):
        cases[f"baseline-{name}"] = {**two, "model.baseline": name}
    cases["gated-baseline-mean"] = {**two, "model.fusion": "gated", "model.baseline": "mean"}
    cases["optimizer-sgd"] = {
        **two,
        "optimizer.name": "sgd",
        "optimizer.momentum": 0.8,
        "optimizer.schedule": "constant",
    }
    cases["optimizer-adam"] = {
        **two,
        "optimizer.name": "adam",
        "optimizer.schedule": "step",
        "optimizer.step_epochs": 1,
        "optimizer.clip_norm": None,
    }
    cases["dropout-batch-norm-noise"] = {
        **two,
        "model.encoder.dropout": 0.2,
        "model.encoder.norm": "batch",
        "model.encoders.series.width": 6,
        "view.noise_db.points": -3.0,
        "view.augment": False,
    }
    return cases


def train_case(folder, dataset, changes):
    """Train, and return what is known of it: a dictionary for JSON, arrays of each epoch, final weights."""
    dotted, config = settings_of({**changes, "training.keep": 99})
    run = create_or_open(folder, config, dataset)
    list(steps(run, dataset, Ports()))
    result, arrays, epochs = read_result(run.path), {}, []
    for epoch in range(1, config.training.epochs + 1):
        state = read_state(run.path, epoch)
        arrays |= {f"{epoch}.index": state.plan.index, f"{epoch}.keep": state.plan.keep}
        if state.phi is not None:
            arrays[f"{epoch}.phi"] = state.phi
        mark = weights_of_epoch(run, epoch)[1]
        epochs.append({"epoch": epoch, "dropped": state.plan.dropped, "fingerprint": mark})
    table = read_table(run.path / "result" / "valuation-test.parquet")
    arrays |= {"test.phi": table.phi, "test.prediction": table.prediction, "test.outcomes": table.outcomes}
    about = {
        "settings": dotted,
        "initial": _initial(dataset, config),
        "epochs": epochs,
        "history": history_of(result.history),
        "best_epoch": result.best_epoch,
        "metrics": timeless(result.metrics),
        "picked": weights_in(run.path / "result" / "model", config, dataset.schema)[1],
    }
    return about, arrays, weights_of_epoch(run, config.training.epochs)[0]


def _initial(dataset, config):
    from raymm.model import fingerprint

    return fingerprint(build_model(dataset.schema, config.model, config.training.seed))


def write_trainings(dataset):
    cases, arrays, weights = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, changes in training_settings().items():
            cases[name], of_case, final = train_case(Path(folder) / name, dataset, changes)
            arrays |= {f"{name}.{key}": array for key, array in of_case.items()}
            weights |= {f"{name}/{key}": tensor for key, tensor in final.items()}
    save_file(weights, GOLDEN / "training-weights.safetensors")
    np.savez_compressed(GOLDEN / "training.npz", **arrays)
    about = {"environment": environment(), "data": "v0_1_0/data/small", "digest": dataset.digest}
    write(GOLDEN / "training.json", {**about, "cases": cases})
    return cases, weights


def write_valuations(dataset, cases, weights):
    """Every fusion with the weights that its training gave, under every utility, over validation and test."""
    arrays, about = {}, {}
    rows = np.concatenate([dataset.rows("val"), dataset.rows("test")])
    for name in (*(f"fusion-{fusion}" for fusion in FUSIONS), "baseline-learned", "gated-baseline-mean"):
        for utility in UTILITIES:
            changes = {**cases[name]["settings"], "valuation.utility": utility}
            dotted, config = settings_of(changes)
            model = build_model(dataset.schema, config.model, config.training.seed)
            own = {key.partition("/")[2]: value for key, value in weights.items() if key.startswith(f"{name}/")}
            model.load_state_dict(own)
            table = value_rows(model, View(dataset, config.view, config.training.seed), rows, config)
            for field in ("phi", "outcomes", "prediction", "loss", "alone"):
                arrays[f"{name}.{utility}.{field}"] = getattr(table, field)
            info = {"method": table.info.method, "masking": table.info.masking, "fingerprint": table.info.fingerprint}
            about[f"{name}.{utility}"] = {"weights": name, "settings": dotted, "table": info}
    arrays["rows"] = rows
    np.savez_compressed(GOLDEN / "valuation.npz", **arrays)
    write(GOLDEN / "valuation.json", {"environment": environment(), "cases": about})


def main():
    check_version()
    GOLDEN.mkdir(exist_ok=True)
    write_plans()
    dataset = small_data(HERE / "v0_1_0" / "data" / "small")
    write_valuations(dataset, *write_trainings(dataset))
    assert torch.get_num_threads() == 1


if __name__ == "__main__":
    main()
