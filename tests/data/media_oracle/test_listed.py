"""Every listed container, codec, rate, start and end: raymm reads what the command ffmpeg reads, and when."""

import pytest

from tests.data.media_oracle.checks import check_frames, check_sound, check_window
from tests.data.media_oracle.ffmpeg import decode, needs_ffmpeg, skip_without_encoder
from tests.data.media_oracle.listed import LISTED

pytestmark = needs_ffmpeg


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function from a combination to its file and what ffmpeg reads of it, each made once."""
    known = {}

    def make(combination):
        skip_without_encoder(combination)
        if combination not in known:
            path = combination.make(tmp_path_factory.mktemp("made"))
            known[combination] = path, decode(path, combination)
        return known[combination]

    return make


def listed(wanted):
    chosen = [combination for combination in LISTED if wanted(combination)]
    return pytest.mark.parametrize("combination", chosen, ids=lambda combination: combination.name)


def test_there_are_more_than_a_hundred_and_each_is_listed_once():
    assert len(set(LISTED)) == len(LISTED) > 100
    assert len({combination.name for combination in LISTED}) == len(LISTED)


@listed(lambda combination: combination.audio)
def test_sound(combination, made):
    check_sound(combination, *made(combination))


@listed(lambda combination: combination.video)
def test_frames(combination, made):
    check_frames(combination, *made(combination))


@listed(lambda combination: True)
def test_window(combination, made):
    check_window(combination, *made(combination))
