"""A kind of another package: prepared, opened and trained on by its full name, or by the name it is registered by."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from raymm.cli.prepare import prepare as verb
from raymm.config import load
from raymm.config.registries import KINDS
from raymm.data import BatchReader, ImageSpec, Schema, TextSpec, VectorSpec, open_dataset
from raymm.data.schema_inference import parse_kinds
from raymm.errors import ConfigError, DataError
from raymm.models.export import load_model
from raymm.storage.directory import commit_directory
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.data.clips import SPLITS, manifest, prepare
from tests.data.kinds.depth import Depth

FULL = "tests.data.kinds.depth:Depth"


@pytest.fixture
def rows(tmp_path):
    made = []
    for number, split in enumerate(split for split in SPLITS for _ in range(8)):
        name = f"d{number}.txt"
        np.savetxt(tmp_path / name, np.full((8, 8), number % 2) + np.eye(8) * number)
        made.append({"file": name, "label": "ab"[number % 2], "split": split})
    return made


@pytest.fixture
def registered():
    KINDS.names()
    KINDS.register("depth", Depth)
    yield
    del KINDS._parts["depth"]


def test_a_kind_by_its_full_name_is_prepared_trained_on_and_served(tmp_path, rows):
    prepare(manifest(tmp_path, rows), tmp_path, f"near={FULL}", tmp_path / "out")
    dataset = open_dataset(tmp_path / "out", check=True)
    assert dataset.schema["near"] == Depth(name="near", kind=FULL)
    assert dataset.shards.read("near", np.array([3]))[0, 0, 1].tolist() == [1, 4, 1, 1, 1, 1, 1, 1]
    config = load(None, ("training.epochs=1", "resampling.strategy=joint", "model.encoder.width=4"))
    assert BatchReader(dataset, config.view).batch(np.arange(2)).inputs["near"].shape == (2, 1, 8, 8)
    train(create_or_open(tmp_path / "run", config, dataset), dataset, Backends())
    assert load_model(tmp_path / "run" / "result" / "model").schema == dataset.schema


def test_the_file_of_a_media_kind_may_have_any_name(tmp_path, rows):
    for row in rows:
        (tmp_path / row["file"]).rename(tmp_path / (name := f"take#{row['file']}"))
        row["file"] = name
    wanted = manifest(tmp_path, rows), tmp_path, f"near={FULL}", tmp_path / "out"
    assert [report.reused for report in prepare(*wanted)] == [False]
    assert [report.reused for report in prepare(*wanted)] == [True]
    np.savetxt(tmp_path / rows[0]["file"], np.zeros((8, 8)))
    assert [report.reused for report in prepare(*wanted)] == [False]


def test_a_cell_names_a_file_by_what_the_kind_says_of_itself():
    files = [kind.file_of("a#b") for kind in (Depth, ImageSpec, VectorSpec, TextSpec)]
    assert files == ["a#b", "a#b", "a", ""]
    assert Depth.file_of([1.0]) == Depth.file_of(None) == ""


def test_another_process_opens_it_by_its_full_name_alone(tmp_path, rows):
    prepare(manifest(tmp_path, rows), tmp_path, f"near={FULL}", tmp_path / "out")
    code = f"import raymm.data; print(raymm.data.open_dataset({str(tmp_path / 'out')!r}).schema['near'].shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 8, 8)"


def test_the_verb_takes_it(tmp_path, rows):
    options = ["--manifest", manifest(tmp_path, rows), "--media-root", tmp_path, "--out", tmp_path / "out"]
    more = ["--modalities", f"near={FULL}", "--set", "near.size=8", "--backend", "local"]
    done = CliRunner().invoke(verb, [*map(str, options), *more])
    assert "24 samples, 2 classes: near [1, 8, 8]" in done.output


def test_a_registered_kind_has_a_short_name(tmp_path, rows, registered):
    prepare(manifest(tmp_path, rows), tmp_path, "depth", tmp_path / "out")
    assert open_dataset(tmp_path / "out").schema["depth"] == Depth(name="depth")


def test_a_short_name_that_is_not_registered_is_explained(tmp_path, rows):
    prepare(manifest(tmp_path, rows), tmp_path, f"near={FULL}", tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    commit_directory(tmp_path / "out", json.loads(path.read_text().replace(FULL, "depth")))
    with pytest.raises(
        DataError, match=r"no kind of modality 'depth'.*registered by a plug-in.*package\.module:NAME"
    ):
        open_dataset(tmp_path / "out")


@pytest.mark.parametrize(
    ("modalities", "words"),
    [
        ("near=tests.data.kinds.depth:Dept", "module 'tests.data.kinds.depth' has no 'Dept'; did you mean 'Depth'?"),
        ("near=tests.data.kinds.dept:Depth", "there is no module 'tests.data.kinds.dept'"),
        ("near=tests.data.kinds.depth:not_a_kind", "is no kind of modality: it must be a subclass of"),
        ("near=raymm.data:Schema", "is no kind of modality"),
        ("near=depht", "no kind 'depht'"),
    ],
)
def test_a_full_name_that_is_no_kind(modalities, words):
    with pytest.raises(ConfigError) as caught:
        parse_kinds(modalities)
    assert words in str(caught.value)


def test_the_schema_says_what_it_reads_and_nothing_else():
    spec = {"name": "v", "kind": "vector", "size": 3}
    schema = Schema.model_validate({"modalities": [spec], "classes": ["a", "b"]})
    assert schema.modalities == (VectorSpec(name="v", size=3),)
    written = json.loads(schema.model_dump_json())
    assert list(written["modalities"][0]) == ["name", "kind", "size", "encoder"]
    assert Schema.model_validate(written) == schema
    for wrong in ({**spec, "size": 0}, {**spec, "sizes": 3}, {"name": "v", "size": 3}, 5):
        with pytest.raises(ValueError, match="modalities"):
            Schema.model_validate({"modalities": [wrong], "classes": ["a", "b"]})
    with pytest.raises(ValueError, match="VectorSpec is of kind 'vector', not 'audio'"):
        VectorSpec(name="v", kind="audio", size=3)
