"""`raymm prepare` from files of many makes to stored numbers, against the command ffmpeg."""

import numpy as np
import pytest

from raymm.data import open_dataset
from tests.data.clips import manifest, prepare
from tests.data.media_oracle.checks import CLOSE, LEAST_SNR, PADDING, frame_at
from tests.data.media_oracle.combinations import Combination
from tests.data.media_oracle.ffmpeg import decode, needs_ffmpeg, run
from tests.data.media_oracle.listed import FLV1, H264_B, MP3, MPEG2_B, VP8, VP9
from tests.data.media_oracle.signals import lag, numbers, snr

pytestmark = needs_ffmpeg

RATE, FPS, SECONDS, SLACK = 16_000, 10, 1.5, 800
CLIPS = [
    Combination("mp4", H264_B, "aac", rate=44_100),
    Combination("mkv", H264_B, "aac", rate=44_100, seconds=1.4, video_late=0.12),
    Combination("webm", VP9, "libopus", rate=48_000, options="-live 1"),
    Combination("webm", VP8, "libvorbis", "30", rate=22_050, channels=2),
    Combination("flv", FLV1, MP3, rate=22_050),
    Combination("ts", H264_B, "aac", rate=48_000, sound_seconds=0.8),
    Combination("mov", H264_B, "pcm_s16le", "24000/1001", rate=32_000, audio_late=0.3),
    Combination("mkv", MPEG2_B, "mp2", rate=48_000, dropped=(8, 20)),
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """What a data set of these clips holds, by the name of the file, and the folder of the files."""
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for number, combination in enumerate(CLIPS):
        (folder / str(number)).mkdir()
        path = combination.make(folder / str(number))
        split = ("train", "val", "test")[number // 2 % 3]
        rows.append({"file": f"{number}/{path.name}", "label": "ab"[number % 2], "split": split})
    settings = [f"audio.rate={RATE}", f"audio.seconds={SECONDS}", f"rgb.fps={FPS}"]
    prepare(manifest(folder, rows), folder, "audio,rgb", folder / "out", settings=settings)
    dataset = open_dataset(folder / "out")
    values = {name: dataset.shards.read(name, np.arange(len(rows))) for name in ("audio", "rgb")}
    order = {source: row for row, source in enumerate(dataset.shards.sources(np.arange(len(rows))))}
    return folder, {
        row["file"]: {name: rows_of[order[row["file"]]] for name, rows_of in values.items()} for row in rows
    }


@pytest.mark.parametrize("number", range(len(CLIPS)), ids=[combination.name for combination in CLIPS])
def test_the_stored_sound_is_what_ffmpeg_reads(stored, number):
    folder, values = stored
    file = f"{number}/media.{CLIPS[number].suffix}"
    raw, _ = run("-i", folder / file, "-map", "0:a:0", "-ac", 1, "-ar", RATE, "-f", "s16le", "-")
    start = decode(folder / file, CLIPS[number]).pieces[0][1]
    wanted = np.pad(np.frombuffer(raw, np.int16) / 32768, (round(start * RATE), 0))
    heard = np.pad(np.asarray(values[file]["audio"], float), (SLACK, SLACK))
    late, _ = lag(heard, wanted, 2 * SLACK)
    assert abs(late - SLACK) / RATE <= CLOSE
    certain = len(wanted) - PADDING
    assert snr(heard[late : late + certain], wanted[:certain]) >= LEAST_SNR


@pytest.mark.parametrize("number", range(len(CLIPS)), ids=[combination.name for combination in CLIPS])
def test_the_stored_frames_are_those_that_ffmpeg_shows(stored, number):
    folder, values = stored
    file = f"{number}/media.{CLIPS[number].suffix}"
    decoded = decode(folder / file, CLIPS[number])
    made, read = numbers(decoded.frames), numbers(np.asarray(values[file]["rgb"]).transpose(0, 2, 3, 1))
    times = (np.arange(len(read)) + 0.5) / FPS
    near = [[frame_at(made, decoded.times, time + off) for off in (-CLOSE, CLOSE)] for time in times]
    assert all(frame in shown for frame, shown in zip(read, near, strict=True)), (read, near)
