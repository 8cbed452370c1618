"""Tables of the lowest samples, against the valuation table and the media that they name."""

import io
import json
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from raymm.reports.lowest_samples import FEWEST, MOST, write_lowest
from raymm.reports.run_pages import record_pages
from raymm.tracking import MemoryTracker
from tests.reports.gallery.samples import of_dataset, spec_of_kind

SPECS = ("waveform", "rgb", "vector", "text")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lowest")
    specs = [spec_of_kind(kind, name) for kind, name in zip(SPECS, ("voice", "face", "pose", "words"), strict=True)]
    dataset, table = of_dataset(folder / "data", specs, count=40, missing=0.3, names=[f"<s>{k}" for k in range(40)])
    return folder / "run", table, write_lowest(folder / "run", table, dataset, ["cat", "dog"])


def read(lowest):
    saved = json.loads(lowest.table.read_text())
    return [dict(zip(saved["columns"], line, strict=True)) for line in saved["data"]]


def test_rows_are_those_of_the_table_from_the_lowest_up(written):
    _, table, found = written
    assert list(found) == list(table.info.modalities)
    rows = {str(name): row for row, name in enumerate(table.sample_id)}
    for position, lowest in enumerate(found.values()):
        lines = read(lowest)
        known = np.sort(table.phi[~np.isnan(table.phi[:, position]), position])
        assert [line["phi"] for line in lines] == pytest.approx(known[: MOST // 4].tolist())
        assert [line["rank"] for line in lines] == list(range(1, len(lines) + 1))
        for line in lines:
            row = rows[line["sample"]]
            assert line["phi"] == pytest.approx(table.phi[row, position])
            assert line["label"] == ("cat", "dog")[table.label[row]]
            assert line["predicted"] == ("cat", "dog")[table.prediction[row]]


def test_pictures_and_sound_open_and_each_cell_names_its_file(written):
    run, _, found = written
    for line in read(found["face"]):
        assert line["picture"]["type"] == "image"
        with Image.open(run / line["picture"]["filepath"]) as picture:
            assert min(picture.size) > 0
    sounds = [path for path in found["voice"].media if path.suffix == ".flac"]
    assert len(sounds) == len(read(found["voice"]))
    with av.open(io.BytesIO(sounds[0].read_bytes())) as sound:
        assert sum(frame.samples for frame in sound.decode(audio=0)) > 0
    assert all("picture" not in line for line in read(found["words"]))
    assert "fox" in read(found["words"])[0]["shown"].lower()


def test_of_a_sample_only_the_modality_that_is_shown_is_read(tmp_path, monkeypatch):
    dataset, table = of_dataset(tmp_path / "data", [spec_of_kind("vector", name) for name in "ab"], count=30)
    read_of = []
    kept = dataset.shards.read
    monkeypatch.setattr(type(dataset.shards), "read", lambda _, name, rows: read_of.append(name) or kept(name, rows))
    write_lowest(tmp_path / "run", table, dataset, ["cat", "dog"])
    assert sorted(read_of) == ["a"] * (MOST // 2) + ["b"] * (MOST // 2)


def test_of_a_modality_that_no_sample_has_nothing_is_written(tmp_path):
    dataset, table = of_dataset(tmp_path / "data", [spec_of_kind("vector", name) for name in "ab"], count=5)
    phi = table.phi.copy()
    phi[:, 0] = np.nan
    found = write_lowest(tmp_path / "run", replace(table, phi=phi), dataset, ["cat", "dog"])
    assert list(found) == ["b"]
    assert [file.name for file in (tmp_path / "run" / "samples").iterdir()] == ["lowest-b.json"]


def test_a_later_one_leaves_nothing_of_the_former(written, tmp_path):
    dataset, table = of_dataset(tmp_path / "data", [spec_of_kind("rgb", "face")] * 1, count=3)
    write_lowest(tmp_path / "run", table, dataset, ["cat", "dog"])
    (tmp_path / "run" / "samples" / "face" / "99-1.png").write_bytes(b"old")
    found = write_lowest(tmp_path / "run", table, dataset, ["cat", "dog"])
    left = {path.stem for path in (tmp_path / "run" / "samples" / "face").iterdir()}
    assert left == {"01-1", "02-1", "03-1"}
    assert len(read(found["face"])) == 3 >= FEWEST


def test_pages_that_cannot_be_made_stop_nothing_and_are_said(caplog):
    class Run:
        path = "runs/joint"

    record_pages(MemoryTracker(), Run(), None, None, [])
    assert "runs/joint: its pages are not recorded" in caplog.text
    assert "`raymm report` makes them" in caplog.text
