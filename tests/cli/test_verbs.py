"""The command line as its user meets it: help, one-line errors, exit codes, a run from start to end."""

import csv
import json
import re
import subprocess
import sys

import click
import pyarrow.parquet as pq
import pytest

from raymm.cli import VERBS, cli, main
from raymm.valuation import read_table
from tests.cli.calling import call, result_in

SMALL = ["training.epochs=3", "method.warmup=1", "model.feature_size=16", "optimizer.lr=0.005"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(capfd, verb):
    code, out, _ = call(capfd, verb, "--help")
    assert code == 0
    assert f"Example: raymm {verb}" in " ".join(out.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_says_what_it_is(verb):
    options = [made for made in cli.get_command(None, verb).params if isinstance(made, click.Option)]
    assert [made.opts for made in options if not made.help] == []


def test_train_value_and_report(capfd, tmp_path, data):
    run, store, table = tmp_path / "run", tmp_path / "mlflow", tmp_path / "t.parquet"
    train = ["train", "--data", data, "--out", run, "--store", store, "--backend", "local", *SMALL]
    code, out, _ = call(capfd, *train)
    assert code == 0
    assert "epoch   3/3" in out
    assert "test/accuracy" in out
    code, out, _ = call(capfd, *train, "--json")
    again = result_in(out)
    code, out, _ = call(
        capfd, "value", "--data", data, "--checkpoint", run, "--out", table, "--backend", "local", "--json"
    )
    assert code == 0
    assert result_in(out)["accuracy"] == pytest.approx(again["metrics"]["test/accuracy"])
    assert read_table(table).info.utility == "count"
    code, out, _ = call(capfd, "report", run)
    assert code == 0
    page = (run / "report.html").read_text()
    assert page.count("<svg viewBox") >= 3
    assert 'aria-label="Verdict"' in page
    assert (store / "mlflow.db").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--data", "DATA", "--out", "OUT", "training.epoch=3"], "did you mean 'epochs'?"),
        (["train", "--data", "DATA", "--out", "OUT", "--strategy", "sampel"], "did you mean 'sample'?"),
        (["train", "--data", "DATA", "--out", "OUT", "--noise", "m0=loud"], "write it as modality=level in dB"),
        (
            ["train", "--data", "DATA", "--out", "OUT", "--noise", "m0=nan"],
            "--noise 'm0=nan': write it as modality=level",
        ),
        (["train", "--data", "DATA", "--out", "OUT", "--noise", "m0=-infdB"], "write it as modality=level in dB"),
        (["train", "--data", "DATA", "--out", "OUT", "--noise", "m7=-10dB"], "no modality 'm7'"),
        (["train", "--data", "gone", "--out", "OUT"], "gone: there is no such folder"),
        (["value", "--data", "DATA", "--checkpoint", "gone", "--out", "t.parquet"], "gone: no model there"),
        (["report", "gone"], "gone: no run there"),
        (["ui", "--store", "gone"], "no store there yet"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capfd, tmp_path, monkeypatch, data, arguments, words):
    monkeypatch.chdir(tmp_path)
    filled = [{"DATA": data, "OUT": tmp_path / "out"}.get(argument, argument) for argument in arguments]
    local = ["--backend", "local"] if arguments[0] in {"train", "value"} else []
    code, _, err = call(capfd, *filled, *local)
    assert code == 2
    assert words in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_debug_shows_the_trace():
    from raymm.errors import RaymmError

    with pytest.raises(RaymmError):
        main(["--debug", "report", "gone"])


@pytest.mark.parametrize("module", ["raymm", "raymm.cli", "raymm.valuation", "raymm.training.loop"])
def test_the_core_loads_neither_ray_nor_mlflow(module):
    program = f"import sys, {module}; print([m for m in ('ray', 'mlflow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_samples_are_named_by_the_files_of_their_manifest(capfd, tmp_path):
    """Against the manifest as the csv module reads it; served and other rows in memory have no files."""
    rows = [
        {"sample_id": f"{split}-{n:02}", "file": f"clips/{n % 4} of {split}, cut.mp4" if n else "", "split": split}
        | {"label": ("no", "yes")[n % 2], "title": f"t{n}", "body": "yes" if n % 3 else "no"}
        for split in ("train", "val", "test")
        for n in range(12)
    ]
    with (tmp_path / "m.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows[::-1])
    for row in rows:
        (tmp_path / row["file"]).parent.mkdir(exist_ok=True)
        (tmp_path / (row["file"] or "none")).touch()
    prepare = ["prepare", "--manifest", tmp_path / "m.csv", "--media-root", tmp_path, "--backend", "local"]
    code, _, said = call(capfd, *prepare, "--modalities", "title:text,body:text", "--out", tmp_path / "d")
    assert code == 0, said
    value = ["value", "--data", tmp_path / "d", "--model", "tests.games:TextModel", "--out", tmp_path / "t.parquet"]
    pages = ["--html", tmp_path / "v.html", "--report", tmp_path / "r", "--utility", "logit", "--json"]
    code, out, said = call(capfd, *value, *pages, "--backend", "local")
    assert code == 0, said
    with (tmp_path / "m.csv").open(newline="") as file:
        manifest = {row["sample_id"]: row for row in csv.DictReader(file) if row["split"] == "test"}
    files = {sample_id: row["file"] for sample_id, row in manifest.items()}
    assert sorted(set(files.values())) == ["", *(f"clips/{n} of test, cut.mp4" for n in range(4))]
    columns = pq.read_table(tmp_path / "t.parquet").to_pydict()
    assert dict(zip(columns["sample_id"], columns["source"], strict=True)) == files
    lowest = [row for figures in result_in(out)["modalities"].values() for row in figures["lowest"]]
    assert lowest
    assert all(row["source"] == files[row["sample_id"]] for row in lowest)
    assert all(row["label"] == manifest[row["sample_id"]]["label"] for row in lowest)
    shown = json.loads(re.search(r'id="data">(.*?)</script>', (tmp_path / "v.html").read_text(), re.DOTALL)[1])
    assert {row[0]: (row[1], row[2]) for row in shown["rows"]} == {
        sample_id: (row["file"], row["label"]) for sample_id, row in manifest.items()
    }
    report = (tmp_path / "r" / "README.md").read_text()
    assert all(f"| {row['sample_id']} | {row['source']} | {row['label']} |" in report for row in lowest)
