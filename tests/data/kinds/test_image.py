"""Pictures: turned, on white, resized, read by both image encoders."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.models import resnet18

from raymm.config import EncoderConfig, ModelConfig, ViewConfig
from raymm.data import BatchReader, ImageSpec, Schema, open_dataset
from raymm.data.kinds import image
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


def whole(picture, size):
    """A picture on white, then resized, all at once."""
    if picture.mode == "I;16":
        grey = np.rint(np.asarray(picture).astype(np.float32) / 257).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB").resize(size, Image.Resampling.BILINEAR)
    shown = picture.convert("RGBA")
    white = Image.new("RGBA", shown.size, "white")
    return Image.alpha_composite(white, shown).convert("RGB").resize(size, Image.Resampling.BILINEAR)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
@settings(max_examples=8, deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)), band=st.integers(1, 4000), turn=st.sampled_from([1, 6])
)
def test_in_bands_or_at_once_is_the_same_to_the_bit(tmp_path_factory, mode, size, band, turn):
    noise = np.random.default_rng(band).integers(0, 256, (size[1], size[0], 4), np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(noise[..., 0].astype(np.uint16) * 256 + noise[..., 1])
    else:
        picture = Image.fromarray(noise).convert(mode)
    exif, folder = Image.Exif(), tmp_path_factory.getbasetemp()
    exif[0x0112] = turn
    more = {"transparency": bytes(range(256))} if mode == "P" else {}
    picture.save(folder / "a.png", exif=exif, **more)
    with pytest.MonkeyPatch.context() as patch, Image.open(folder / "a.png") as saved:
        patch.setattr(image, "BAND", band)
        shown = saved.transpose(Image.Transpose.ROTATE_270) if turn == 6 else saved
        wanted = np.asarray(whole(shown, (16, 8))).transpose(2, 0, 1)
        assert np.array_equal(decoded(folder, "a.png"), wanted)


@pytest.mark.parametrize(
    ("name", "size", "options", "most"),
    [
        ("a.png", (11_000, 11_000), {}, "119,304,647"),
        ("a.webp", (9_000, 8_000), {"lossless": True}, "67,108,864"),
        ("a.jp2", (7_000, 7_000), {}, "42,949,672"),
        ("a.jpg", (10_000, 9_000), {"progressive": True}, "89,478,485"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_small_file_of_a_picture_that_takes_a_gigabyte_is_refused(tmp_path, name, size, options, most):
    Image.new("L", size).save(tmp_path / name, **options)
    words = f"is a picture of {size[0]} x {size[1]} pixels; at most {most} pixels are read of .*; make it smaller"
    with pytest.raises(MediaError, match=words):
        decoded(tmp_path, name)


@pytest.mark.parametrize(("size", "fit"), [((1, 10_000_000), "squash"), ((2_000_000, 1), "crop")])
def test_a_picture_that_is_a_line_is_refused(tmp_path, size, fit):
    Image.new("L", size).save(tmp_path / "a.png")
    words = f"is a picture of {size[0]} x {size[1]} pixels, too far from the wanted proportions; cut it"
    with pytest.raises(MediaError, match=words):
        decoded(tmp_path, "a.png", ImageSpec(name="picture", height=64, width=64, fit=fit))


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
