"""Folders of pictures: every picture that a clip stands for lies in the media root, unless others are allowed."""

import os
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from raymm.config.registries import KINDS
from raymm.data import open_dataset
from raymm.data.asked.manifest import records_of_manifest
from raymm.data.kinds.base import kind_of
from raymm.data.kinds.picture_folder import PictureFolderSpec
from raymm.data.manifest import load_manifest
from raymm.data.schema import SPLITS, Schema
from raymm.errors import DataError
from tests.data.clips import manifest, prepare

COUNT = 6
SECRET = 250
LAYOUTS = {  # the pictures of a clip, of which the first one is named
    "rgb": ("rgb_pictures", ["{clip}/img_{number}.png"]),
    "flow beside": ("flow_pictures", ["{clip}/flow_x_{number}.png", "{clip}/flow_y_{number}.png"]),
    "flow across": ("flow_pictures", ["flow/u/{clip}/{number}.png", "flow/v/{clip}/{number}.png"]),
    "flow below": ("flow_pictures", ["{clip}/flow_x/f{number}.png", "{clip}/flow_y/f{number}.png"]),
}
PLACES = [(layout, axis) for layout, (_, names) in LAYOUTS.items() for axis in range(len(names))]
CLIPS = [f"{split}-{label}" for split in SPLITS for label in "ab"]


def picture(path, level=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (12, 12), level).save(path)


def tree(folder, layout, first=1):
    """A media root with a clip of each label in each split beside secret pictures; the path of its manifest."""
    for clip in CLIPS:
        for number in range(COUNT):
            for name in LAYOUTS[layout][1]:
                picture(folder / "root" / name.format(clip=clip, number=number))
    picture(folder / "secret" / "0.png", SECRET)
    rows = [
        {
            "sample_id": clip,
            "file": LAYOUTS[layout][1][0].format(clip=clip, number=first),
            "split": clip.split("-")[0],
            "label": clip[-1],
        }
        for clip in CLIPS
    ]
    return manifest(folder, rows)


def name_of(layout, axis, number, clip=CLIPS[1]):
    return LAYOUTS[layout][1][axis].format(clip=clip, number=number)


def load(path, layout, **options):
    return load_manifest(path, path.parent / "root", {"m": LAYOUTS[layout][0]}, **options)


def link(path, to):
    path.unlink(missing_ok=True)
    path.symlink_to(to)


def refused(path, layout):
    with pytest.raises(DataError) as caught:
        load(path, layout)
    return str(caught.value)


def test_every_kind_that_reads_folders_is_tested():
    kinds = {kind for kind in KINDS.names() if issubclass(kind_of(kind), PictureFolderSpec)}
    assert kinds == {kind for kind, _ in LAYOUTS.values()}


@pytest.mark.parametrize(("layout", "axis"), PLACES)
@pytest.mark.parametrize("relative", [False, True])
def test_a_picture_that_leads_out_is_named_and_not_read(tmp_path, layout, axis, relative):
    path = tree(tmp_path, layout)
    linked, secret = tmp_path / "root" / name_of(layout, axis, 3), tmp_path / "secret" / "0.png"
    link(linked, os.path.relpath(secret, linked.parent) if relative else secret)
    said = refused(path, layout)
    assert f"row 2, sample 'train-b': '{name_of(layout, axis, 3)}' leaves the media root by a symbolic link" in said
    assert f"to {secret}; copy what it leads to, or give --allow-outside" in said
    assert "row 1" not in said
    assert len(load(path, layout, allow_outside=True).records) == len(CLIPS)


@pytest.mark.parametrize(
    ("layout", "place", "first"),
    [
        ("rgb", "train-b", "train-b/img_1.png"),
        ("flow beside", "train-b", "train-b/flow_x_1.png"),
        ("flow across", "flow/u", "flow/u/train-b/1.png"),
        ("flow across", "flow/v", "flow/v/train-b/1.png"),
        ("flow across", "flow/v/train-b", "flow/v/train-b/1.png"),
        ("flow below", "train-b/flow_y", "train-b/flow_y/f1.png"),
    ],
)
def test_a_folder_that_leads_out_is_refused(tmp_path, layout, place, first):
    path = tree(tmp_path, layout)
    (tmp_path / "root" / place).rename(tmp_path / "secret" / "folder")
    (tmp_path / "root" / place).symlink_to(tmp_path / "secret" / "folder")
    said = refused(path, layout)
    assert f"row 2, sample 'train-b': '{first}' leaves the media root by a symbolic link" in said
    assert f"to {tmp_path}/secret/folder/" in said
    assert len(load(path, layout, allow_outside=True).records) == len(CLIPS)


@pytest.mark.parametrize(("layout", "axis"), PLACES)
def test_links_within_the_media_root_and_pictures_that_no_clip_takes_are_no_matter(tmp_path, layout, axis):
    path = tree(tmp_path, layout)
    secret = tmp_path / "secret" / "0.png"
    link(tmp_path / "root" / name_of(layout, axis, 3), tmp_path / "root" / name_of(layout, axis, 2))
    link(tmp_path / "root" / name_of(layout, axis, 0), secret)  # before the first one
    link(tmp_path / "root" / name_of(layout, axis, 4).replace(".png", ".txt"), secret)
    if layout == "rgb":
        link(tmp_path / "root" / "train-b" / "mask_3.png", secret)
    assert len(load(path, layout).records) == len(CLIPS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_whatever_is_linked_the_clips_that_take_it_are_refused(tmp_path, layout):
    """Pictures of drawn clips are links; each clip that takes one, from its first picture on, is named once."""
    root, secret = tmp_path / "root", tmp_path / "secret" / "0.png"
    names = LAYOUTS[layout][1]
    places = st.tuples(st.sampled_from(CLIPS), st.integers(0, COUNT - 1), st.sampled_from(range(len(names))))

    @given(st.sets(places, max_size=4), st.integers(0, COUNT - 1))
    def check(linked, first):
        path = tree(tmp_path, layout, first)
        for clip, number, axis in linked:
            link(root / name_of(layout, axis, number, clip), secret)
        taken = {clip for clip, number, _ in linked if number >= first}
        try:
            load(path, layout)
            said = ""
        except DataError as cause:
            said = str(cause)
        for clip, number, axis in linked:
            (root / name_of(layout, axis, number, clip)).unlink()
        assert set(re.findall(r"sample '([^']+)': '[^']+' leaves the media root by a symbolic link", said)) == taken

    check()


def test_further_pictures_of_a_clip_that_lead_out_are_counted(tmp_path):
    path = tree(tmp_path, "rgb")
    for number in (2, 3, 5):
        link(tmp_path / "root" / name_of("rgb", 0, number), tmp_path / "secret" / "0.png")
    assert "'train-b/img_2.png' leaves the media root" in refused(path, "rgb")
    assert "(so do 2 more files of its folder)" in refused(path, "rgb")


def test_pixels_of_a_link_are_stored_only_where_that_is_allowed(tmp_path):
    path = tree(tmp_path, "rgb")
    link(tmp_path / "root" / name_of("rgb", 0, 3), tmp_path / "secret" / "0.png")
    given = (path, tmp_path / "root", "m:rgb_pictures", tmp_path / "out")
    with pytest.raises(DataError, match="leaves the media root by a symbolic link"):
        prepare(*given)
    assert not (tmp_path / "out").exists()
    prepare(*given, allow_outside=True)
    stored = open_dataset(tmp_path / "out").shards.read("m", np.arange(len(CLIPS)))
    assert [SECRET in clip for clip in stored] == [clip == CLIPS[1] for clip in CLIPS]


def test_samples_without_labels_are_checked_alike(tmp_path):
    path = tree(tmp_path, "rgb")
    link(tmp_path / "root" / name_of("rgb", 0, 3), tmp_path / "secret" / "0.png")
    schema = Schema(modalities=[{"name": "m", "kind": "rgb_pictures"}], classes=["a", "b"])
    with pytest.raises(DataError, match=r"row 2, sample 'train-b': 'train-b/img_3.png' leaves the media root"):
        records_of_manifest(path, schema, tmp_path / "root")
    assert len(records_of_manifest(path, schema, tmp_path / "root", allow_outside=True)) == len(CLIPS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_that_are_no_links_cost_nothing_each(tmp_path, layout, monkeypatch):
    path = tree(tmp_path, layout)
    monkeypatch.setattr(kind_of(LAYOUTS[layout][0]), "unnamed_files", lambda *_: pytest.fail("they are listed"))
    assert len(load(path, layout).records) == len(CLIPS)
