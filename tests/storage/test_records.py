"""Records: fields of a JSON file by name and type, and the words for what is wrong."""

from typing import ClassVar

import pytest

from raymm.errors import CheckpointError, DataError
from raymm.storage.records import JsonRecord, parse_json, read_json


class Thing(JsonRecord):
    newest: ClassVar[int] = 3
    error = CheckpointError
    remedy = "make another"

    name: str
    sizes: dict[str, int] = {}  # noqa: RUF012
    rate: float = 0.5


def words(values, record=Thing):
    with pytest.raises(record.error) as error:
        record.of(values, "f.json")
    return str(error.value)


def test_fields_are_read_and_further_ones_passed_over(tmp_path):
    (tmp_path / "f.json").write_text('{"name": "a", "sizes": {"x": 3}, "weather": [1]}')
    found = Thing.read(tmp_path / "f.json")
    assert (found.name, found.sizes, found.rate, found.format) == ("a", {"x": 3}, 0.5, 1)
    assert Thing.parse(b'{"name": "b", "format": 3, "rate": 1}', "here").format == 3
    with pytest.raises(ValueError, match="frozen"):
        found.name = "other"


@pytest.mark.parametrize("number", [4, 99])
def test_a_newer_format_is_refused_by_its_number(number):
    said = f"f.json: is of format {number}, and this raymm reads formats up to 3; update raymm"
    assert words({"name": "a", "format": number}) == said
    assert words({"format": number}) == said  # whatever else is wrong with it


def test_a_record_that_says_nothing_of_formats_reads_the_first_alone():
    assert JsonRecord.of({"format": 1}, "f.json").format == JsonRecord.of({}, "f.json").format == 1
    assert "is of format 2, and this raymm reads formats up to 1" in words({"format": 2}, JsonRecord)


def test_every_field_that_is_wrong_is_named():
    assert words({"format": 0, "name": "a"}).startswith("f.json: cannot be read: 'format' is 0: ")
    assert words({}) == "f.json: cannot be read: 'name' is missing; make another"
    found = words({"name": 3, "sizes": {"x": "7"}, "rate": float("nan"), "format": "2"})
    assert found.startswith("f.json: cannot be read: 4 problems")
    for field in ("'name' is 3: ", "'sizes.x' is '7': ", "'rate' is nan: ", "'format' is '2': "):
        assert field in found
    assert found.endswith("make another")
    long = words({"name": ["x" * 500], "rate": "y" * 500})
    assert f"'rate' is '{'y' * 27}...{'y' * 28}': " in long  # 60 characters
    many = words({"name": "a", "sizes": {f"k{i}": "no" for i in range(9)}})
    assert many.count("is 'no'") == 5


def test_what_is_no_object_is_refused_by_what_it_is(tmp_path):
    for content, said in (
        (b"[1]", "it holds a list, not an object"),
        (b"3", "it holds a int, not an object"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": -Infinity}', "-Infinity is no number of JSON"),
        (b"{", "Expecting property name"),
        (b"\xff", "codec can't decode"),
        (b'{"a": ' * 100_000, "recursion"),
    ):
        with pytest.raises(CheckpointError) as error:
            parse_json(content, "f.json", CheckpointError, "make another")
        assert str(error.value).startswith("f.json: cannot be read (")
        assert said in str(error.value)
        assert str(error.value).endswith("); make another")
    with pytest.raises(DataError, match=r"no.json: there is no such file; bring back a good copy of it"):
        read_json(tmp_path / "no.json")
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\); bring back a good copy of it"):
        read_json(tmp_path)
    with pytest.raises(CheckpointError, match=r"there is no such file; make another"):
        Thing.read(tmp_path / "no.json")
