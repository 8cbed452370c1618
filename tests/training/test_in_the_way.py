"""What stands where a run writes is said before an epoch is trained, and damaged texts of a run in words."""

import json
import shutil

import pytest

import raymm
from raymm.errors import CheckpointError, DataError, RaymmError
from raymm.reports import html

SMALL = {"training.epochs": 1, "model.feature_size": 16, "model.encoder.width": 8}


def trained(dataset, out, **arguments):
    return raymm.train(dataset.path, out=out, method="joint", settings=SMALL, progress=None, **arguments)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    return trained(dataset, tmp_path_factory.mktemp("way") / "run").folder


@pytest.mark.parametrize("name", ["epochs", "epochs/epoch-00001", "tables", "plots", "result", "samples"])
@pytest.mark.parametrize("kind", ["file", "loop"])
def test_a_file_in_the_place_of_a_folder_is_named_before_an_epoch(tmp_path, dataset, run, name, kind):
    (tmp_path / "run").mkdir()
    shutil.copy(run / "run.json", tmp_path / "run")
    place = tmp_path / "run" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("x") if kind == "file" else place.symlink_to(place.name)
    with pytest.raises(CheckpointError, match=f"run: {name} is no folder; the run writes one there; move what is in"):
        trained(dataset, tmp_path / "run")


def test_every_folder_in_the_place_of_a_file_is_named_before_an_epoch(tmp_path, dataset, run):
    for name in ("config.yaml", "report.html"):
        (tmp_path / "run" / name).mkdir(parents=True)
    shutil.copy(run / "run.json", tmp_path / "run")
    with pytest.raises(
        CheckpointError, match=r"2 problems\n  - config.yaml is a folder; .*\n  - report.html is a fol"
    ):
        trained(dataset, tmp_path / "run")


@pytest.mark.parametrize("name", ["config.yaml", "report.html"])
def test_a_folder_in_the_place_of_a_file_of_a_report_is_named(tmp_path, run, name):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / name).unlink(missing_ok=True)
    (tmp_path / "run" / name).mkdir()
    with pytest.raises(DataError, match=f"^{tmp_path}/run/{name}: is a folder where a file is needed"):
        raymm.report(tmp_path / "run")
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.endswith(".tmp")]


def test_a_file_in_the_place_of_a_run_is_refused(tmp_path, dataset):
    (tmp_path / "seed-0").write_text("x")
    with pytest.raises(RaymmError, match=r"seed-0.*is a file where|seed-0.*is there already, and is no folder"):
        trained(dataset, tmp_path / "seed-0")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": "x" * 100_000}, "'data' is 'xxx.*: String should have at most 4096 characters"),
        ({"data": "/" + "x" * 300}, "manifest.json: the name is too long for this file system"),
        ({"data": "\ud800"}, r"run.json: cannot be read \(it holds '\\ud800', half of a character, in a text\)"),
        ({"config": {"training": {"selection": "\ud800"}}}, "run.json: cannot be read .it holds '.ud800'"),
    ],
)
def test_texts_of_a_run_that_cannot_be_used_are_said_by_a_report(tmp_path, run, change, words):
    shutil.copytree(run, tmp_path / "run")
    saved = json.loads((run / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**saved, **change}))
    with pytest.raises(RaymmError, match=words):
        raymm.report(tmp_path / "run")


def test_a_page_of_a_folder_whose_name_is_no_text_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(html, "render", lambda _: "run-\udcff")
    html.write_html(tmp_path / "page.html", "run.html")
    assert (tmp_path / "page.html").read_text() == "run-\\udcff"


def test_what_a_training_returned_is_loaded(run, dataset):
    result = trained(dataset, run)
    assert raymm.load(result).folder == run
    assert raymm.load(raymm.load(run)).folder == run
    assert [one.path for one in raymm.status(result)] == [run]


@pytest.mark.parametrize("kind", ["file", "loop"])
def test_a_model_that_is_no_folder_is_named(tmp_path, run, kind):
    shutil.copytree(run, tmp_path / "run")
    model = tmp_path / "run" / "result" / "model"
    shutil.rmtree(model)
    model.write_text("x") if kind == "file" else model.symlink_to("model")
    with pytest.raises(CheckpointError, match="result/model: is no folder, and no model; bring back a good copy"):
        raymm.load(tmp_path / "run")


def test_a_damaged_schema_of_a_model_is_said_in_words(tmp_path, run):
    shutil.copytree(run / "result" / "model", tmp_path / "model")
    (tmp_path / "model" / "manifest.json").unlink()
    about = json.loads((tmp_path / "model" / "model.json").read_text())
    about["schema"]["classes"] = 3
    (tmp_path / "model" / "model.json").write_text(json.dumps(about))
    with pytest.raises(CheckpointError, match=r"cannot be read \(classes: must be a list \(got 3\)\)$"):
        raymm.load(tmp_path / "model")


def test_a_folder_in_the_place_of_a_table_of_values_is_refused_at_once(tmp_path, run, dataset):
    with pytest.raises(RaymmError, match=r"^value: .* is a folder; name a file in it, such as .*values.parquet"):
        raymm.value(run, dataset, out=tmp_path, progress=None)
