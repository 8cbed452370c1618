"""Quotes in tables without quoting never make one row of many, unsaid; quoted line breaks of texts stay."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.tabular.csv_text import read_csv
from raymm.data.tabular.read import read_table
from raymm.errors import DataError


def table(rows, delimiter="\t", header=("split", "label", "t")):
    return "".join(delimiter.join(row) + "\n" for row in [header, *rows])


def rows_with(opened, closed, texts):
    """Rows of three cells; in the row `opened` the text begins with a quote, in `closed` it ends with one."""
    return [
        ("train", "ab"[n % 2], ('"' if n == opened else "") + text + ('"' if n == closed else ""))
        for n, text in enumerate(texts)
    ]


def refusal(folder, text, name="m.tsv"):
    path = folder / name
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def swallowed(first, last):
    return (
        f"lines {first} to {last} are one row, as a cell of line {first} begins with a quote and one of line {last} "
        "ends with one, but each of them has as many cells as the header; if each is a row, put cells that begin "
        "with a quote in quotes and write the quotes within twice; if they are one, save the table as Parquet or "
        "JSON lines"
    )


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_later_quote_does_not_swallow_rows(tmp_path, place, end):
    """In the last, the middle and the first column."""
    columns = ["split", "label", "t"]
    order = columns[place:] + columns[:place]
    rows = [
        tuple(dict(zip(columns, row, strict=True))[name] for name in order)
        for row in rows_with(0, 3, ["Hello, he said", "fine", "x", "Goodbye", "y", "z"])
    ]
    said = refusal(tmp_path, table(rows, header=order).replace("\n", end))
    assert said == f"{tmp_path / 'm.tsv'}: {swallowed(2, 5)}"


def test_all_such_rows_are_said_at_once(tmp_path):
    texts = ["a", "b", "c", "d", "e", "f"]
    rows = [*rows_with(0, 2, texts), *rows_with(3, 4, texts)]
    said = refusal(tmp_path, table(rows))
    assert swallowed(2, 4) in said
    assert swallowed(11, 12) in said


@pytest.mark.parametrize(("delimiter", "name"), [(",", "m.csv"), (";", "m.csv")])
def test_lines_with_the_labels_of_other_rows_are_rows_whatever_the_separator(tmp_path, delimiter, name):
    rows = rows_with(2, 4, ["p", "q", "Hello", "fine", "Goodbye", "r", "s"])
    assert swallowed(4, 6) in refusal(tmp_path, table(rows, delimiter), name)


def test_an_open_quote_behind_such_rows_is_still_refused(tmp_path):
    rows = [*rows_with(0, 1, ["a", "b", "c"]), *rows_with(0, None, ["d", "e"])]
    assert "line 6: a cell that begins with a quote does not end" in refusal(tmp_path, table(rows))


WORD = st.text(st.sampled_from("ab c'."), max_size=5)


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(WORD, min_size=2, max_size=9), data=st.data())
def test_a_table_without_quoting_is_read_row_by_row_or_refused(tmp_path_factory, texts, data):
    marks = st.integers(0, len(texts) - 1)
    rows = rows_with(data.draw(marks), data.draw(marks), texts)
    path = tmp_path_factory.getbasetemp() / "m.tsv"
    try:
        found, _ = read_csv(path, table(rows).encode())
    except DataError:
        return
    assert len(found) == len(rows)


@pytest.mark.parametrize(
    "texts",
    [
        ["first\nsecond", "one line"],
        ["Hello, he said\nfine, thanks", "no, no\nyes"],
        ["said \"a\"\nand, then 'b'", "x\n\ny"],
        ["a;b\nc;d", "e\nf;g"],
        ["well\na, thanks", "a\na;b"],
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", [("label", "t"), ("split", "label", "t")])
def test_line_breaks_of_ordinary_text_stay(tmp_path, texts, delimiter, header):
    rows = [(*("train", "a")[-len(header) + 1 :], text) for text in texts]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *rows])
    (tmp_path / "m.csv").write_text(text.getvalue(), newline="")
    assert read_table(tmp_path / "m.csv").columns.to_pylist() == [dict(zip(header, row, strict=True)) for row in rows]


def test_a_table_in_quotes_may_hold_anything(tmp_path):
    rows = [("train", "a", "one\ntrain\tb\ttwo"), ("train", "b", "x\ty\tz\nu\tv\tw")]
    text = io.StringIO()
    csv.writer(text, delimiter="\t", quoting=csv.QUOTE_ALL).writerows([("split", "label", "t"), *rows])
    (tmp_path / "m.tsv").write_text(text.getvalue(), newline="")
    assert [tuple(row.values()) for row in read_table(tmp_path / "m.tsv").columns.to_pylist()] == rows
