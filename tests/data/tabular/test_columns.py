"""Cells of every Arrow type that holds numbers or text, against the lists that they were made of."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.tabular.columns import arrays_of, holds_files, holds_numbers, is_text, plain, values_of, why_no_files

ROWS = [[1, 2, 3], None, [4, 5, 6], [7, 8, 9]]
NUMBERS = [pa.float16(), pa.float32(), pa.float64(), pa.int8(), pa.uint16(), pa.int64()]
LISTS = [pa.list_, pa.large_list, lambda inner: pa.list_(inner, 3), pa.list_view, pa.large_list_view]


RATE = ("sampling_rate", pa.int64())


def column(*chunks):
    return pa.chunked_array(list(chunks))


def same(found, rows):
    assert len(found) == len(rows)
    for cell, row in zip(found, rows, strict=True):
        assert (cell is None) == (row is None)
        if row is not None:
            np.testing.assert_array_equal(np.asarray(cell, np.float64), np.asarray(row, np.float64))


@pytest.mark.parametrize("inner", NUMBERS, ids=str)
@pytest.mark.parametrize("of", LISTS)
def test_lists_of_numbers_are_arrays(inner, of):
    array = pa.array(ROWS, of(inner))
    assert holds_numbers(array.type)
    same(arrays_of(column(array, array[1:3])), ROWS + ROWS[1:3])
    whole = pa.array([ROWS[0], ROWS[2]], of(inner))
    assert arrays_of(column(whole))[0].dtype == inner.to_pandas_dtype()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.none() | st.lists(st.floats(-9, 9, width=32) | st.none(), max_size=4), max_size=6),
    st.integers(0, 3),
    st.booleans(),
)
def test_drawn_lists(rows, start, large):
    array = pa.array(rows, (pa.large_list if large else pa.list_)(pa.float32()))[start:]
    expected = [None if row is None else [np.nan if x is None else x for x in row] for row in rows[start:]]
    same(arrays_of(column(array)), expected)


MATRIX = st.integers(0, 3).flatmap(
    lambda width: st.lists(st.lists(st.integers(-9, 9), min_size=width, max_size=width))
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | MATRIX | st.lists(st.lists(st.integers(-9, 9), max_size=3), max_size=3), max_size=5))
def test_drawn_lists_of_lists(rows):
    found = arrays_of(column(pa.array(rows, pa.list_(pa.list_(pa.int64())))))
    for cell, row in zip(found, rows, strict=True):
        if row is None:
            assert cell is None
        elif len({len(inner) for inner in row}) > 1:
            assert cell == row
        else:
            assert np.asarray(cell).tolist() == row


def test_tensors_come_in_the_order_that_their_reader_sees():
    values = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    for given_ in (values, values.transpose(0, 2, 1)):
        array = pa.FixedShapeTensorArray.from_numpy_ndarray(given_)
        same(arrays_of(column(array, array[1:])), [*given_, *given_[1:]])


def test_text_of_every_type_is_text():
    words = ["a", None, "b", "a"]
    kinds = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.binary()]
    for kind in kinds:
        values = pa.array(words, pa.string()).cast(kind)
        assert values_of(column(values, values[2:])) == [*words, *words[2:]]
    assert all(map(is_text, kinds[:-1]))
    with pytest.raises(UnicodeDecodeError):
        values_of(column(pa.array([b"\xff"])))


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()], ids=str)
def test_nan_is_missing(kind):
    assert values_of(column(pa.array([1.0, np.nan, None], kind))) == [1.0, None, None]


def test_files_are_known_by_their_fields():
    assert holds_files(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    assert holds_files(pa.struct([("path", pa.string())]))
    assert holds_files(pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string()), RATE]))
    assert holds_files(pa.struct([("bytes", pa.null()), ("path", pa.null())]))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ([("bytes", pa.binary()), ("x", pa.string())], "leave x out"),
        ([("path", pa.string()), ("start", pa.float64()), ("end", pa.float64())], "leave end, start out"),
        ([("path", pa.string()), ("array", pa.list_(pa.float32())), RATE], r"Audio\(decode=False\)"),
        ([("bytes", pa.string()), ("path", pa.string())], "give their path, or save the table as Parquet"),
        ([("path", pa.int64())], "path must be a text"),
        ([RATE], "has the field path, bytes, or both"),
        ([], "has the field path, bytes, or both"),
    ],
)
def test_why_structs_are_no_files_is_said(fields, words):
    assert not holds_files(pa.struct(fields))
    assert re.search(words, why_no_files(pa.struct(fields)))


def test_extension_types_are_what_they_are_stored_as():
    stored = pa.array(['{"a": 1}'])
    assert values_of(plain(column(pa.ExtensionArray.from_storage(pa.json_(pa.string()), stored)))) == ['{"a": 1}']


@pytest.mark.parametrize("values", [["a", None, "b"], [1, 2, None], [0.5, 1.5, 2.5]], ids=str)
def test_runs_are_the_cells_that_they_stand_for(values):
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 7], pa.int32()), pa.array(values))
    found = plain(column(runs, runs.slice(1, 3)))
    assert found.type == pa.array(values).type
    one, two, three = values
    assert values_of(found) == [one, one, two, three, three, three, three, one, two, three]
