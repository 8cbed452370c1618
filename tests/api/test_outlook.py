"""`raymm prepare --dry-run`: what would be made is what is made then; nothing is written."""

import numpy as np
import pytest

import raymm
from raymm.data import open_dataset
from tests.cli.calling import call, result_in
from tests.data.indexed.media_sets import MODALITIES, SETTINGS, write_manifest


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path / "media" / "labels.parquet")


def looked_at(capfd, *words, out, code=0):
    ended, said, notes = call(capfd, "prepare", *words, "--out", out, "--dry-run", "--json")
    assert ended == code, notes
    assert not out.exists()
    return result_in(said), notes


def test_what_would_be_made_is_what_is_made(capfd, tmp_path, manifest):
    out = tmp_path / "data"
    options = [
        "--media-root",
        manifest.parent,
        "--modalities",
        MODALITIES,
        "--set",
        SETTINGS[0],
        "--set",
        SETTINGS[1],
    ]
    before = sorted(path.name for path in tmp_path.rglob("*"))
    found, _ = looked_at(capfd, "--manifest", manifest, *options, out=out)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    raymm.prepare(manifest, manifest.parent, MODALITIES, out=out, settings=SETTINGS, progress=None)
    made = open_dataset(out)
    assert found["rows"] == len(made)
    assert [(m["name"], m["kind"], tuple(m["shape"])) for m in found["modalities"]] == [
        (spec.name, spec.kind, spec.shape) for spec in made.schema.modalities
    ]
    for split, counts in found["classes"].items():
        own = made.label[made.rows(split)]
        assert counts == {name: int((own == number).sum()) for number, name in enumerate(made.schema.classes)}
    size = sum(path.stat().st_size for path in (out / "shards").glob("*.arrow"))
    assert found["bytes"] == pytest.approx(size, rel=0.05)
    assert found["seconds"] > 0
    assert not found["problems"]


def test_kinds_are_guessed_and_said(capfd, tmp_path, manifest):
    found, notes = looked_at(capfd, "--manifest", manifest, out=tmp_path / "data")
    assert {m["name"]: m["kind"] for m in found["modalities"]} == {
        "audio": "audio",
        "image": "image",
        "pose": "vector",
        "note": "text",
    }
    assert "--modalities audio:audio,image:image,note:text,pose:vector by what the columns hold" in notes


def test_problems_are_named_and_end_with_2(capfd, tmp_path, manifest):
    (manifest.parent / "s001.wav").unlink()
    for row in range(24):
        (manifest.parent / f"s{row:03d}.png").write_bytes(b"no picture")
    found, _ = looked_at(capfd, "--manifest", manifest, out=tmp_path / "data", code=2)
    said = "\n".join(found["problems"])
    assert "sample 's001' (s001.wav): audio: there is no file s001.wav" in said
    assert "image: cannot be read as a picture" in said
    code, shown, _ = call(capfd, "prepare", "--manifest", manifest, "--out", tmp_path / "data", "--dry-run")
    assert code == 2
    assert "24 samples, " in shown
    assert "s001.wav" in shown


def test_mistakes_of_a_manifest_are_those_of_prepare(capfd, tmp_path):
    (tmp_path / "labels.csv").write_text("file,split\na.wav,train\n")
    code, _, said = call(
        capfd, "prepare", "--manifest", tmp_path / "labels.csv", "--out", tmp_path / "data", "--dry-run"
    )
    assert code == 2
    assert "no column 'label'" in said
    assert np.array_equal(sorted(path.name for path in tmp_path.iterdir()), ["labels.csv"])
