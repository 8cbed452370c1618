"""Places that cannot be used."""

import os
from pathlib import Path

import pytest

from tests.chaos.refusing import prepare_words, refused
from tests.chaos.spoiling import train_words
from tests.data.clips import collection, manifest

SAMPLES = 60
VERBS = ["prepare", "train", "value"]


def to(verb, data, place):
    """The words of a verb that writes to a place."""
    if verb == "train":
        words = train_words(data)
        words[words.index("--out") + 1] = place
        return words
    if verb == "value":
        words = ["value", "--data", data, "--model", "tests.games:own_model", "--backend", "local"]
        return [*words, "--out", place / "t.parquet"]
    words = prepare_words(manifest(data.parent / "media", collection(data.parent / "media")), "audio")
    words[words.index("--out") + 1] = place
    return words


@pytest.mark.parametrize("verb", VERBS)
def test_B_paths_01_a_file_where_a_folder_must_be(capfd, tmp_path, data, verb):
    (tmp_path / "file").touch()
    words = to(verb, data, tmp_path / "file" / "place")
    said = refused(capfd, tmp_path, *words)
    assert str(tmp_path / "file") in said
    assert "a part of this path is a file where a folder is needed; choose another path" in said


@pytest.mark.parametrize("verb", VERBS)
def test_B_paths_02_a_name_of_300_letters(capfd, tmp_path, data, verb):
    words = to(verb, data, tmp_path / ("n" * 300))
    said = refused(capfd, tmp_path, *words)
    assert "n" * 300 in said
    assert "the name is too long for this file system; choose a shorter one" in said


@pytest.mark.parametrize("verb", VERBS)
def test_B_paths_03_a_folder_that_can_only_be_read(capfd, tmp_path, data, verb):
    """For root every folder of a disk can be written, but /sys cannot."""
    place = tmp_path / "place"
    place.mkdir(mode=0o555)
    if os.geteuid() == 0:
        place = Path("/sys/kernel")
    said = refused(capfd, tmp_path, *to(verb, data, place / "new"))
    assert str(place) in said
    assert "; choose another place" in said or "this file system can only be read" in said
    assert not (place / "new").exists()


@pytest.mark.parametrize("verb", ["train", "value", "report"])
def test_B_paths_04_a_folder_that_is_not_there(capfd, tmp_path, data, verb):
    words = ["report", tmp_path / "gone"] if verb == "report" else to(verb, tmp_path / "gone", tmp_path / "o")
    said = refused(capfd, tmp_path, *words)
    assert f"{tmp_path / 'gone'}: " in said
    assert "there is no such folder" in said or "no run" in said
