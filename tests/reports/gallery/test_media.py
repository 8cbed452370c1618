"""What is seen and heard is what the data hold: every medium is decoded by other means, and compared."""

import io
import re
import wave

import av
import numpy as np
import pytest
from PIL import Image

from raymm.config.registries import KINDS
from raymm.data import AudioSpec, FlowSpec, ImageSpec, RgbSpec, SequenceSpec, TextSpec, VectorSpec
from raymm.data.display import Bars, Facts, Heatmap, Traces, Words
from raymm.data.kinds import BUILT_IN, EmbeddingSpec, ModalitySpec
from raymm.data.media.write import write_wav
from raymm.reports.gallery import QUALITIES, draw
from raymm.reports.gallery.pictures import GAP
from raymm.reports.gallery.svg import HEIGHT, MOST_BARS, MOST_POINTS
from tests.reports.gallery.samples import draw_value, every_kind, spec_of_kind

BEST, SMALLEST = QUALITIES[0], QUALITIES[-1]
DRAW = np.random.default_rng(0)


def decoded_sound(content):
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.audio[0]
        frames = [frame.to_ndarray() for frame in container.decode(stream)]
        return np.concatenate(frames, axis=1)[0], stream.codec_context.sample_rate, stream.codec_context.name


def pixels(medium):
    return np.asarray(Image.open(io.BytesIO(medium.content)).convert("RGB"))


def frames_of(strip, count):
    """The pictures of a strip, [count, height, width, 3]."""
    width = (strip.shape[1] - GAP * (count - 1)) // count
    return np.stack([strip[:, n * (width + GAP) : n * (width + GAP) + width] for n in range(count)])


def test_every_kind_that_is_registered_shows_something_in_every_quality():
    for spec in every_kind():
        value = spec.stored(draw_value(spec, DRAW)) if not spec.is_text else draw_value(spec, DRAW)
        for quality in QUALITIES:
            media = [draw(display, quality) for display in spec.display(value)]
            assert media, spec.kind
            for medium in media:
                assert medium.alternative or medium.text, f"{spec.kind}: {medium.form} without an alternative"
    assert {spec.kind for spec in every_kind()} >= {spec.model_fields["kind"].default for spec in BUILT_IN}


def test_every_built_in_kind_says_itself_how_it_is_shown():
    for kind in BUILT_IN:
        assert kind.display is not ModalitySpec.display, kind
    media = {kind: {type(d).__name__ for d in shown(kind)} for kind in KINDS.names() if ":" not in kind}
    assert media["audio"] == {"Sound", "Heatmap"}
    assert media["waveform"] == {"Sound"}
    assert media["flow"] == media["flow_pictures"] == {"FlowFrames"}
    assert media["rgb"] == media["rgb_pictures"] == media["image"] == {"Frames"}


def shown(kind):
    spec = spec_of_kind(kind)
    value = draw_value(spec, DRAW)
    return spec.display(value if spec.is_text else spec.stored(value))


def test_a_kind_of_another_package_gets_a_summary_in_words():
    class Depth(ModalitySpec):
        kind: str = "depth"

        @property
        def shape(self):
            return (1, 2)

    (display,) = Depth.model_construct(name="d", kind="depth").display(np.array([[1.0, 3.0]], np.float32))
    assert draw(display, BEST).text == "1 x 2 numbers from 1 to 3, mean 2"


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000])
def test_sound_is_what_the_data_hold_bit_for_bit_of_sixteen(rate, tmp_path):
    waveform = np.clip(0.4 * DRAW.normal(size=rate), -1.2, 1.2).astype(np.float32)
    spec = AudioSpec(name="a", rate=rate, seconds=1.0)
    sound = draw(spec.display(waveform)[0], BEST)
    heard, found, codec = decoded_sound(sound.content)
    write_wav(tmp_path / "w.wav", np.round(np.clip(waveform, -1, 1) * 32767).astype(np.float32) / 32768, rate)
    with wave.open(str(tmp_path / "w.wav")) as file:
        wanted = np.frombuffer(file.readframes(rate), np.int16)
    assert (found, codec, sound.mime) == (rate, "flac", "audio/flac")
    assert np.array_equal(heard, wanted)
    assert np.abs(heard / 32767 - np.clip(waveform, -1, 1)).max() <= 0.5 / 32767 + 1e-7
    assert sound.caption == f"1.00 s, {rate / 1000:g} kHz"


@pytest.mark.parametrize("rate", [1_000, 22_050, 44_100, 48_000])
def test_a_tone_at_another_rate_is_the_same_tone(rate):
    seconds, tone = 6.0, 220.0
    waveform = (0.5 * np.sin(2 * np.pi * tone * np.arange(round(seconds * rate)) / rate)).astype(np.float32)
    for quality in QUALITIES:
        medium = draw(AudioSpec(name="a", rate=rate, seconds=seconds).display(waveform)[0], quality)
        heard, found, _ = decoded_sound(medium.content)
        assert found == max(8_000, min(rate, quality.rate))
        assert len(heard) / found == pytest.approx(min(seconds, quality.seconds), abs=0.001)
        middle = heard[found // 4 : found // 4 + found // 2].astype(float)
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), n=4 * len(middle)))
        assert spectrum.argmax() * found / (4 * len(middle)) == pytest.approx(tone, abs=2)
        assert np.abs(middle).max() / 32767 == pytest.approx(0.5, abs=0.01)
        first = f"the first {quality.seconds:.2f} of 6.00 s" if quality.seconds < seconds else "6.00 s"
        assert medium.caption == f"{first}, {found / 1000:g} kHz (in the data {rate / 1000:g} kHz)"


def mel_by_hand(waveform, rate, n_fft, hop, bands):
    """Log of a mel power spectrum (HTK scale, Hann, centred with reflection), standardised over the clip."""
    padded = np.pad(waveform.astype(np.float64), n_fft // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    starts = range(0, len(padded) - n_fft + 1, hop)
    power = np.stack([np.abs(np.fft.rfft(window * padded[start : start + n_fft])) ** 2 for start in starts], axis=1)
    mel = lambda hertz: 2595 * np.log10(1 + hertz / 700)  # noqa: E731
    edges = 700 * (10 ** (np.linspace(0, mel(rate / 2), bands + 2) / 2595) - 1)
    bins = np.linspace(0, rate / 2, n_fft // 2 + 1)
    up = (bins[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - bins[None]) / np.diff(edges)[1:, None]
    logs = np.log(np.maximum(0, np.minimum(up, down)) @ power + 1e-6)
    return (logs - logs.mean()) / (logs.std() + 1e-3)


def test_the_log_mel_has_the_numbers_of_a_log_mel_from_low_to_high():
    rate, spec = 8_000, AudioSpec(name="a", rate=8_000, seconds=0.5, n_fft=256, hop=80, n_mels=20)
    waveform = (0.3 * np.sin(2 * np.pi * 600 * np.arange(4_000) / rate) + 0.01 * DRAW.normal(size=4_000)).astype(
        np.float32
    )
    medium = draw(spec.display(waveform)[1], BEST)
    picture = Image.open(io.BytesIO(medium.content))
    levels = np.asarray(picture)[::-1]
    wanted = mel_by_hand(waveform, rate, 256, 80, 20)
    assert levels.shape == wanted.shape == (20, 51)
    scaled = (wanted - wanted.min()) / (wanted.max() - wanted.min()) * 255
    assert np.abs(levels - scaled).max() < 0.51
    palette = np.array(picture.getpalette()).reshape(-1, 3)
    assert (np.diff(palette @ [0.2126, 0.7152, 0.0722]) > -0.5).all()  # brighter is more
    assert "0 to 0.50 s across" in medium.alternative
    assert "0 to 4000 Hz in 20 bands from bottom to top" in medium.alternative


def test_small_pictures_are_exact():
    value = DRAW.integers(0, 256, (3, 20, 30)).astype(np.uint8)
    medium = draw(ImageSpec(name="i", height=20, width=30).display(value)[0], BEST)
    assert medium.mime == "image/png"
    assert np.array_equal(pixels(medium), value.transpose(1, 2, 0))
    assert medium.size == (30, 20)


def test_frames_stand_in_their_order_and_large_ones_are_close():
    ramp = np.linspace(0, 200, 48)[None, None, :] + np.linspace(0, 40, 48)[None, :, None]
    value = np.stack([np.roll(ramp.repeat(3, 0) + 5 * n, 5 * n, axis=2) for n in range(6)]).astype(np.uint8)
    spec = RgbSpec(name="r", frames=6, fps=5.0)
    medium = draw(spec.display(value)[0], BEST)
    assert medium.mime in {"image/png", "image/jpeg"}
    assert np.abs(frames_of(pixels(medium), 6).astype(int) - value.transpose(0, 2, 3, 1)).max() <= 60  # at the edges
    assert np.abs(frames_of(pixels(medium), 6).astype(int) - value.transpose(0, 2, 3, 1)).mean() <= 2
    assert medium.caption == "6 frames, at 0.10, 0.30, 0.50, 0.70, 0.90, 1.10 s"


def test_many_large_frames_become_fewer_and_smaller_ones_and_it_is_said():
    value = (DRAW.integers(0, 2, (20, 3, 6, 8)).repeat(40, 2).repeat(40, 3) * 255).astype(np.uint8)
    medium = draw(RgbSpec(name="r", frames=20, fps=10.0, height=240, width=320).display(value)[0], SMALLEST)
    strip = pixels(medium)
    assert strip.shape == (36, 3 * 48 + 2 * GAP, 3)
    assert medium.caption == "3 of 20 frames, at 0.05, 1.05, 1.95 s; 320 x 240 pixels in the data"
    middles = value[:, :, 20::40, 20::40].transpose(0, 2, 3, 1)
    for shown, number in zip(frames_of(strip, 3), (0, 10, 19), strict=True):
        assert np.abs(shown[3::6, 3::6].astype(int) - middles[number]).max() < 60


def wheel_by_hand(u, v):
    """The colour of one vector of flow of length 0..1 on the wheel of Baker et al. (2011), from its segments."""
    segments = {"RY": 15, "YG": 6, "GC": 4, "CB": 11, "BM": 13, "MR": 6}
    corners = {
        "R": (255, 0, 0),
        "Y": (255, 255, 0),
        "G": (0, 255, 0),
        "C": (0, 255, 255),
        "B": (0, 0, 255),
        "M": (255, 0, 255),
    }
    colours = []
    for (start, end), steps in segments.items():
        for step in range(steps):
            change = np.floor(255 * step / steps)
            here, there = np.array(corners[start], float), np.array(corners[end], float)
            colours.append(here + np.sign(there - here) * change)
    colours = np.array(colours) / 255
    angle = np.arctan2(-v, -u) / np.pi
    place = (angle + 1) / 2 * (len(colours) - 1)
    low = int(place)
    high = (low + 1) % len(colours)
    colour = (1 - (place - low)) * colours[low] + (place - low) * colours[high]
    return np.floor(255 * (1 - np.hypot(u, v) * (1 - colour)))


def test_flow_has_the_colours_of_the_wheel():
    flow = np.zeros((1, 2, 12, 12), np.float16)
    for number, angle in enumerate(np.linspace(0, 2 * np.pi, 12, endpoint=False)):
        for step in range(12):
            length = 3.0 * step / 11
            flow[0, :, step, number] = length * np.cos(angle), length * np.sin(angle)
    medium = draw(FlowSpec(name="f", frames=1, height=12, width=12).display(flow)[0], BEST)
    found = pixels(medium).astype(int)
    largest = np.hypot(*flow[0].astype(np.float64)).max()
    for y in range(12):
        for x in range(12):
            u, v = flow[0, :, y, x].astype(np.float64) / largest
            assert np.abs(found[y, x] - wheel_by_hand(u, v)).max() <= 2, (y, x)
    assert "full colour is 3 pixels a frame" in medium.caption
    assert (found[0] >= 254).all()  # rest is white
    resting = draw(FlowSpec(name="f", frames=1, height=12, width=12).display(np.zeros_like(flow))[0], BEST)
    assert (pixels(resting) == 255).all()


def points(path):
    """y of a path `M0 yl1 dy 1 dy`."""
    start, _, steps = path.removeprefix("M0 ").partition("l")
    numbers = [int(word) for word in re.findall(r"-?\d+", steps)]
    assert all(step == 1 for step in numbers[::2])
    return np.cumsum([int(start), *numbers[1::2]])


def test_traces_have_the_numbers_of_the_series_on_one_scale():
    series = np.stack([np.sin(np.arange(90) / 7), 3 + DRAW.normal(size=90)]).astype(np.float32)
    medium = draw(SequenceSpec(name="s", channels=2, length=90, rate=30.0).display(series)[0], BEST)
    low, high = series.min(), series.max()
    for path, channel in zip(medium.drawn.paths, series, strict=True):
        found = high - points(path) / HEIGHT * (high - low)
        assert np.abs(found - channel).max() <= 0.51 * (high - low) / HEIGHT
    assert medium.drawn.width == 89
    assert medium.drawn.zero == round(HEIGHT * high / (high - low))
    assert medium.caption == f"2 channels over 3.00 s, from {low:.3g} to {high:.3g}"


def test_a_spike_of_a_long_series_is_seen():
    series = np.zeros((1, 100_000), np.float32)
    series[0, 77_777], series[0, 12_345] = 5, -5
    drawn = draw(Traces(series), BEST).drawn
    found = points(drawn.paths[0])
    assert len(found) == MOST_POINTS
    assert (found.min(), found.max()) == (0, HEIGHT)
    assert found.argmax() < found.argmin()  # -5 came first
    assert len(drawn.paths[0]) < 2_000


@pytest.mark.parametrize("series", [[[2.0]], [[1.0, 1.0, 1.0]], [[0.0, 0.0]], [[-3.0, -2.0]]])
def test_traces_of_little_are_drawn(series):
    drawn = draw(Traces(np.array(series, np.float32)), BEST).drawn
    assert re.fullmatch(r"M0 \d+(h1|l1[ -][\d -]+)", drawn.paths[0])
    assert drawn.width >= 1


def test_bars_have_the_numbers_of_the_vector():
    vector = DRAW.normal(size=30).astype(np.float32)
    drawn = draw(VectorSpec(name="v", size=30).display(vector)[0], BEST).drawn
    found = re.findall(r"M(\d+) (\d+)V(\d+)", drawn.paths[0])
    low, high = min(0, vector.min()), max(0, vector.max())
    assert [int(x) for x, _, _ in found] == list(range(1, 60, 2))
    assert {int(zero) for _, zero, _ in found} == {drawn.zero} == {round(HEIGHT * high / (high - low))}
    tops = high - np.array([int(top) for _, _, top in found]) / HEIGHT * (high - low)
    assert np.abs(tops - vector).max() <= 0.51 * (high - low) / HEIGHT
    long = np.zeros(1000, np.float32)
    long[123] = -7
    medium = draw(Bars(long), BEST)
    assert medium.drawn.paths[0].count("M") == MOST_BARS
    assert f"V{HEIGHT}" in medium.drawn.paths[0]
    assert medium.alternative.endswith("the largest magnitude is -7, at number 124")


def test_embeddings_are_shown_without_their_padding():
    spec = EmbeddingSpec(name="e", tokens=9, size=4)
    vectors = DRAW.normal(size=(3, 4)).astype(np.float32)
    (heatmap,) = spec.display(spec.stored(vectors))
    assert np.array_equal(heatmap.values, vectors.T)
    assert (heatmap.across, heatmap.up) == ("3 vectors", "4 numbers each")


def test_a_text_is_shown_with_the_tokens_that_are_kept():
    (words,) = TextSpec(name="t", max_tokens=3).display("A Fox, a hen and corn!")
    assert words == Words("A Fox, a hen and corn!", ("a", "fox", ",", "a"), cut=True)
    (whole,) = TextSpec(name="t").display("A Fox!")
    assert whole == Words("A Fox!", ("a", "fox", "!"), cut=False)
    (first,) = TextSpec(name="t", tokenizer=1, max_tokens=9).display("A fox, a hen.")
    assert first == Words("A fox, a hen.", ("a", "fox", "a", "hen"), cut=False)
    assert draw(words, BEST).caption == "4 tokens, the rest is cut off"
    assert draw(Words("", ()), BEST).text == "(empty text)"
    long = draw(Words("word " * 5_000, ("word",) * 5_000), BEST)
    assert len(long.text) < 1_100
    assert len(long.tokens) == 80
    assert long.caption == "5,000 tokens; 80 are shown"


def test_constant_and_tiny_values_are_drawn():
    for heatmap in (np.zeros((3, 4), np.float32), np.full((1, 1), 2.5, np.float32)):
        assert pixels(draw(Heatmap(heatmap, "x", "a", "b"), BEST)).shape == (*heatmap.shape, 3)
    assert draw(Facts("x" * 9_999), BEST).text == "x" * 1_000
    assert draw(Bars(np.zeros(1, np.float32)), BEST).drawn.paths
