"""`raymm.prepare`: the data set of the command line, to the byte, and mistakes in a program's words."""

import csv

import pytest

import raymm
from raymm.errors import ConfigError, DataError
from raymm.storage.directory import read_manifest
from tests.cli.calling import call, result_in


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """24 samples of two texts, one of which some lack."""
    path = tmp_path_factory.mktemp("media") / "m.csv"
    rows = [
        {"sample_id": f"{split}-{n}", "split": split, "label": ("no", "yes")[n % 2], "title": f"t{n}"}
        | {"body": "yes" if n % 3 else ""}
        for split in ("train", "val", "test")
        for n in range(8)
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def made(manifest, tmp_path_factory):
    kinds = {"title": "text", "body": "text"}
    out = tmp_path_factory.mktemp("api") / "d"
    return raymm.prepare(manifest, manifest.parent, kinds, out=out, settings={"title.max_tokens": 32}, progress=None)


def test_the_data_set_is_that_of_the_command_line(capfd, tmp_path, manifest, made):
    words = [
        "prepare",
        "--manifest",
        manifest,
        "--media-root",
        manifest.parent,
        "--modalities",
        "title:text,body:text",
    ]
    code, out, said = call(
        capfd, *words, "--out", tmp_path / "d", "--set", "title.max_tokens=32", "--backend", "local", "--json"
    )
    assert code == 0, said
    assert result_in(out) == {"out": str(tmp_path / "d"), "rows": made.rows, "quarantined": []}
    assert made.rows == 24
    assert read_manifest(made.folder)["files"] == read_manifest(tmp_path / "d")["files"]
    code, out, said = call(capfd, *words, "--out", made.folder, "--set", "title.max_tokens=32", "--backend", "local")
    assert "is finished, and nothing has changed since" in said
    assert out.strip() == made.summary()


def test_what_it_shows(manifest, made):
    with manifest.open(newline="") as file:
        rows = {row["sample_id"]: row for row in csv.DictReader(file)}
    frame = made.to_pandas()
    assert len(frame) == len(rows)
    for row in frame.itertuples():
        asked = rows[row.sample_id]
        assert (row.split, row.label) == (asked["split"], asked["label"])
        assert (row.has_title, row.has_body) == (True, bool(asked["body"]))
    assert repr(made) == f"Prepared({str(made.folder)!r}, 24 samples)"
    assert "24 samples, 2 classes: title text, body text" in made._repr_html_()
    widths = [[bar.get_width() for bar in part] for part in made.plot().axes[0].containers]
    assert widths == [[4, 4]] * 3
    assert len(made.open()) == 24
    assert not made.unchanged
    again = raymm.prepare(
        manifest, manifest.parent, ["title:text", "body:text"], out=made.folder, settings=["title.max_tokens=32"]
    )
    assert again.unchanged


def test_bad_samples_are_left_out_where_that_is_asked(tmp_path, manifest):
    bad = tmp_path / "m.csv"
    bad.write_text(manifest.read_text() + "x,train,no,,\n")
    notes = []

    class Notes(raymm.Progress):
        def on_note(self, words):
            notes.append(words)

    asked = {"media_root": tmp_path, "modalities": "title:text,body:text", "out": tmp_path / "d", "progress": Notes()}
    with pytest.raises(DataError, match="x"):
        raymm.prepare(bad, **asked)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"modalities": "title:txt"}, "no kind 'txt'; did you mean 'text'?"),
        ({"modalities": None}, "missing modalities; a published data set is prepared by source=NAME root=FOLDER"),
        ({"source_settings": {"fold": 2}}, "source_settings belongs to source; name one"),
        ({"source": "esc50"}, "source: 3 problems"),
        ({"settings": {"title.max_tokns": 3}}, "did you mean 'max_tokens'?"),
        ({"task": "multilable"}, "did you mean 'multilabel'?"),
    ],
)
def test_a_mistake_is_said_in_the_words_of_the_arguments(tmp_path, manifest, wrong, words):
    asked = {"manifest": manifest, "media_root": manifest.parent, "modalities": "title:text", "out": tmp_path / "d"}
    with pytest.raises(ConfigError) as raised:
        raymm.prepare(**{**asked, **wrong})
    assert words in str(raised.value)
    assert not (tmp_path / "d").exists()
