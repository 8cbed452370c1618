"""Drawn combinations of container, codec, rate, start and end: raymm reads what the command ffmpeg reads."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings

from tests.data.media_oracle.checks import check_frames, check_sound, check_window
from tests.data.media_oracle.drawn import clips, sounds
from tests.data.media_oracle.ffmpeg import decode, needs_ffmpeg

pytestmark = needs_ffmpeg

MORE = os.environ.get("MEDIA_EXAMPLES", "")
"""How many to draw instead, and then others every time (`make media`)."""
drawn = settings(max_examples=int(MORE or 20), derandomize=not MORE)


def check(combination):
    with tempfile.TemporaryDirectory() as folder:
        path = combination.make(Path(folder))
        decoded = decode(path, combination)
        check_sound(combination, path, decoded)
        if combination.video:
            check_frames(combination, path, decoded)
        check_window(combination, path, decoded)


@drawn
@given(sounds())
def test_sounds(combination):
    check(combination)


@drawn
@given(clips())
def test_clips(combination):
    check(combination)
