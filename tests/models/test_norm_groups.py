"""A group of a normalisation that has one number left is refused in words, exactly where torch refuses one row."""

import pytest
import torch

from raymm.config.model import EncoderConfig
from raymm.data.kinds.image import ImageSpec
from raymm.data.kinds.sequence import SequenceSpec
from raymm.errors import ConfigError
from raymm.models.encoders.cnn1d import SequenceCNN
from raymm.models.encoders.layers import NormSettings
from raymm.models.encoders.registry import build_encoder


def is_refused(spec, width, norm="group"):
    try:
        build_encoder(spec, EncoderConfig(width=width, norm=norm), 8)
    except ConfigError:
        return True
    return False


def fails(model, *shape):
    try:
        model.eval()(torch.zeros(1, *shape))
    except ValueError as cause:
        return "Expected more than 1 value" in str(cause)
    return False


@pytest.mark.parametrize("width", [4, 5, 7, 8, 9, 12, 16])
def test_series_are_refused_where_torch_fails(width):
    for length in (1, 2, 4, 5, 8, 9):
        spec = SequenceSpec(name="imu", channels=3, length=length)
        assert is_refused(spec, width) == fails(SequenceCNN(3, NormSettings(width=width), 8), 3, length)
        assert not is_refused(spec, width, norm="batch")


def test_the_smallest_pictures_and_the_least_width_are_enough():
    picture = ImageSpec(name="photo", height=8, width=8)
    for width in range(4, 10):
        encoder = build_encoder(picture, EncoderConfig(width=width), 8)
        assert not fails(encoder, *picture.input_shape)


def test_the_words_name_the_modality_its_shape_and_what_to_do():
    with pytest.raises(ConfigError) as caught:
        build_encoder(SequenceSpec(name="imu", channels=2, length=8), EncoderConfig(width=4), 8)
    assert str(caught.value) == (
        "model.encoders.imu.width=4: cnn1d reads [2, 8], channels x time; of so few steps one is left after layer 3, "
        "and of a single number in each group of its 8 channels normalisation leaves nothing; give a width above 8 "
        "(model.encoder.width where the modality is not named) or longer series, or turn them where time stands "
        "first"
    )
