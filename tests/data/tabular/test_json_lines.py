"""JSON lines: whole numbers keep all digits and dates stay texts, wherever they stand."""

import gzip
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raymm.data.manifest import load_manifest
from raymm.data.schema import SPLITS
from raymm.data.tabular.json_lines import read_json_lines
from raymm.data.tabular.read import read_table
from raymm.errors import DataError
from tests.limits import within_limits


def lines(rows, **options):
    return "\n".join(json.dumps(row, **options) for row in rows).encode()


def column(cells, **options):
    return read_json_lines(lines([{"x": cell} for cell in cells], **options)).column("x").to_pylist()


WHOLE = st.one_of(
    st.integers(-(2**65), 2**65), st.integers(2**53 - 3, 2**53 + 3), st.integers(2**63 - 3, 2**64 + 3), st.integers()
)


@settings(max_examples=200, deadline=None)
@example([14159265358979323846, 14159265358979323847, 3])
@example([-(2**63) - 1, 0])
@example([12345678901234567890123, 12345678901234567890124])
@given(cells=st.lists(WHOLE | st.none(), min_size=1, max_size=8))
def test_whole_numbers_keep_all_digits(cells):
    found = column(cells)
    assert [None if cell is None else int(cell) for cell in found] == cells


@settings(max_examples=200, deadline=None)
@example([9007199254740993])
@given(cells=st.lists(WHOLE | st.floats(-1e9, 1e9, allow_nan=False) | st.none(), min_size=1, max_size=8))
def test_whole_numbers_beside_fractions_are_still_apart(cells):
    cells = [*cells, 0.5]
    for given_one, found in zip(cells, column(cells), strict=True):
        # Python compares a whole number and a float exactly
        assert (int(found) if isinstance(given_one, int) else found and float(found)) == given_one


@pytest.mark.parametrize("inside", [[2**64 - 1], [2**53 + 1, 2**64], [[2**64 - 1], [1, 2]]])
def test_lists_of_whole_numbers_keep_all_digits(inside):
    def as_text(cell):
        return [as_text(one) for one in cell] if isinstance(cell, list) else str(cell)

    assert column([inside, None, []]) == [as_text(inside), None, []]


@pytest.mark.parametrize(
    "cells", [[[None, "x"]], [[None, 1], [2, 3]], [[[None, 0.5]], None], [[None], [None, {"a": 1}]]]
)
def test_nulls_at_the_start_of_a_list_shift_nothing(cells):
    """Arrow 25 leaves them out of the values of the lists, whose cells then point beyond the end."""
    assert column(cells) == cells


@pytest.mark.parametrize(
    "cells",
    [
        [[0.5, 2**64 + 1], [1, 2]],  # features
        [[1e20, 5], [2**60, 1]],
        [0.1234567890123456789, 2.5],
        [{"a": 0.5}, {"a": 2}],
    ],
    ids=str,
)
def test_features_stay_floats(cells):
    assert column(cells) == json.loads(lines([{"x": cells}]), parse_int=float)["x"]


def test_a_long_number_in_a_text_or_another_column_changes_nothing():
    rows = [{"t": "12345678901234567890", "n": 1, "f": 0.5}, {"t": "b", "n": 2**63 - 1, "f": 2.0}]
    assert read_json_lines(lines(rows)).to_pylist() == rows


@pytest.mark.parametrize("form", ["plain", "pretty", "blank lines", "mark", "gz"])
def test_every_form_of_the_file_keeps_all_digits(tmp_path, form):
    rows = [{"label": 2**64 - number} for number in range(4)]
    content = {"pretty": lines(rows, indent=1), "blank lines": lines(rows).replace(b"\n", b"\r\n\r\n")}.get(
        form, b"\xef\xbb\xbf" * (form == "mark") + lines(rows)
    )
    path = tmp_path / ("m.jsonl.gz" if form == "gz" else "m.jsonl")
    path.write_bytes(gzip.compress(content) if form == "gz" else content)
    assert read_table(path).columns.column("label").to_pylist() == [str(row["label"]) for row in rows]


@pytest.mark.parametrize(
    "labels",
    [
        [14159265358979323846, 14159265358979323847, 3],
        [2**63, 2**63 + 1],
        [2**63 - 1, 2**63 - 2],
        [10**40 + 1, 10**40, -(10**40)],
    ],
    ids=str,
)
def test_hashes_are_as_many_classes_in_the_order_of_their_value(tmp_path, labels):
    rows = [{"split": split, "label": label, "t": "x"} for split in SPLITS for label in labels]
    (tmp_path / "m.jsonl").write_bytes(lines(rows))
    listing = load_manifest(tmp_path / "m.jsonl", tmp_path, {"t": "text"})
    assert listing.classes == tuple(map(str, sorted(labels)))
    assert [listing.classes[record.label] for record in listing.records] == [str(row["label"]) for row in rows]
    assert f"({', '.join(listing.classes)})" in " ".join(listing.notes)


def test_ids_and_texts_of_numbers_keep_all_digits(tmp_path):
    rows = [
        {"sample_id": 2**63 + n, "split": split, "label": label, "t": 2**53 + n if n else 0.5}
        for n, (split, label) in enumerate((split, label) for split in SPLITS for label in "ab")
    ]
    (tmp_path / "m.jsonl").write_bytes(lines(rows))
    records = load_manifest(tmp_path / "m.jsonl", tmp_path, {"t": "text"}).records
    assert [record.sample_id for record in records] == [str(row["sample_id"]) for row in rows]
    assert [record.cells["t"] for record in records] == [str(row["t"]) for row in rows]


DAY = st.sampled_from(["2020-01-01", "1999-12-31", "2020-01-02T03:04:05Z", "2020-01-02 03:04", "x"])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "a": DAY,
                "b": st.lists(DAY | st.none(), max_size=3),
                "c": st.fixed_dictionaries({"d": DAY, "e": st.lists(DAY, max_size=2), "n": st.integers(0, 9)}),
                "f": st.lists(st.lists(DAY, max_size=2), max_size=2),
                "g": st.integers(0, 9),
            }
        ),
        min_size=1,
        max_size=5,
    )
)
def test_dates_stay_texts_in_lists_and_structs_too(rows):
    assert read_json_lines(lines(rows)).to_pylist() == rows


def test_lists_of_dates_are_labels(tmp_path):
    rows = [
        {"split": split, "label": days, "t": "x"} for split in SPLITS for days in (["2020-01-01"], ["2020-01-02"])
    ]
    (tmp_path / "m.jsonl").write_bytes(lines(rows))
    assert load_manifest(tmp_path / "m.jsonl", tmp_path, {"t": "text"}).classes == ("2020-01-01", "2020-01-02")


NUMBERED = {
    "names": [{"label": "a", f"n{row}": 1} for row in range(20_000)],
    "names of an object": [{"label": "a", "o": {f"n{row}": 1}} for row in range(20_000)],
    "names of items": [{"label": "a", "o": [{f"n{row}": 1}, {"m": 2}]} for row in range(15_000)],
    "one wide row": [{f"n{row}": 0.5 for row in range(20_000)}, {"z": 2**64}, *[{"label": "a"}] * 20_000],
}


@pytest.mark.parametrize("name", NUMBERED)
def test_names_that_differ_from_row_to_row_are_refused(tmp_path, name):
    """Each would be a column of as many cells as there are rows: 0.25 MB took a gigabyte."""
    content = lines(NUMBERED[name])
    (tmp_path / "m.jsonl").write_bytes(content + b"\n{")
    assert len(content) < 2**20
    with within_limits(), pytest.raises(DataError, match=r"names that differ from row to row are values"):
        read_table(tmp_path / "m.jsonl")


def test_rows_with_a_few_of_hundreds_of_names_are_read():
    rows = [{"label": "a", f"n{row * 7 % 500}": row, f"n{row * 11 % 500}": row} for row in range(4_000)]
    found = read_json_lines(lines(rows))
    assert len(found.column_names) == 501
    assert [{name: cell for name, cell in row.items() if cell is not None} for row in found.to_pylist()] == rows


def test_columns_of_few_numbers_keep_all_digits():
    rows = [{f"n{number}": number + 0.5 for number in range(300)} | {"z": 2**64 + 1}, *[{"label": "a"}] * 5_000]
    found = read_json_lines(lines(rows))
    assert found.column_names[-2:] == ["z", "label"]
    assert found.column("z").to_pylist() == [str(2**64 + 1)] + [None] * 5_000
    assert found.column("n7").to_pylist()[:2] == [7.5, None]


@pytest.mark.parametrize("depth", [101, 900, 1_500, 20_000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
def test_endless_nesting_is_refused_with_its_line(tmp_path, depth, start, end):
    """Arrow ends the process at 20,000 lists."""
    line = '{"label": "a", "z": ' + start * depth + "1" + end * depth + "}"
    (tmp_path / "m.jsonl").write_text(f'{{"label": "b"}}\n{line}\n')
    with pytest.raises(
        DataError, match="line 2: more than 100 lists or objects lie within each other; write them flat"
    ):
        read_table(tmp_path / "m.jsonl")


@pytest.mark.parametrize("cell", [[[[[1.5]]]], {"a": {"b": [{"c": [1]}]}}], ids=str)
def test_usual_nesting_is_read(cell):
    assert column([cell, cell]) == [cell, cell]
