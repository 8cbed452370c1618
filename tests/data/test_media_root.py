"""A wrong media root is said once, with the folder that was meant, before any chunk is tried."""

import pytest

from raymm.cli import main
from raymm.data.media_root import require_some_media
from raymm.errors import DataError
from tests.data.clips import collection, manifest

FILES = [f"{n}.wav" for n in range(800)]


def fill(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file).touch()


@pytest.mark.parametrize("there", ["clips", "raw/clips", "."])
def test_the_folder_that_holds_them_is_named(tmp_path, there):
    fill(tmp_path / "data" / there, FILES[:700])
    fill(tmp_path / "data" / "few", FILES[:3])
    (tmp_path / "data" / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        require_some_media(FILES, tmp_path / "data" / "empty", tmp_path / "data")
    root = (tmp_path / "data" / there).resolve()
    assert str(caught.value) == (
        f"none of 800 files is there; the media root is {tmp_path}/data/empty, and the first file would be "
        f"{tmp_path}/data/empty/0.wav; did you mean --media-root {root} (it holds 700 of them)?"
    )


def test_where_they_are_nowhere_near_only_the_root_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(DataError, match=r"none of 800 files is there; .*0\.wav; check --media-root$"):
        require_some_media(FILES, tmp_path / "a", tmp_path)


def test_one_file_that_is_there_or_no_files_at_all_are_good_enough(tmp_path):
    fill(tmp_path, FILES[7:8])
    require_some_media(FILES, tmp_path, tmp_path)
    require_some_media([], tmp_path / "gone", tmp_path)


def test_prepare_says_it_in_one_line(capfd, tmp_path):
    rows = collection(tmp_path / "media" / "clips")
    table = manifest(tmp_path, rows)
    options = {"manifest": table, "media-root": tmp_path / "media", "modalities": "audio", "out": tmp_path / "out"}
    with pytest.raises(SystemExit) as ended:
        main(["prepare", "--backend=local", *(f"--{name}={value}" for name, value in options.items())])
    said = capfd.readouterr().err
    assert ended.value.code == 2
    assert f"did you mean --media-root {tmp_path}/media/clips (it holds {len(rows)} of them)?" in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
