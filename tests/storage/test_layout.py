"""The names of files and folders are spelled in two modules, and they are the ones that 0.1.0 wrote."""

import ast
from pathlib import Path

import pytest

import raymm
from raymm.storage import data_layout, layout
from tests.games import settings, small_dataset

PACKAGE = Path(raymm.__file__).parent
LAYOUTS = (layout, data_layout)
NAMES = [name for module in LAYOUTS for name in vars(module).values() if isinstance(name, str)]
FILES = [name for name in NAMES if name.rpartition(".")[2].isalpha()]
FILES = [
    name for name in FILES if "." in name and "/" not in name and " " not in name and not name.startswith("raymm")
]
FOLDERS = {
    "epochs",
    "result",
    "model",
    "plots",
    "outbox",
    "trials",
    "warmups",
    "runs",
    "summary",
    "tune",
    "shards",
    "views",
}
PATTERNS = ("valuation-", "epoch-", "part-", ".parts", "shard-")
OTHER_NAMES = {
    "tracking/mlflow/model.py": {"model"},  # an artifact of MLflow
    "data/indexed/huggingface.py": {"state.json"},  # a file of theirs
    "tracking/metrics.py": {"trials", "runs"},  # metrics
    "reports/metrics_page.py": {"result.json"},  # a page of the documentation
    "reports/valuation_page.py": {"valuation.html"},  # its template
    "cli/report.py": {"report.html"},  # words of an option
}


def spelled_in(source):
    """Names of files and folders that a module spells, with their lines; docstrings may."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if isinstance(parents[node], ast.Expr):
            continue
        for name in FILES:
            if name in node.value:
                yield node.lineno, name
        joined = isinstance(parents[node], ast.BinOp) and isinstance(parents[node].op, ast.Div)
        parts = set(node.value.split("/"))
        if joined or (len(parts) > 1 and " " not in node.value):
            yield from ((node.lineno, name) for name in FOLDERS & parts)
        if node.value.startswith(PATTERNS) or node.value in PATTERNS:
            yield node.lineno, node.value


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_no_other_module_spells_the_name_of_a_file(file):
    if file not in {Path(module.__file__) for module in LAYOUTS}:
        allowed = OTHER_NAMES.get(file.relative_to(PACKAGE).as_posix(), set())
        assert [found for found in spelled_in(file.read_text()) if found[1] not in allowed] == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('path / "run.json"', "run.json"),
        ('f"{path}/sweep.json: damaged"', "sweep.json"),
        ('path / "trials" / name', "trials"),
        ('path.glob("trials/*")', "trials"),
        ('folder / f"valuation-{name}.parquet"', "valuation-"),
        ('out.with_name(out.name + ".parts")', ".parts"),
    ],
)
def test_a_name_that_is_spelled_is_found(source, name):
    assert name in [found for _, found in spelled_in(source)]


@pytest.mark.parametrize("source", ['"""Writes run.json."""', 'click.Choice(["local", "ray"])', 'row["epochs"]'])
def test_other_uses_of_these_words_are_not(source):
    assert list(spelled_in(source)) == []


def test_the_names_are_those_of_the_first_release():
    assert set(FILES) >= {
        "manifest.json", "run.json", "config.yaml", "report.html", "events.jsonl", "model.safetensors",
        "optimizer.safetensors", "plan.safetensors", "state.json", "result.json", "model.json", "sweep.json",
        "sweep.log", "best.json", "trials.csv", "summary.md", "summary.html", "trial.json", "current.json",
        "ended.json", "trial.log", "report.json", "quarantine.csv", "about.json",
    }  # fmt: skip
    out = Path("d")
    assert layout.epoch_folder(out, 7) == out / "epochs" / "epoch-00007"
    assert layout.valuation_file(out, "val") == out / "valuation-val.parquet"
    assert data_layout.shard_file(out, 3) == out / "shards" / "part-00003.arrow"
    assert data_layout.sidecar_file(data_layout.shard_file(out, 3)) == out / "shards" / ".part-00003.json"
    assert data_layout.view_file(data_layout.view_folder(out, "k"), "audio") == out / "views" / "k" / "audio.npy"
    assert layout.valuation_parts_folder(out / "t.parquet") == out / "t.parquet.parts"


def test_a_run_holds_no_file_without_a_name(tmp_path):
    from raymm.training.loop import Backends, train
    from raymm.training.run import create_or_open

    dataset = small_dataset(tmp_path / "data", count=120)
    run = create_or_open(tmp_path / "run", settings(training={"epochs": 2, "batch_size": 32, "threads": 1}), dataset)
    train(run, dataset, Backends())
    known = {*FILES, *(f"valuation-{split}.parquet" for split in ("train", "val", "test"))}
    assert {path.name for path in run.path.rglob("*") if path.is_file()} <= known
    assert (layout.committed_epochs(run.path), layout.valuation_parts(tmp_path)) == ([1, 2], set())
