"""The valuation table: what is written is what is read, and damage is never read."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import raymm.valuation.table_file as table_module
from raymm.errors import DataError
from raymm.valuation import TableInfo, ValuationTable, join_tables, read_table, write_table
from raymm.valuation.bits import pack_bits, unpack_bits
from raymm.valuation.table import regrouped
from raymm.valuation.table_file import TableWriter, write_tables
from tests.limits import within_limits
from tests.reports.tables import rows_of


def make_table(rows=300, n=3, seed=0):
    generator = np.random.default_rng(seed)
    phi = generator.normal(size=(rows, n))
    phi[0, 1] = np.nan
    correct = generator.random((rows, 2**n)) < 0.5
    names = tuple(f"m{i}" for i in range(n))
    return ValuationTable(
        info=TableInfo(names, "count", "zeros", "abc123", epoch=4),
        sample_id=np.array([f"clip-{i}" for i in range(rows)]),
        split=np.full(rows, "test"),
        label=generator.integers(5, size=rows),
        prediction=generator.integers(5, size=rows),
        phi=phi,
        outcomes=pack_bits(correct),
        loss=generator.random(rows),
        stderr=np.where(np.isnan(phi), np.nan, 0.0),
        unimodal_correct=correct[:, [1 << i for i in range(n)]],
        source=np.array([f"clips/{i}.mp4" if i else "" for i in range(rows)]),
    )


def sampled(table):
    """The same rows as if not all coalitions had been evaluated."""
    info = replace(table.info, method="sampled", budget=40)
    stderr = np.where(np.isnan(table.phi), np.nan, 0.25)
    return replace(table, info=info, outcomes=np.empty((len(table), 0), np.uint8), stderr=stderr)


def same(a, b):
    return (
        a.info == b.info
        and (a.sample_id == b.sample_id).all()
        and (a.label == b.label).all()
        and (a.prediction == b.prediction).all()
        and np.array_equal(a.phi, b.phi, equal_nan=True)
        and np.array_equal(a.outcomes, b.outcomes)
        and np.array_equal(a.stderr, b.stderr, equal_nan=True)
        and np.array_equal(a.unimodal_correct, b.unimodal_correct)
        and np.array_equal(a.source, b.source)
    )


@pytest.mark.parametrize("n", [3, 9, 13])
def test_round_trip(tmp_path, n):
    table = make_table(n=n)
    write_table(tmp_path / "t.parquet", table)
    assert same(read_table(tmp_path / "t.parquet"), table)
    assert not same(read_table(tmp_path / "t.parquet"), make_table(n=n, seed=1))


def test_columns_types_and_metadata_are_those_of_the_format(tmp_path):
    write_table(tmp_path / "t.parquet", make_table())
    schema = pq.read_schema(tmp_path / "t.parquet")
    assert [(field.name, str(field.type)) for field in schema] == [
        ("sample_id", "string"),
        ("split", "string"),
        ("label", "int32"),
        ("prediction", "int32"),
        ("phi_m0", "double"),
        ("phi_m1", "double"),
        ("phi_m2", "double"),
        ("outcomes", "binary"),
        ("source", "string"),
        ("label_name", "string"),
        ("prediction_name", "string"),
    ]
    about = json.loads(schema.metadata[b"raymm"])
    assert about["modalities"] == ["m0", "m1", "m2"]
    assert {"utility", "masking", "method", "fingerprint", "epoch"} <= set(about)
    assert pq.read_table(tmp_path / "t.parquet").column("phi_m1").null_count == 1


def test_names_of_classes_stand_beside_their_positions(tmp_path):
    named = replace(make_table(), info=replace(make_table().info, class_names=("1", "2", "10", "a", "ü")))
    write_table(tmp_path / "t.parquet", named)
    rows = pq.read_table(tmp_path / "t.parquet")
    for column in ("label", "prediction"):
        expected = [named.info.class_names[position] for position in rows.column(column).to_pylist()]
        assert rows.column(f"{column}_name").to_pylist() == expected
    again = read_table(tmp_path / "t.parquet")
    assert same(again, named)
    assert again.text(again.label[:2]).tolist() == rows.column("label_name").to_pylist()[:2]


def test_names_of_several_labels_are_joined(tmp_path):
    label = np.array([[True, False, True], [False, False, False]])
    fields = {"name": "multilabel", "threshold": 0.5, "match": 1.0, "separator": "|"}
    table = make_table(rows=2)
    info = replace(table.info, task=fields, classes=3, class_names=("a", "b", "c"))
    write_table(
        tmp_path / "t.parquet",
        replace(table, info=info, label=label, prediction=~label, probabilities=np.full((2, 3), 0.5)),
    )
    rows = pq.read_table(tmp_path / "t.parquet")
    assert rows.column("label_name").to_pylist() == ["a|c", ""]
    assert rows.column("prediction_name").to_pylist() == ["b", "a|b|c"]


def test_a_table_without_names_or_their_columns_is_read(tmp_path):
    write_table(tmp_path / "t.parquet", make_table())
    rows = pq.read_table(tmp_path / "t.parquet")
    assert rows.column("label_name").null_count == len(rows)
    about = json.loads(rows.schema.metadata[b"raymm"])
    for name in ("class_names", "classes", "task", "format"):
        del about[name]
    old = rows.drop_columns(["label_name", "prediction_name", "source"])
    old = old.replace_schema_metadata({b"raymm": json.dumps(about).encode()})
    pq.write_table(old, tmp_path / "old.parquet", write_page_checksum=True)
    again = read_table(tmp_path / "old.parquet")
    assert again.info == make_table().info
    assert again.text(again.label) is None
    assert again.source is None


def test_sampled_values_keep_their_errors_and_have_no_outcomes(tmp_path):
    table = sampled(make_table())
    write_table(tmp_path / "t.parquet", table)
    again = read_table(tmp_path / "t.parquet")
    assert same(again, table)
    assert not again.enumerated
    columns = pq.read_table(tmp_path / "t.parquet")
    assert columns.column("outcomes").null_count == len(table)
    assert columns.column("stderr_m0").to_pylist()[:2] == [0.25, 0.25]
    with pytest.raises(
        DataError, match=r"the values are sampled: not all coalitions were evaluated; use valuation\.method=exact"
    ):
        again.correct()


def test_joined_parts_are_the_whole():
    table = make_table()
    parts = [rows_of(table, rows) for rows in (slice(0, 100), slice(100, 300))]
    assert same(join_tables(parts), table)
    assert not same(join_tables(parts[::-1]), table)


def test_parts_that_come_one_by_one_are_joined_into_rows_that_are_counted_before():
    table = make_table()
    parts = [table.part(start, start + table_module.PIECE) for start in (0, 300)]
    assert [len(part) for part in parts] == [300, 0]
    short = replace(table, sample_id=np.array([f"{i}" for i in range(300)]), source=np.full(300, ""))
    joined = join_tables(iter([short, table]), 600)  # longer strings come later
    assert joined.sample_id.tolist() == short.sample_id.tolist() + table.sample_id.tolist()
    assert joined.source.tolist() == [""] * 300 + table.source.tolist()
    assert np.array_equal(joined.phi, np.concatenate([table.phi, table.phi]), equal_nan=True)
    assert same(join_tables(iter([table]), 300), table)
    with pytest.raises(AssertionError):
        join_tables(iter([table]), 301)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 11))
def test_tables_that_come_one_by_one_are_cut_anew(lengths, rows):
    table = make_table(rows=sum(lengths))
    starts = np.cumsum([0, *lengths])
    taken, cut = [], []

    def parts():
        for start, length in zip(starts, lengths, strict=False):
            taken.append(length)
            yield table.part(int(start), int(start) + length)

    for piece in regrouped(parts(), rows):
        cut.append(piece)
        assert sum(taken[:-1]) < len(cut) * rows  # no table is taken before it is needed
    assert [len(piece) for piece in cut[:-1]] == [rows] * (len(cut) - 1)
    assert 0 < len(cut[-1]) <= rows
    assert same(join_tables(cut), table)


@pytest.mark.parametrize("lengths", [[100, 100, 100], [1, 298, 1], [300], [64, 64, 64, 64, 44]])
def test_tables_that_come_one_by_one_make_the_file_of_the_whole(tmp_path, monkeypatch, lengths):
    monkeypatch.setattr(table_module, "PIECE", 64)
    table, starts = make_table(), np.cumsum([0, *lengths])
    write_table(tmp_path / "whole.parquet", table)
    parts = (table.part(int(start), int(start) + length) for start, length in zip(starts, lengths, strict=False))
    write_tables(tmp_path / "parts.parquet", parts)
    with TableWriter(tmp_path / "at_once.parquet", table.info) as writer:
        writer.write(table)
    for other in ("parts.parquet", "at_once.parquet"):
        assert (tmp_path / other).read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert pq.ParquetFile(tmp_path / "parts.parquet").num_row_groups == 5


def test_a_table_is_written_and_read_piece_by_piece_alike(tmp_path, monkeypatch):
    whole = [make_table(), sampled(make_table()), replace(make_table(), source=None)]
    for number, table in enumerate(whole):
        write_table(tmp_path / f"{number}.parquet", table)
    monkeypatch.setattr(table_module, "PIECE", 7)
    for number, table in enumerate(whole):
        write_table(tmp_path / "pieces.parquet", table)
        read = [
            pq.read_table(path).to_pydict() for path in (tmp_path / f"{number}.parquet", tmp_path / "pieces.parquet")
        ]
        assert repr(read[0]) == repr(read[1])
        again = read_table(tmp_path / "pieces.parquet")
        assert same(replace(again, source=None), replace(table, source=None))
        assert (again.source is None) == (table.source is None)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_bit_c_is_coalition_c(n):
    correct = np.zeros((2**n, 2**n), bool)
    np.fill_diagonal(correct, val=True)
    packed = pack_bits(correct)
    for c in range(2**n):
        assert int.from_bytes(packed[c].tobytes(), "little") == 1 << c
    assert (unpack_bits(packed, 2**n) == correct).all()


def test_parts_make_the_same_file_as_the_whole(tmp_path):
    table = make_table()
    with TableWriter(tmp_path / "parts.parquet", table.info) as writer:
        for start in range(0, 300, 77):
            writer.write(rows_of(table, slice(start, start + 77)))
    assert same(read_table(tmp_path / "parts.parquet"), table)


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(tmp_path, part):
    path = tmp_path / "t.parquet"
    write_table(path, make_table())
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(DataError, match=r"t\.parquet: not a readable Parquet file"):
        read_table(path)


def test_a_changed_page_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, make_table(rows=5_000))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 16] = bytes(byte ^ 0xFF for byte in content[middle : middle + 16])
    path.write_bytes(content)
    with pytest.raises(DataError, match="value the split again"):
        read_table(path)


def test_another_parquet_file_is_refused(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="not a valuation table"):
        read_table(tmp_path / "a.parquet")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.parquet: no such file"):
        read_table(tmp_path / "gone.parquet")


def rewritten(path, metadata=None, **columns):
    """The file with other metadata and columns, as another version might have written it."""
    rows = pq.read_table(path)
    about = json.loads(rows.schema.metadata[b"raymm"]) | (metadata or {})
    about = {name: value for name, value in about.items() if value is not ...}
    for name, values in columns.items():
        if values is None:
            rows = rows.drop_columns([name])
        elif name in rows.column_names:
            rows = rows.set_column(rows.column_names.index(name), name, values)
        else:
            rows = rows.append_column(name, values)
    pq.write_table(rows.replace_schema_metadata({b"raymm": json.dumps(about).encode()}), path)


@pytest.fixture(params=[make_table, lambda: sampled(make_table())], ids=["exact", "sampled"])
def written(request, tmp_path):
    table = request.param()
    write_table(tmp_path / "t.parquet", table)
    return table, tmp_path / "t.parquet"


def test_the_format_stands_in_the_file_and_its_absence_is_format_1(written):
    table, path = written
    assert json.loads(pq.read_schema(path).metadata[b"raymm"])["format"] == 1
    rewritten(path, {"format": ...})
    assert "format" not in json.loads(pq.read_schema(path).metadata[b"raymm"])
    assert same(read_table(path), table)


@pytest.mark.parametrize("number", [2, 17, "2"])
def test_a_newer_format_is_refused_by_name(written, number):
    _, path = written
    rewritten(path, {"format": number})
    message = rf"t\.parquet: a valuation table of format {number}, and this raymm reads formats up to 1; update raymm"
    with pytest.raises(DataError, match=message):
        read_table(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("modalities", "ab"), ("modalities", [1]), ("modalities", None), ("utility", 3), ("fingerprint", None),
        ("epoch", "x"), ("classes", "4"), ("budget", [1]), ("task", "x"), ("class_names", "ab"),
        ("task", {}), ("classes", -1), ("classes", 2**31), ("classes", 10**30), ("modalities", []),
    ],
)  # fmt: skip
def test_metadata_of_another_type_are_named(tmp_path, field, value):
    path = tmp_path / "t.parquet"
    write_table(path, make_table())
    rows = pq.read_table(path)
    about = {**json.loads(rows.schema.metadata[b"raymm"]), field: value}
    pq.write_table(rows.replace_schema_metadata({b"raymm": json.dumps(about).encode()}), path)
    with pytest.raises(DataError, match=rf"t\.parquet: .*'{field}"):
        read_table(path)


@pytest.mark.parametrize("n", [21, 70, 3_000])
def test_exact_values_of_too_many_modalities_are_refused(tmp_path, n):
    write_table(tmp_path / "t.parquet", make_table())
    rewritten(tmp_path / "t.parquet", {"modalities": [f"m{i}" for i in range(n)]})
    with pytest.raises(DataError, match=rf"t\.parquet: .*exact values of {n} modalities, at most 20 may be"):
        read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"3", b"[" * 200_000, b"{", b"\xff"])
def test_metadata_that_are_no_object_are_named(tmp_path, content):
    path = tmp_path / "t.parquet"
    write_table(path, make_table())
    rows = pq.read_table(path)
    pq.write_table(rows.replace_schema_metadata({b"raymm": content}), path)
    with pytest.raises(DataError, match=r"t\.parquet: Parquet, but not a valuation table"):
        read_table(path)


def test_columns_and_metadata_that_are_not_known_are_ignored(written):
    table, path = written
    rewritten(path, {"weather": "fine"}, probability=pa.array(np.zeros(len(table)), pa.float64()))
    assert "probability" in pq.read_schema(path).names
    assert same(read_table(path), table)


def test_columns_that_are_missing_or_of_another_type_are_all_named(written):
    table, path = written
    rewritten(path, prediction=None, label=pa.array(["cat"] * len(table)))
    with pytest.raises(DataError, match=r"of m0, m1, m2: 'label' is string, not int32; 'prediction' is missing"):
        read_table(path)


def test_nulls_and_bits_of_another_length_are_refused(written):
    table, path = written
    bits = "outcomes" if table.enumerated else "alone"
    rewritten(path, label=pa.array([None, *table.label[1:].tolist()], pa.int32()))
    with pytest.raises(DataError, match=r"not a whole valuation table: 'label' is null in 1 rows; value the split"):
        read_table(path)
    write_table(path, table)
    rewritten(path, **{bits: pa.array([b"\0" * 7] * len(table), pa.binary())})
    with pytest.raises(DataError, match=rf"'{bits}' must have 1 bytes in every row"):
        read_table(path)


def long_texts(path, rows=60_000, **columns):
    """A file of many rows, which are written one piece at a time."""
    table = make_table(50)
    with TableWriter(path, table.info) as writer:
        writer.write(table.part(0, 0))
        for start in range(0, rows, 5_000):
            part = pa.Table.from_pydict(
                {
                    "sample_id": [f"s{i}" for i in range(start, start + 5_000)],
                    "split": ["test"] * 5_000,
                    "label": pa.array([1] * 5_000, pa.int32()),
                    "prediction": pa.array([1] * 5_000, pa.int32()),
                    **{f"phi_{name}": [0.5] * 5_000 for name in table.info.modalities},
                    "outcomes": [b"\x0e"] * 5_000,
                    "source": ["f"] * 5_000,
                    "label_name": pa.nulls(5_000, pa.string()),
                    "prediction_name": pa.nulls(5_000, pa.string()),
                }
                | {name: give(start) for name, give in columns.items()}
            )
            writer._writer.write_table(part.cast(writer._schema))


@pytest.mark.parametrize("every", [1, 5_000])
def test_a_source_that_is_very_long_takes_its_room_once(tmp_path, every):
    """A file of 0.5 MB at most, whose sources as texts of one length would take 5 GB."""
    word = "x" * 20_000
    long_texts(
        tmp_path / "t.parquet", source=lambda start: [word if not i % every else f"{start + i}" for i in range(5_000)]
    )
    assert (tmp_path / "t.parquet").stat().st_size < 2**20
    with within_limits():
        table = read_table(tmp_path / "t.parquet")
    assert table.source[[0, 5_000, -1]].tolist() == [word, word, word if every == 1 else "59999"]
    assert set(table.source.tolist()) == {word} | (
        {str(i) for i in range(60_000) if i % 5_000} if every > 1 else set()
    )
    assert table.sample_id.dtype == "<U6"


def test_bits_of_another_length_are_refused_before_they_take_room(tmp_path):
    write_table(tmp_path / "t.parquet", make_table(20_000))
    rows = pq.read_table(tmp_path / "t.parquet")
    bits = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array([b"\0" * 200_000]))
    rows = rows.set_column(rows.column_names.index("outcomes"), "outcomes", bits)
    with pq.ParquetWriter(tmp_path / "t.parquet", rows.schema, store_schema=False) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata(rows.schema.metadata)
    with pytest.raises(DataError, match="'outcomes' must have 1 bytes in every row"), within_limits():
        read_table(tmp_path / "t.parquet")


def test_outcomes_of_many_modalities_take_their_room_once(tmp_path):
    """240 MB of a file of a few kB."""
    table = make_table(50, n=16)
    whole = replace(table, outcomes=np.repeat(table.outcomes[:1], 50, axis=0))
    write_tables(tmp_path / "t.parquet", [whole] * 600)
    with within_limits():
        again = read_table(tmp_path / "t.parquet")
    assert (again.outcomes == whole.outcomes[0]).all()
    assert len(again) == 30_000


def test_an_id_that_is_too_long_is_refused(tmp_path):
    long_texts(
        tmp_path / "t.parquet",
        sample_id=lambda start: ["x" * 200_000 if start + i == 40_001 else f"{start + i}" for i in range(5_000)],
    )
    message = r"t\.parquet: row 40001: its sample_id has 200000 characters, at most 1000 are allowed"
    with pytest.raises(DataError, match=message), within_limits():
        read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize("every", [1, 7, 50])
def test_texts_that_are_references_are_those_of_an_array(tmp_path, monkeypatch, every):
    table = make_table()
    given = [f"{i // every}" if i % 3 else None for i in range(len(table))]
    write_table(tmp_path / "t.parquet", table)
    rewritten(tmp_path / "t.parquet", source=pa.array(given, pa.string()))
    monkeypatch.setattr(table_module, "PIECE", 128)
    short = read_table(tmp_path / "t.parquet")
    monkeypatch.setattr(table_module, "FREE_TEXTS", 0)
    monkeypatch.setattr(table_module, "EXPANSION", 0)
    monkeypatch.setattr(table_module, "_refuse_overfull", lambda *_: None)
    long = read_table(tmp_path / "t.parquet")
    assert (short.source.dtype.kind, long.source.dtype.kind) == ("U", "O")
    assert same(short, long)
    assert long.source.tolist() == short.source.tolist() == [one or "" for one in given]
    write_table(tmp_path / "short.parquet", short)
    write_table(tmp_path / "long.parquet", long)
    assert (tmp_path / "short.parquet").read_bytes() == (tmp_path / "long.parquet").read_bytes()


def test_a_small_file_of_endless_rows_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(table_module, "FREE_ROWS", 2**28)
    path, rows = tmp_path / "t.parquet", 3_000_000
    write_table(path, make_table(1))
    one = pq.read_table(path)
    columns = [pa.repeat(column[0], rows) for column in one.itercolumns()]
    pq.write_table(pa.table(columns, schema=one.schema), path)
    assert path.stat().st_size < 2**20
    message = r"t\.parquet: says that its 3000000 rows take 339000000 bytes, and it has \d+; it is damaged"
    with pytest.raises(DataError, match=message):
        read_table(path)


def test_names_that_are_very_long_are_references():
    table = replace(make_table(60_000), info=replace(make_table().info, class_names=("x" * 20_000, *"bcde")))
    with within_limits():
        names = table.text(table.label)
    assert names.tolist() == [table.info.class_names[label] for label in table.label]
    short = replace(table, info=replace(table.info, class_names=tuple("abcde")))
    assert short.text(table.label).dtype == "<U1"


def test_a_table_without_rows_is_read(tmp_path):
    table = make_table()
    with TableWriter(tmp_path / "t.parquet", table.info):
        pass
    empty = read_table(tmp_path / "t.parquet")
    assert (len(empty), empty.phi.shape, empty.correct().shape) == (0, (0, 3), (0, 8))
    write_table(tmp_path / "none.parquet", table.part(0, 0))
    assert (tmp_path / "none.parquet").read_bytes() == (tmp_path / "t.parquet").read_bytes()
    write_tables(tmp_path / "late.parquet", [table.part(0, 0), table])
    assert same(read_table(tmp_path / "late.parquet"), table)


def test_a_table_may_lack_its_sources(tmp_path):
    """As those of version 0.1.0 do; a column of that name with anything but text is refused."""
    table = make_table()
    write_table(tmp_path / "whole.parquet", table)
    rows = pq.read_table(tmp_path / "whole.parquet")
    pq.write_table(rows.drop_columns(["source"]), tmp_path / "old.parquet", write_page_checksum=True)
    old = read_table(tmp_path / "old.parquet")
    assert old.source is None
    assert same(replace(old, source=table.source), table)
    write_table(tmp_path / "again.parquet", old)
    assert read_table(tmp_path / "again.parquet").source is None
    assert join_tables([table, old]).source is None
    assert join_tables([table, table]).source.tolist() == 2 * table.source.tolist()
    numbers = rows.set_column(rows.column_names.index("source"), "source", pa.array(range(len(rows))))
    pq.write_table(numbers, tmp_path / "numbers.parquet", write_page_checksum=True)
    with pytest.raises(DataError, match="'source' is int64, not string"):
        read_table(tmp_path / "numbers.parquet")
