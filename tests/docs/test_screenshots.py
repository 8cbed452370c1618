"""The pictures of docs/screenshots are there, and small."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.screens import FOLDER, LARGEST, NAMES, squeezed


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_there_and_small(name):
    file = FOLDER / f"{name}.png"
    assert file.stat().st_size <= LARGEST
    with Image.open(file) as picture:
        assert min(picture.size) >= 390
        assert len(picture.convert("RGB").getcolors(2**24)) > 8  # more than an empty page


def test_no_other_picture_lies_there():
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(NAMES)


def png(pixels):
    into = io.BytesIO()
    Image.fromarray(pixels).save(into, "PNG")
    return into.getvalue()


def test_a_picture_loses_colours_until_it_is_small_enough_and_no_more():
    slope = np.linspace(0, 255, 300 * 300 * 3).astype(np.uint8).reshape(300, 300, 3)
    noise = np.random.default_rng(0).integers(0, 9, slope.shape, dtype=np.uint8)
    large = png(slope + noise)
    assert squeezed(large, len(large)) == large
    small = squeezed(large, 50_000)
    assert len(small) <= 50_000
    with Image.open(io.BytesIO(small)) as picture:
        assert picture.size == (300, 300)
        assert np.abs(np.asarray(picture.convert("RGB")).astype(int) - (slope + noise)).mean() < 20


def test_a_picture_that_cannot_be_made_small_is_refused():
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="show less on the picture"):
        squeezed(png(noise), 5_000)
