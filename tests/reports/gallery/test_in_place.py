"""Samples that stay where they are are shown as those of a prepared data set; what cannot be read says why."""

import pytest

import raymm
from raymm.data import open_dataset
from raymm.data.opening import open_data
from raymm.reports.gallery import gallery_section
from tests.data.indexed.media_sets import (
    CLASSES,
    MODALITIES,
    SETTINGS,
    write_hugging_face,
    write_manifest,
    write_tars,
)
from tests.reports.gallery.samples import Gallery, page_of, table_of

GIVEN = {"modalities": MODALITIES, "set": SETTINGS, "classes": CLASSES}


def cards_of(dataset, folder):
    gallery = gallery_section(dataset, table_of(dataset), folder / "p.html")
    return gallery, {card.name: card for card in Gallery(page_of(gallery)).cards}


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    write_manifest(folder / "labels.parquet")
    return folder


@pytest.mark.parametrize("source", ["manifest", "tar archives", "Hugging Face folder"])
def test_media_in_place_are_those_of_a_prepared_data_set(media, tmp_path, source):
    manifest = media / "labels.parquet"
    raymm.prepare(manifest, media, MODALITIES, out=tmp_path / "d", settings=SETTINGS, classes=CLASSES, progress=None)
    _, wanted = cards_of(open_dataset(tmp_path / "d"), tmp_path)
    if source == "Hugging Face folder":
        pytest.importorskip("datasets")
        where = write_hugging_face(tmp_path / "hf", media)
    else:
        where = write_tars(tmp_path / "tars", media) if source == "tar archives" else manifest
    gallery, found = cards_of(open_data(where, tmp_path / "run.data", GIVEN), tmp_path)
    assert found.keys() == wanted.keys()
    assert not gallery.notes
    for name, card in found.items():
        assert [(kind, content) for kind, content, *_ in card.media] == [
            (kind, content) for kind, content, *_ in wanted[name].media
        ]
        assert card.graphics == wanted[name].graphics
        assert card.troubles == wanted[name].troubles
    assert any(card.media for card in found.values())


def test_a_file_that_is_damaged_later_is_said_on_its_card_alone(tmp_path):
    manifest = write_manifest(tmp_path / "media" / "labels.parquet")
    dataset = open_data(manifest, tmp_path / "run.data", GIVEN)
    file = tmp_path / "media" / "s005.png"
    file.write_bytes(b"x" * file.stat().st_size)
    _, cards = cards_of(dataset, tmp_path)
    (trouble,) = [words for words in cards["s005"].troubles if words != "missing"]
    assert trouble.startswith("cannot be read: sample 's005' (s005.png): image: cannot be")
    others = {words for name, card in cards.items() if name != "s005" for words in card.troubles}
    assert others <= {"missing"}
    assert cards["s005"].graphics


def test_a_source_that_has_gone_is_said_once(tmp_path):
    manifest = write_manifest(tmp_path / "media" / "labels.parquet")
    open_data(manifest, tmp_path / "run.data", GIVEN)
    dataset = open_dataset(tmp_path / "run.data")
    (tmp_path / "media").rename(tmp_path / "elsewhere")
    gallery, cards = cards_of(dataset, tmp_path)
    (note,) = gallery.notes
    assert note.startswith("The data are not here (")
    assert "labels.parquet" in note
    assert not any(card.troubles or card.media for card in cards.values())


def test_a_data_set_of_ones_own_is_shown(tmp_path):
    dataset = open_data("tests.data.indexed.own_sets:clips", tmp_path / "run.data")
    gallery, cards = cards_of(dataset, tmp_path)
    assert not gallery.notes
    for card in cards.values():
        assert set(card.troubles) <= {"missing"}
        texts = " ".join(card.texts).count("(text)")
        assert len(card.graphics) + texts >= len(dataset.schema.names)
