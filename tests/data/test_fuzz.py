"""Turned, cut and repeated bytes in every file that a user hands in: it is read, or refused in words; nothing else.

The draws are the same in every run: what ends the process inside a library would end the tests as well.
"""

import gzip
import io
import itertools
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from raymm.data.decode import read_sample
from raymm.data.kinds import AudioSpec, ImageSpec, RgbSpec
from raymm.data.manifest import load_manifest
from raymm.data.media.arrays import read_array, shape_of
from raymm.data.media.problem import MediaError
from raymm.data.media.video import read_frames
from raymm.data.media.write import write_wav
from raymm.data.record import Record
from raymm.data.schema import SPLITS, Schema
from raymm.data.tokens import is_cut, word_count
from raymm.errors import RaymmError
from tests.data.clips import clip, tone
from tests.data.media.signals import mux, video
from tests.limits import within_limits

ROWS = [
    {"sample_id": f"s{n}", "file": f"{n}.wav", "label": "ab"[n % 2], "split": SPLITS[n // 2], "t": f"text ü {n}"}
    for n in range(6)
]
NUMBERS = [{**row, "v": [1.0 * n, 2.0], "m": [[1.0, 2.0], [3.0, 4.0]]} for n, row in enumerate(ROWS)]
KINDS = {"audio": "audio", "t": "text"}


def written(write):
    sink = io.BytesIO()
    write(sink)
    return sink.getvalue()


def arrow(new, **options):
    table = pa.Table.from_pylist(NUMBERS)

    def write(sink):
        with new(sink, table.schema, **options) as writer:
            writer.write_table(table)

    return written(write)


CSV = "sample_id,file,label,split,t\n" + "".join(f'{",".join(list(row.values())[:4])},"{row["t"]}"\n' for row in ROWS)
TABLES = {
    "m.csv": CSV.encode(),
    "wide.csv": CSV.replace(",", ";").encode("utf-16"),
    "m.csv.gz": gzip.compress(CSV.encode(), mtime=0),
    "m.jsonl": "\n".join(map(json.dumps, NUMBERS)).encode(),
    "m.parquet": written(lambda sink: pq.write_table(pa.Table.from_pylist(NUMBERS), sink)),
    "plain.parquet": written(
        lambda sink: pq.write_table(pa.Table.from_pylist(NUMBERS), sink, compression="none", use_dictionary=False)
    ),
    "m.arrow": arrow(pa.ipc.new_file),
    "stream.arrow": arrow(pa.ipc.new_stream),
    "packed.arrow": arrow(pa.ipc.new_file, options=pa.ipc.IpcWriteOptions(compression="lz4")),
}
ARRAYS = {
    "a.npy": written(lambda sink: np.save(sink, np.arange(6.0).reshape(2, 3))),
    "a.npz": written(lambda sink: np.savez(sink, x=np.arange(6.0).reshape(2, 3))),
    "packed.npz": written(lambda sink: np.savez_compressed(sink, x=np.arange(6.0).reshape(2, 3))),
}

CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True), st.sampled_from(["turn", "set", "cut", "repeat"]), st.integers(0, 255)
    ),
    min_size=1,
    max_size=6,
)


def changed(content, changes):
    """Bytes with some of them turned or set, a rest cut off, or a piece repeated."""
    for where, how, byte in changes:
        place = int(where * len(content))
        if how == "cut":
            content = content[: max(place, 1)]
        elif how == "repeat":
            content = content[:place] + content[place : place + byte] * 2 + content[place:]
        else:
            value = byte if how == "set" else content[place] ^ (1 << byte % 8)
            content = content[:place] + bytes([value]) + content[place + 1 :]
    return content


def outcome(read, *refusals):
    """Whether something was read or refused; any other error is one of the test, and so is time or memory."""
    with within_limits():
        try:
            read()
        except refusals as cause:
            return str(cause)
        return "read"


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=120, deadline=None, derandomize=True)
@given(changes=CHANGES)
def test_manifests(tmp_path_factory, name, changes):
    folder = tmp_path_factory.getbasetemp()
    path = folder / name
    path.write_bytes(changed(TABLES[name], changes))
    kinds = KINDS if "csv" in name else {**KINDS, "v": "vector", "m": "sequence"}
    said = outcome(lambda: load_manifest(path, folder, kinds), RaymmError)
    assert said == "read" or said.startswith(str(path))


@pytest.mark.parametrize("name", ARRAYS)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(changes=CHANGES)
def test_arrays(tmp_path_factory, name, changes):
    folder = tmp_path_factory.getbasetemp()
    (folder / name).write_bytes(changed(ARRAYS[name], changes))
    cell = name if name.endswith(".npy") else f"{name}#x"
    assert outcome(lambda: shape_of(cell, folder), MediaError)
    assert outcome(lambda: read_array(cell, folder / name), MediaError)


def media(folder):
    """Small files by name, and the kinds that read them."""
    Image.fromarray(np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)).save(folder / "p.png")
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(folder / "p.jpg")
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(folder / "p.gif")
    write_wav(folder / "s.wav", tone(0.1), 16_000)
    clip(folder / "c.mp4", 0.2, 0.1)
    return {name: (folder / name).read_bytes() for name in ("p.png", "p.jpg", "p.gif", "s.wav", "c.mp4")}


MODALITIES = {
    "p": ImageSpec(name="p", height=8, width=8),
    "s": AudioSpec(name="s", seconds=0.1),
    "c": RgbSpec(name="c", frames=2, fps=10, height=8, width=8),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return media(tmp_path_factory.mktemp("media"))


@pytest.mark.parametrize("name", ["p.png", "p.jpg", "p.gif", "s.wav", "c.mp4"])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(changes=CHANGES)
def test_media(tmp_path_factory, files, name, changes):
    folder = tmp_path_factory.getbasetemp()
    (folder / name).write_bytes(changed(files[name], changes))
    spec = MODALITIES[name[0]]
    schema = Schema(modalities=[spec], classes=["a", "b"])
    record = Record("s0", "train", 0, name, {spec.name: name})
    assert outcome(lambda: read_sample(record, schema, folder), RaymmError) == "read"


@pytest.mark.parametrize(
    "content",
    [
        written(lambda sink: pq.write_table(pa.table({"label": ["a"], "v": [np.zeros(2**25)]}), sink)),
        gzip.compress(b"label,t\n" + b"a,b\n" * 2**25, mtime=0),
        b"label,t\n" + b'a,"' + b"x" * 2**20,
        b"label,t\n" * 2**17,
        b"," * 2**20,
        b"label,t\n" + b"".join(b"c%d,x\n" % row for row in range(110_000)),
        pytest.param(
            b"label,t,split\n" + b"".join(b"c%d,x,train\n" % row for row in range(70_000)), marks=pytest.mark.long
        ),
        b"".join(b'{"label": "%d", "t": "x"}\n' % row for row in range(34_000)),
        b'{"label": ' + b"[" * 2**20,
        b'{"label": "' + b"\\u0041" * 2**17 + b'"}',
        np.lib.format.MAGIC_PREFIX
        + b"\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }",
    ],
    ids=lambda content: f"{content[:8]!r}",
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_megabyte_of_anything_is_refused_in_time(tmp_path, content, suffix):
    assert len(content) <= 2**20 + 16
    path = tmp_path / f"m.{suffix}"
    path.write_bytes(content)
    assert outcome(lambda: load_manifest(path, tmp_path, {"t": "text"}), RaymmError) != "read"


@pytest.mark.parametrize(
    ("rows", "labels", "each", "expected"),
    [
        pytest.param(80_000, 300, 2, "read", marks=pytest.mark.long),
        (78_000, 2_500, 2, "read"),  # just below so many marks that labels of few samples are refused
        pytest.param(39_000, 5_000, 3, "read", marks=pytest.mark.long),
        (200, 150_000, 750, "read"),
        (50_000, 50_000, 2, "50,000 different labels in 50,000 samples, 2.0 samples a label on average"),
    ],
)
def test_a_megabyte_of_several_labels_a_sample_is_read_in_time(tmp_path, rows, labels, each, expected):
    path = tmp_path / "m.csv"
    number = itertools.cycle(range(labels))
    cells = ("|".join(f"{next(number) * 7 % labels:x}g" for _ in range(each)) for _ in range(rows))
    path.write_text("label,t\n" + "".join(f"{cell},x\n" for cell in cells))
    assert path.stat().st_size <= 2**20
    assert expected in outcome(lambda: load_manifest(path, tmp_path, {"t": "text"}), RaymmError)


LONG = "x" * 300_000


@pytest.mark.parametrize(
    ("head", "cell", "row", "classes", "expected"),
    [
        (
            "label,t,split\n",
            f"a,x,{LONG}\n",
            lambda row: f"c{row % 2},x,train\n",
            None,
            "row 1: its split has 300000 letters",
        ),
        ("label,t\n", f"{LONG},x\n", lambda row: f"c{row % 10_000},x\n", None, "1 of 10001 classes have fewer files"),
        (
            "label,t\n",
            "",
            lambda row: f"cat {row},x\n",
            100,
            "100 different labels are wrong; those behind row 100",
        ),
        ("label,t\n", "", lambda row: f"cat {row % 7},x\n", 400, "50000 problems"),
        ("label,t\n", "", lambda row: f"{row % 7},x\n", 20_000, "class 000199 and 19,800 more"),
        (
            "label,t\n",
            "",
            lambda row: f"cat {row}|{row},x\n",
            100,
            "100 different labels are wrong; those behind row 100",
        ),
    ],
    ids=["split", "class", "labels", "same labels", "many classes", "several labels"],
)
def test_a_megabyte_of_wrong_cells_is_refused_in_time(tmp_path, head, cell, row, classes, expected):
    path = tmp_path / "m.csv"
    path.write_text(head + cell + "".join(row(number) for number in range(50_000)))
    assert path.stat().st_size <= 2**20
    names = classes and [f"class {number:06d}" for number in range(classes)]
    assert expected in outcome(lambda: load_manifest(path, tmp_path, {"t": "text"}, classes=names), RaymmError)


@pytest.mark.parametrize(
    ("rows", "groups", "classes", "expected"),
    [
        pytest.param(60_000, 60_000, 1_000, "read", marks=pytest.mark.long),
        (60_000, 60_000, 20_000, "read"),
        (60_000, 60_000, 60_000, "60000 of 60000 classes have fewer groups"),
        pytest.param(80_000, 2, 40_000, "40000 of 40000 classes have fewer groups", marks=pytest.mark.long),
    ],
)
def test_a_megabyte_of_groups_is_read_in_time(tmp_path, rows, groups, classes, expected):
    path = tmp_path / "m.csv"
    lines = (f"{row * groups // rows},c{row % classes},x\n" for row in range(rows))
    path.write_text("group,label,t\n" + "".join(lines))
    assert path.stat().st_size <= 2**20
    assert expected in outcome(lambda: load_manifest(path, tmp_path, {"t": "text"}), RaymmError)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("a/", "row 1: the path 'a/a/a/"),
        ("../", "row 1: the path '../../"),
        ("ü", "row 1: the path 'üü"),
    ],
)
def test_a_path_of_a_megabyte_is_refused_in_time(tmp_path, unit, expected):
    path = tmp_path / "m.csv"
    cell = unit * (2**20 // len(unit.encode()) - 5) + "x.wav"
    path.write_text(f"label,file\na,{cell}\nb,x.wav\n")
    said = outcome(lambda: load_manifest(path, tmp_path, {"audio": "audio"}), RaymmError)
    assert expected in said
    assert "bytes, a file system takes 4096; write the path of a file" in said
    assert len(said) < 1_000


@pytest.mark.parametrize(
    ("column", "letters", "expected"),
    [
        ("sample_id", 300_000, "row 1: its id has 300000 letters"),
        ("split", 50_000, "row 1: its split has 50000 letters"),
    ],
)
def test_a_long_text_that_every_row_has_is_refused_in_time(tmp_path, column, letters, expected):
    rows = 10_000
    texts = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int8), ["x" * letters])
    table = pa.table({"label": ["a", "b"] * (rows // 2), "t": ["x"] * rows, column: texts})
    pq.write_table(table, tmp_path / "m.parquet", compression="zstd")
    said = outcome(lambda: load_manifest(tmp_path / "m.parquet", tmp_path, {"t": "text"}), RaymmError)
    assert expected in said
    assert len(said) < 10_000


def test_a_table_without_labels_is_refused_in_time(tmp_path):
    pq.write_table(pa.table({"label": pa.nulls(500_000), "t": pa.nulls(500_000)}), tmp_path / "m.parquet")
    said = outcome(lambda: load_manifest(tmp_path / "m.parquet", tmp_path, {"t": "text"}), RaymmError)
    assert said.endswith("column 'label' is empty in every row; write what each sample is")


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "!",
        "é\u0301",
        "\u0300\u0327",
        "\N{THUMBS UP SIGN}\u200d",
        *(pytest.param(unit, marks=pytest.mark.long) for unit in ("ab ", "東", "\u200d", "1")),
    ],
)
def test_a_megabyte_of_text_is_taken_apart_in_time(unit):
    text = unit * (2**20 // len(unit.encode()))
    with within_limits():
        count = word_count(text)
        cut = is_cut(text, 64)
    assert cut == (count > 64)


def test_frames_that_are_passed_over_take_no_memory(tmp_path):
    """Some kilobytes of 4K: 120 frames, of which three are kept."""
    still = np.full((2160, 3840, 3), 128, np.uint8)
    path = mux(tmp_path / "a.mp4", [video(np.broadcast_to(still, (120, *still.shape)), "mpeg4", g="120")])
    assert path.stat().st_size < 2**20
    with within_limits():
        shown = read_frames(path, [0.0, 1.0, 4.7])
    assert len(shown.pictures) == 3


def test_arrays_that_say_more_than_they_hold_take_no_memory(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**12,)})
    np.savez_compressed(tmp_path / "b.npz", x=np.zeros(2**27, np.float32))
    assert (tmp_path / "b.npz").stat().st_size < 2**20
    for cell, words in (
        ("a.npy", "it says that it holds [1000000000000] numbers"),
        ("b.npz#x", "'x' says that it has"),
    ):
        assert words in outcome(lambda cell=cell: read_array(cell, tmp_path / cell[:5]), MediaError)
        assert words in outcome(lambda cell=cell: shape_of(cell, tmp_path), MediaError)


def of_wav(rate, channels=1):
    """A WAV file of any sample rate."""
    data = (8000 * np.sin(np.arange(16_000 * channels) / 9)).astype("<i2").tobytes()
    head = np.array([1, channels], "<u2").tobytes() + np.array([rate, rate * 2 * channels % 2**32], "<u4").tobytes()
    body = b"fmt " + (16).to_bytes(4, "little") + head + np.array([2 * channels, 16], "<u2").tobytes()
    body += b"data" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WAVE" + body


@settings(max_examples=20, deadline=None, derandomize=True)
@given(rate=st.one_of(st.integers(1, 400_000), st.integers(0, 2**32 - 1)))
@example(rate=44_101)
@example(rate=96_001)
@example(rate=1)
def test_any_sample_rate(tmp_path_factory, rate):
    folder = tmp_path_factory.getbasetemp()
    (folder / "rate.wav").write_bytes(of_wav(rate))
    record = Record("s0", "train", 0, "rate.wav", {"s": "rate.wav"})
    schema = Schema(modalities=[MODALITIES["s"]], classes=["a", "b"])
    assert outcome(lambda: read_sample(record, schema, folder), RaymmError) == "read"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", ["p", "c"])
@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 10**5), st.integers(1, 10**5)).filter(lambda size: size[0] * size[1] < 2**24),
    mode=st.sampled_from(["RGBA", "P", "L", "1", "I;16"]),
)
@example(size=(13_300, 13_300), mode="1")
@example(size=(20_000, 20_000), mode="1")
@example(size=(10_000, 9_000), mode="P")
def test_any_size_of_a_picture(tmp_path_factory, kind, size, mode):
    folder = tmp_path_factory.getbasetemp()
    Image.new(mode, size).save(folder / "size.png", compress_level=1, **({"transparency": 0} if mode == "P" else {}))
    spec = ImageSpec(name="p", height=8, width=8) if kind == "p" else MODALITIES["c"]
    record = Record("s0", "train", 0, "size.png", {spec.name: "size.png"})
    schema = Schema(modalities=[spec], classes=["a", "b"])
    assert outcome(lambda: read_sample(record, schema, folder), RaymmError) == "read"
