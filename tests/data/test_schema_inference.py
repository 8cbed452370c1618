"""From options to specs: windows and sizes found in the data, settings checked against the schema."""

import numpy as np
import pytest

from raymm.data import open_dataset
from raymm.data.manifest import load_manifest
from raymm.data.media.write import write_wav
from raymm.data.schema_inference import build_schema, parse_kinds
from raymm.errors import ConfigError, DataError
from tests.data.clips import RATE, SPLITS, collection, manifest, prepare, tone


def schema_of(folder, rows, modalities, *settings):
    kinds = parse_kinds(modalities)
    return build_schema(kinds, load_manifest(manifest(folder, rows), folder, kinds), folder, settings)


def test_kinds_follow_the_names_or_a_colon():
    assert parse_kinds("audio, lips:rgb,title:text") == {"audio": "audio", "lips": "rgb", "title": "text"}


def test_kinds_that_do_not_exist_and_names_that_stand_twice():
    with pytest.raises(ConfigError) as caught:
        parse_kinds("audoi,rgb,rgb")
    assert "'audoi': no kind 'audoi'; did you mean 'audio'?" in str(caught.value)
    assert "'rgb' appears twice" in str(caught.value)


def test_the_window_is_the_longest_file_rounded_up(tmp_path):
    rows = collection(tmp_path)
    write_wav(tmp_path / rows[0]["file"], tone(0.61), RATE)
    assert schema_of(tmp_path, rows, "audio")["audio"].seconds == pytest.approx(0.7)


def test_frames_cover_the_window(tmp_path):
    schema = schema_of(tmp_path, collection(tmp_path, "mp4"), "rgb,flow", "rgb.fps=10")
    assert (schema["rgb"].frames, schema["flow"].frames) == (4, 5)


def test_a_window_that_is_given_holds_for_all_media(tmp_path):
    schema = schema_of(tmp_path, collection(tmp_path, "mp4"), "audio,rgb,flow", "audio.seconds=2", "rgb.height=32")
    assert schema["audio"].shape == (32_000,)
    assert schema["rgb"].shape == (10, 3, 32, 48)
    assert schema["flow"].shape == (25, 2, 48, 48)


def rows_with(**cells):
    """One sample a split and label; every cell is a pattern of its number."""
    keys = [(split, label) for split in SPLITS for label in "ab"]
    return [
        {
            "sample_id": f"s{n}",
            "label": label,
            "split": split,
            **{name: cell.format(n) for name, cell in cells.items()},
        }
        for n, (split, label) in enumerate(keys)
    ]


def test_sizes_of_arrays_come_from_the_first_that_can_be_read(tmp_path):
    for n in range(1, 6):
        np.save(tmp_path / f"v{n}.npy", np.zeros(7))
    np.savez(tmp_path / "all.npz", imu=np.zeros((6, 3, 20)))
    rows = rows_with(view="v{}.npy", imu="all.npz#imu[{}]")
    schema = schema_of(tmp_path, rows, "view:vector,imu:sequence")
    assert (schema["view"].shape, schema["imu"].shape) == ((7,), (3, 20))


DRAWN = np.random.default_rng(44).integers(1, 40, (3, 2)).tolist()


@pytest.mark.parametrize("shape", [(6, 128), (128, 6), (1, 50), *map(tuple, DRAWN)])
def test_the_first_axis_of_a_sequence_is_that_of_its_channels(tmp_path, shape):
    """Nothing is turned by a guess at which axis is time, and statistics are those of each channel."""
    values = np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)
    values += np.arange(shape[0], dtype=np.float32)[:, None]
    np.savez(tmp_path / "all.npz", imu=values)
    path = manifest(tmp_path, rows_with(imu="all.npz#imu[{}]"))
    prepare(path, tmp_path, "imu:sequence", tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    spec = dataset.schema["imu"]
    assert ((spec.channels, spec.length), spec.shape) == (shape, shape)
    assert np.array_equal(dataset.shards.read("imu", np.arange(6)), values)
    assert np.allclose(dataset.statistics["imu"]["mean"], values[:2].mean(axis=(0, 2)), atol=1e-5)


def test_no_array_has_the_right_number_of_axes(tmp_path):
    np.savez(tmp_path / "all.npz", x=np.zeros((2, 3)))
    with pytest.raises(DataError, match=r"modality 'view': no sample has an array of shape \[size\]"):
        schema_of(tmp_path, rows_with(view="all.npz#x"), "view:vector")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("rgb.height", "write it as modality.field=value"),
        ("height=3", "write it as modality.field=value"),
        ("rbg.height=3", "no modality 'rbg'; did you mean 'rgb'?"),
        ("rgb.hieght=3", "no field 'hieght'; did you mean 'height'?"),
        ("rgb.kind=flow", "no field 'kind'"),
        ("rgb.height=3", r"rgb\.height: must be 8 or more \(got 3\)"),
        ("rgb.fps=fast", r"rgb\.fps: must be a number"),
        ("rgb.fps=[", r"rgb\.fps: must be a number"),
        ("rgb.fps=0", r"rgb\.fps: must be more than 0"),
        ("flow.method=raft", "needs `weights`"),
    ],
)
def test_settings_that_cannot_be(tmp_path, setting, words):
    with pytest.raises(ConfigError, match=words):
        schema_of(tmp_path, collection(tmp_path), "rgb,flow", setting)


def test_weights_of_raft_must_be_there_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError, match=r"flow\.weights: there is no file .*raft\.pt"):
        schema_of(tmp_path, collection(tmp_path), "flow", "flow.method=raft", f"flow.weights={tmp_path}/raft.pt")


def test_a_modality_name_that_the_schema_refuses(tmp_path):
    with pytest.raises(ConfigError, match=r"'Lips' is no name of a modality; write letters a to z, digits and _"):
        schema_of(tmp_path, collection(tmp_path), "Lips:rgb")


def test_more_modalities_than_a_game_can_have(tmp_path):
    names = ",".join(f"m{number}:rgb" for number in range(21))
    with pytest.raises(ConfigError, match="modalities: must be a list of 20 items at most"):
        schema_of(tmp_path, collection(tmp_path), names)
