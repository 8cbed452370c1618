"""Pictures: turned, on white, resized, read by both image encoders."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import resnet18

from raymm.config import EncoderConfig, ModelConfig, ViewConfig
from raymm.data import BatchReader, ImageSpec, Schema, open_dataset
from raymm.data.media.files import SampleFiles
from raymm.data.media.problem import MediaError
from raymm.models.model import build_model
from tests.data.clips import SPLITS, manifest, prepare

SPEC = ImageSpec(name="picture", height=8, width=16)
HALVES = np.zeros((8, 16, 3), np.uint8)
HALVES[:, 8:] = (10, 200, 30)


def decoded(folder, name, spec=SPEC):
    return spec.decode(name, SampleFiles(folder))


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.bmp", "a.tiff"])
def test_lossless_formats_give_the_pixels(tmp_path, name):
    Image.fromarray(HALVES).save(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    assert np.array_equal(decoded(tmp_path, name), HALVES.transpose(2, 0, 1))


def test_a_jpeg_is_turned_as_its_exif_data_say(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    Image.fromarray(np.rot90(HALVES)).save(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    assert np.abs(decoded(tmp_path, "a.jpg").astype(int) - HALVES.transpose(2, 0, 1)).max() < 25
    Image.fromarray(np.rot90(HALVES)).save(tmp_path / "b.jpg", quality=95, subsampling=0)
    assert np.abs(decoded(tmp_path, "b.jpg").astype(int) - HALVES.transpose(2, 0, 1)).max() > 100


def test_transparency_is_white_and_grey_has_three_channels(tmp_path):
    Image.fromarray(np.zeros((8, 16, 4), np.uint8), "RGBA").save(tmp_path / "clear.png")
    assert (decoded(tmp_path, "clear.png") == 255).all()
    Image.fromarray(np.full((8, 16), 77, np.uint8)).save(tmp_path / "grey.png")
    assert (decoded(tmp_path, "grey.png") == 77).all()
    Image.fromarray(np.full((8, 16), 257 * 77, np.uint16)).save(tmp_path / "deep.png")
    assert (decoded(tmp_path, "deep.png") == 77).all()


def test_resizing_averages(tmp_path):
    stripes = np.tile(np.array([0, 200], np.uint8), (64, 64))
    Image.fromarray(stripes).save(tmp_path / "a.png")
    assert np.abs(decoded(tmp_path, "a.png").astype(int) - 100)[:, :, 1:-1].max() <= 2


@pytest.mark.parametrize("content", [b"no picture", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_picture_is_said(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(MediaError, match="cannot be read as a picture"):
        decoded(tmp_path, "a.png")


def test_a_cut_off_picture_and_one_of_32_bit_numbers_are_said(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:2000])
    with pytest.raises(MediaError, match="truncated"):
        decoded(tmp_path, "a.png")
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(MediaError, match="32-bit numbers"):
        decoded(tmp_path, "a.tiff")


def test_pictures_become_a_batch_that_both_encoders_read(tmp_path):
    rows, generator = [], np.random.default_rng(0)
    for number, (split, label) in enumerate((split, label) for split in SPLITS for label in "ab" for _ in range(2)):
        Image.fromarray(generator.integers(0, 255, (20, 30, 3), np.uint8)).save(tmp_path / f"{number}.png")
        rows.append({"file": f"{number}.png", "label": label, "split": split})
    prepare(
        manifest(tmp_path, rows), tmp_path, "image", tmp_path / "out", settings=("image.height=32", "image.width=40")
    )
    dataset = open_dataset(tmp_path / "out")
    reader = BatchReader(dataset, ViewConfig(flip=True, crop=0.2))
    train = reader.batch(dataset.rows("train")).inputs["image"]
    assert train.shape == (4, 3, 32, 40)
    assert train.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    augmented = reader.batch(dataset.rows("train"), keys=reader.augmentation_keys(0, dataset.rows("train")))
    assert augmented.inputs["image"].shape == train.shape
    assert not torch.equal(augmented.inputs["image"], train)
    torch.save(resnet18(weights=None).state_dict(), tmp_path / "weights.pt")
    for encoder in ({}, {"name": "resnet18", "norm": "batch", "weights": str(tmp_path / "weights.pt")}):
        model = build_model(dataset.schema, ModelConfig(encoder=EncoderConfig(**encoder)), 0).eval()
        assert model(augmented).shape == (4, 2)


def test_flow_encoders_do_not_confuse_height_with_frames():
    schema = Schema(modalities=(SPEC,), classes=("a", "b"))
    assert build_model(schema, ModelConfig(), 0).encoders["picture"].body[0][0].in_channels == 3
