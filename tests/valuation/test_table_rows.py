"""The valuation table column by column: what is joined, what is written for other readers, what is refused."""

import json
from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import raymm.valuation.table_file as table_module
from raymm.errors import DataError
from raymm.valuation import TableInfo, ValuationTable, join_tables, read_table, write_table
from raymm.valuation.bits import pack_bits
from raymm.valuation.table import regrouped
from raymm.valuation.table_columns import lists
from raymm.valuation.table_file import table_schema
from tests.valuation.test_table import make_table, sampled

COLUMNS = [field.name for field in fields(ValuationTable) if field.name != "info"]
MULTILABEL = {"name": "multilabel", "threshold": 0.5, "match": 1.0, "separator": "|"}


def equal(one, other, but=()):
    """Every column, but some, and the info."""
    for name in COLUMNS:
        if name not in but:
            first, second = getattr(one, name), getattr(other, name)
            assert (first is None) == (second is None), name
            if first is not None:
                assert first.dtype.kind == second.dtype.kind, name
                nan = first.dtype.kind == "f"
                assert np.array_equal(first, second, equal_nan=nan), name
    assert one.info == other.info


def several(rows=20, seed=0):
    """A table of several labels a sample."""
    generator = np.random.default_rng(seed)
    table = make_table(rows=rows, seed=seed)
    info = replace(table.info, task=MULTILABEL, classes=4, class_names=("a", "b", "c", "d"))
    labels = [generator.random((rows, 4)) < 0.5 for _ in range(2)]
    return replace(
        table, info=info, label=labels[0], prediction=labels[1], probabilities=generator.random((rows, 4)),
        split=np.array(["train", "test"] * (rows // 2)),
    )  # fmt: skip


def closed(table):
    """The same rows as if the values were computed from the weights."""
    return replace(sampled(table), info=replace(table.info, method="closed_form"))


KINDS = {
    "exact": lambda: replace(make_table(rows=31), split=np.array([f"s{i % 3}" for i in range(31)])),
    "sampled": lambda: sampled(make_table(rows=31)),
    "several": several,
    "closed_form": lambda: closed(make_table(rows=9)),
}


@pytest.mark.parametrize("piece", [2**15, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_every_column_is_read_as_it_was_written(kind, piece, tmp_path, monkeypatch):
    monkeypatch.setattr(table_module, "PIECE", piece)
    table = KINDS[kind]()
    write_table(tmp_path / "t.parquet", table)
    again = read_table(tmp_path / "t.parquet")
    equal(again, table, but={"loss"})
    assert np.isnan(again.loss).all()
    assert (again.phi.dtype, again.stderr.dtype, again.loss.dtype) == (np.float64,) * 3
    assert pq.ParquetFile(tmp_path / "t.parquet").num_row_groups == -(-len(table) // piece)


def test_a_row_group_has_32768_rows(tmp_path):
    write_table(tmp_path / "t.parquet", make_table(rows=65_537))
    about = pq.ParquetFile(tmp_path / "t.parquet").metadata
    assert [about.row_group(i).num_rows for i in range(about.num_row_groups)] == [32_768, 32_768, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_joined_tables_have_every_column_in_order(kind):
    table = KINDS[kind]()

    def part(start, stop):
        rows = slice(start, stop)
        columns = {name: getattr(table, name) for name in COLUMNS}
        return replace(table, **{name: None if one is None else one[rows] for name, one in columns.items()})

    parts = [part(0, 3), part(3, 3), part(3, 11), part(11, len(table))]
    equal(join_tables(parts), table)
    equal(join_tables(iter(parts), len(table)), table)
    other = replace(parts[1], info=replace(table.info, epoch=99))
    assert join_tables([parts[0], other]).info == table.info
    without = join_tables([parts[0], replace(parts[2], source=None)])
    assert without.source is None
    assert join_tables([replace(parts[0], source=None), parts[2]]).source is None
    for wrong in (len(table) - 1, len(table) + 1):
        with pytest.raises((AssertionError, ValueError)):
            join_tables(iter(parts), wrong)
    for wrong in ([], [part(0, 1), part(1, 2)]):  # one row too many has a place where numpy sees none
        with pytest.raises(AssertionError):
            join_tables(iter(wrong), 1)
    with pytest.raises(AssertionError):
        join_tables([])


def test_pieces_of_one_table_are_views_of_it():
    table = make_table(rows=600)
    cut = list(regrouped([table], 300))
    assert [len(piece) for piece in cut] == [300, 300]
    assert all(np.shares_memory(piece.phi, table.phi) for piece in cut)
    assert [np.shares_memory(piece.phi, table.phi) for piece in regrouped([table, table], 400)] == [True, False, True]


def test_names_are_those_of_the_positions():
    named = replace(make_table(rows=30).info, class_names=("e", "d", "c", "b", "a"))
    table = replace(make_table(rows=30), info=named)
    assert table.text(table.label).tolist() == ["edcba"[label] for label in table.label]
    assert table.text(table.label[:0]).tolist() == []
    assert table.text(np.array([2, 2, 0])).tolist() == ["c", "c", "e"]
    assert make_table().text(np.array([1])) is None
    many = several()
    assert many.text(many.label).tolist() == [
        "|".join(name for name, there in zip("abcd", row, strict=True) if there) for row in many.label
    ]


def test_what_a_table_says_of_itself():
    exact, some, many, of_weights = (KINDS[kind]() for kind in KINDS)
    assert [table.enumerated for table in (exact, some, many, of_weights)] == [True, False, True, False]
    assert [table.shows_right for table in (exact, some, many)] == [True, True, many.task.hard]
    assert [table.shows_outcomes for table in (exact, some)] == [True, False]
    assert exact.grand_correct.tolist() == (exact.prediction == exact.label).tolist()
    assert exact.membership(6).tolist() == [[k == label for k in range(6)] for label in exact.label]
    bits = [[byte >> bit & 1 for byte in row for bit in range(8)] for row in exact.outcomes.tolist()]
    assert exact.correct().astype(int).tolist() == [row[:8] for row in bits]
    with pytest.raises(DataError, match="the values are closed_form: not all coalitions were evaluated"):
        of_weights.correct()
    info = TableInfo(("a",), "count", "zeros", "f")
    assert (info.epoch, info.method, info.budget, info.classes, info.class_names) == (None, "exact", None, 0, ())
    assert (info.task, info.fair_share) == ({"name": "classification"}, 1.0)
    assert (len(exact), len(some)) == (31, 31)
    with pytest.raises(AttributeError):
        exact.phi = None
    with pytest.raises(AttributeError):
        info.epoch = 3


def test_outcomes_of_a_task_without_right_answers_are_refused():
    numbers = np.zeros((3, 2))
    table = make_table(rows=3)
    info = replace(table.info, task={"name": "regression"}, classes=2)
    regression = replace(table, info=info, label=numbers, prediction=numbers)
    assert not regression.shows_right
    assert not regression.shows_outcomes
    with pytest.raises(DataError, match=r"^the task regression does not say which answers are right$"):
        regression.correct()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_single_modalities_are_right_where_their_outcome_is(n, tmp_path):
    generator = np.random.default_rng(n)
    correct = generator.random((20, 2**n)) < 0.5
    alone = np.stack([correct[:, 2**i] for i in range(n)], axis=1)
    table = replace(
        make_table(rows=20, n=max(n, 2)), outcomes=pack_bits(correct), unimodal_correct=alone,
        info=TableInfo(tuple(f"m{i}" for i in range(n)), "count", "zeros", "abc"),
        phi=generator.normal(size=(20, n)), stderr=np.zeros((20, n)),
    )  # fmt: skip
    for one in (table, replace(sampled(table), stderr=generator.random((20, n)))):
        write_table(tmp_path / "t.parquet", one)
        equal(read_table(tmp_path / "t.parquet"), one, but={"loss"})
    column = pq.read_table(tmp_path / "t.parquet").column("alone").to_pylist()
    assert column == [bytes([sum(2**i for i in range(n) if row[i])]) for row in alone]


def test_the_schema_is_the_list_of_the_format():
    info = replace(several().info, method="sampled", modalities=("x", "y"))
    assert [(column.name, str(column.type)) for column in table_schema(info)] == [
        ("sample_id", "string"),
        ("split", "string"),
        *((name, str(several().task.arrow_type(4))) for name in ("label", "prediction")),
        ("probabilities", "fixed_size_list<item: double>[4]"),
        ("phi_x", "double"),
        ("phi_y", "double"),
        ("outcomes", "binary"),
        ("stderr_x", "double"),
        ("stderr_y", "double"),
        ("alone", "binary"),
        ("source", "string"),
        ("label_name", "string"),
        ("prediction_name", "string"),
    ]


def rewritten(path, **columns):
    rows = pq.read_table(path)
    for name, values in columns.items():
        rows = rows.set_column(rows.column_names.index(name), name, values)
    pq.write_table(rows, path)


def test_each_kind_of_damage_is_named_and_a_null_source_is_none(tmp_path):
    path, table = tmp_path / "t.parquet", make_table(rows=12)
    for name in ("sample_id", "split", "label", "prediction", "outcomes"):
        write_table(path, table)
        column = pq.read_table(path).column(name)
        rewritten(path, **{name: pa.array([None, None, *column.to_pylist()[2:]], column.type)})
        with pytest.raises(DataError) as error:
            read_table(path)
        assert str(error.value) == (
            f"{path}: not a whole valuation table: '{name}' is null in 2 rows; value the split again"
        )
    write_table(path, table)
    sources = pq.read_table(path).column("source").to_pylist()
    rewritten(path, source=pa.array([*sources[:5], None, *sources[6:]], pa.string()))
    assert read_table(path).source.tolist() == [*sources[:5], "", *sources[6:]]
    rewritten(path, source=pa.nulls(12, pa.string()))
    assert read_table(path).source is None
    for wrong in ([b"\0"] * 11 + [b""], [b"\0\0"] + [b"\0"] * 11):
        write_table(path, table)
        rewritten(path, outcomes=pa.array(wrong, pa.binary()))
        with pytest.raises(DataError, match="'outcomes' must have 1 bytes in every row"):
            read_table(path)


def test_pages_have_checksums_and_the_format_is_refused_by_what_it_is(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, make_table(rows=12))
    rows = pq.read_table(path)
    about = json.loads(rows.schema.metadata[b"raymm"])
    assert about["format"] == 1
    for number in (2, "1", 1.5, None):
        changed = json.dumps({**about, "format": number}).encode()
        pq.write_table(rows.replace_schema_metadata({b"raymm": changed}), tmp_path / "n.parquet")
        with pytest.raises(
            DataError, match=f"a valuation table of format {number}, and this raymm reads formats up to 1"
        ):
            read_table(tmp_path / "n.parquet")
    for number in (0, -1):
        changed = json.dumps({**about, "format": number}).encode()
        pq.write_table(rows.replace_schema_metadata({b"raymm": changed}), tmp_path / "n.parquet")
        with pytest.raises(DataError, match=f"'format' is {number}: .*; value the split again"):
            read_table(tmp_path / "n.parquet")


def test_no_columns_of_probabilities_are_none(tmp_path):
    table = replace(make_table(rows=5), probabilities=np.empty((5, 0)))
    write_table(tmp_path / "t.parquet", table)
    assert read_table(tmp_path / "t.parquet").probabilities is None
    assert lists(np.empty((5, 0))) is None
    assert lists(None) is None
    assert lists(np.array([[0.25, 0.75]])).to_pylist() == [[0.25, 0.75]]
