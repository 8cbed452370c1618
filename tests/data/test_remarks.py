"""What is cut, padded or in anti-phase is counted, said once, and kept beside the data set."""

import json

import numpy as np
import pytest

from raymm.cli import main
from raymm.data import open_dataset
from raymm.data.kinds.audio import AudioSpec
from raymm.data.kinds.image import ImageSpec
from raymm.data.kinds.rgb import RgbSpec
from raymm.data.media.files import SampleFiles
from raymm.data.media.write import write_wav
from raymm.errors import ConfigError
from tests.data.clips import RATE, collection, manifest, prepare, tone
from tests.data.media.signals import audio, chirp, mux, numbered, video

CUT = {"modality": "audio", "remark": "longer than the window, and cut", "samples": 2}
PADDED = {"modality": "audio", "remark": "shorter than the window, and padded", "samples": 3}


def kept(out):
    return json.loads((out / "manifest.json").read_text())["preparation"].get("remarks", [])


@pytest.fixture
def rows(tmp_path):
    """Six files of 0.4 s, of which two become longer and three shorter."""
    rows = collection(tmp_path)
    for row, seconds in zip(rows, (0.9, 1.3, 0.2, 0.25, 0.1), strict=False):
        write_wav(tmp_path / row["file"], tone(seconds), RATE)
    return rows


def test_what_is_cut_and_padded_is_counted(tmp_path, rows):
    prepare(manifest(tmp_path, rows), tmp_path, "audio", tmp_path / "out", settings=["audio.seconds=0.4"])
    assert kept(tmp_path / "out") == [CUT, PADDED]


def test_nothing_is_said_where_all_fit(tmp_path):
    prepare(manifest(tmp_path, collection(tmp_path)), tmp_path, "audio", tmp_path / "out")
    assert kept(tmp_path / "out") == []


def test_the_verb_says_it_also_when_it_is_run_again(tmp_path, rows, capfd):
    options = {"manifest": manifest(tmp_path, rows), "media-root": tmp_path, "modalities": "audio"}
    arguments = ["prepare", "--backend=local", "--set=audio.seconds=0.4", f"--out={tmp_path}/out"]
    for _ in range(2):
        with pytest.raises(SystemExit):
            main([*arguments, *(f"--{name}={value}" for name, value in options.items())])
        lines = capfd.readouterr().err.splitlines()
        assert "note: audio: 2 of 6 samples are longer than the window, and cut" in lines
        assert "note: audio: 3 of 6 samples are shorter than the window, and padded" in lines


def test_frames_are_counted_by_modality(tmp_path):
    rows = collection(tmp_path, "mp4")
    settings = ["rgb.frames=1", "rgb.fps=5", "flow.frames=25"]
    prepare(manifest(tmp_path, rows), tmp_path, "audio,rgb,flow", tmp_path / "out", settings=settings)
    assert [(item["modality"], item["remark"][:6], item["samples"]) for item in kept(tmp_path / "out")] == [
        ("flow", "shorte", 6),
        ("rgb", "longer", 6),
    ]


@pytest.mark.parametrize(("channel", "count"), [("downmix", 2), ("mean", 2), ("left", 0)])
def test_anti_phase_is_counted_where_it_is_mixed(tmp_path, channel, count):
    rows = collection(tmp_path)
    for row in rows[:2]:
        write_wav(tmp_path / row["file"], np.stack([tone(), -tone()]), RATE)
    prepare(manifest(tmp_path, rows), tmp_path, "audio", tmp_path / "out", settings=[f"audio.channel={channel}"])
    found = [item for item in kept(tmp_path / "out") if "anti-phase" in item["remark"]]
    assert [item["samples"] for item in found] == ([count] if count else [])
    stored = open_dataset(tmp_path / "out").shards.read("audio", np.array([0]))
    assert (np.abs(stored).max() > 0.5) is np.bool_(channel == "left")


def test_a_schema_says_what_differs_from_what_was_always_done(tmp_path):
    rows = collection(tmp_path, "mp4")
    settings = ["audio.channel=left", "rgb.fit=crop", "rgb.stream=0"]
    prepare(manifest(tmp_path, rows), tmp_path, "audio,rgb", tmp_path / "out", settings=settings)
    schema = open_dataset(tmp_path / "out").schema
    assert (schema["audio"].channel, schema["rgb"].fit, schema["rgb"].stream) == ("left", "crop", 0)
    written = json.loads((tmp_path / "out" / "manifest.json").read_text())["schema"]["modalities"]
    assert [{"channel", "fit", "stream"} & set(spec) for spec in written] == [{"channel"}, {"fit", "stream"}]


@pytest.mark.parametrize("spec", [AudioSpec(name="a"), RgbSpec(name="a"), ImageSpec(name="a")])
def test_a_schema_without_the_later_settings_opens_and_is_written_as_before(spec):
    fields = spec.model_dump(mode="json")
    assert not {"channel", "fit", "stream"} & set(fields)
    assert type(spec).model_validate(fields) == spec


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("rgb.fit=stretch", r"rgb\.fit: must be 'squash', 'crop' or 'pad'"),
        ("audio.channel=centre", r"audio\.channel: must be 'downmix', 'mean', 'left' or 'right'"),
        ("audio.stream=-1", r"audio\.stream: must be 0 or more"),
    ],
)
def test_settings_that_cannot_be_are_said(tmp_path, setting, words):
    rows = collection(tmp_path, "mp4")
    with pytest.raises(ConfigError, match=words):
        prepare(manifest(tmp_path, rows), tmp_path, "audio,rgb", tmp_path / "out", settings=[setting])


@pytest.mark.parametrize(
    ("name", "codecs", "options"),
    [
        ("a.mkv", ("mpeg4", "pcm_s16le"), {"live": "1"}),
        ("a.ts", ("mpeg2video", "mp2"), {}),
        ("a.avi", ("mpeg4", "aac"), {}),
    ],
)
@pytest.mark.parametrize(("window", "remark"), [(0.5, CUT["remark"]), (3.0, PADDED["remark"]), (1.6, None)])
def test_a_length_that_no_header_says_is_counted_as_well(tmp_path, name, codecs, options, window, remark):
    streams = [video(numbered(40), codecs[0]), audio(chirp(1.6), codecs[1])]
    mux(tmp_path / name, streams, **options)
    said = []
    for spec in (
        AudioSpec(name="a", seconds=window),
        RgbSpec(name="b", fps=5, frames=round(5 * window)),
    ):
        files = SampleFiles(tmp_path, [(name, None, spec.frame_times)])
        spec.decode(name, files)
        said.append(files.take_remarks())
    assert said == [[remark] if remark else []] * 2
