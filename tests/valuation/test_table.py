"""The valuation table: what is written is what is read, and damage is never read."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymm.errors import DataError
from raymm.valuation import TableInfo, ValuationTable, join_tables, read_table, write_table
from raymm.valuation.bits import pack_bits, unpack_bits
from raymm.valuation.table import TableWriter


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
    )


def test_round_trip(tmp_path):
    table = make_table()
    write_table(tmp_path / "t.parquet", table)
    assert same(read_table(tmp_path / "t.parquet"), table)
    assert not same(read_table(tmp_path / "t.parquet"), make_table(seed=1))


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
    ]
    about = json.loads(schema.metadata[b"raymm"])
    assert about["modalities"] == ["m0", "m1", "m2"]
    assert {"utility", "masking", "method", "fingerprint", "epoch"} <= set(about)
    assert pq.read_table(tmp_path / "t.parquet").column("phi_m1").null_count == 1


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
    columns = ("sample_id", "split", "label", "prediction", "phi", "outcomes", "loss", "stderr", "unimodal_correct")
    parts = [
        ValuationTable(table.info, **{name: getattr(table, name)[rows] for name in columns})
        for rows in (slice(0, 100), slice(100, 300))
    ]
    assert same(join_tables(parts), table)
    assert not same(join_tables(parts[::-1]), table)


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
            rows = slice(start, start + 77)
            columns = (
                "sample_id",
                "split",
                "label",
                "prediction",
                "phi",
                "outcomes",
                "loss",
                "stderr",
                "unimodal_correct",
            )
            writer.write(ValuationTable(table.info, **{name: getattr(table, name)[rows] for name in columns}))
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
