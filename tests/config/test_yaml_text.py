"""YAML as the library reads it, and what is refused: repeated keys, depth, size, aliases; nothing else comes out."""

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.api.printed import config_yaml
from raymm.config.loading import load, parse
from raymm.config.yaml_dialect import yaml_text
from raymm.config.yaml_text import DEEPEST, read_yaml, yaml_value
from raymm.errors import ConfigError
from tests.limits import within_limits

TEXT = st.text(st.characters(exclude_categories=("C", "Z")), max_size=8)  # libyaml breaks lines at U+0085
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)
LAUGHS = "a: &a [x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(4 * [f'*{old}'])}]\n" for old, new in zip("abcdefghij", "bcdefghijk", strict=True)
)


@settings(max_examples=150, deadline=None)
@given(VALUES, st.booleans())
def test_what_is_written_is_read(value, flow):
    assert yaml_value(yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True), "w") == value
    assert yaml_value(yaml_text(value, allow_unicode=flow), "w") == value


NUMBERLIKE = st.from_regex(r"[-+]?[0-9._]{0,5}(e[-+]?[0-9]{1,2})?(:[0-9]{2}){0,2}", fullmatch=True)
WORDS = (
    "1e-3",
    "1E3",
    "010",
    "0o17",
    "08",
    "12:30:00",
    "2026-01-31",
    "yes",
    "off",
    "~",
    "1_000",
    ".5",
    "+3",
    "0x1F",
    "",
)


@settings(max_examples=300, deadline=None)
@given(NUMBERLIKE | st.sampled_from(WORDS) | st.floats(allow_nan=False))
def test_what_looks_like_a_number_is_read_by_every_reader_as_it_was_written(value):
    text = yaml_text({"a": value, "b": [value]})
    assert yaml_value(text, "w") == yaml.safe_load(text) == {"a": value, "b": [value]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("2E5", 2e5),
        ("-1e+3", -1000.0),
        ("1.5e-3", 0.0015),
        (".5e1", 5.0),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("010", 10),
        ("-08", -8),
        ("0", 0),
        ("+3", 3),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("12:30", "12:30"),
        ("12:30:00", "12:30:00"),
        ("1:2.5", "1:2.5"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z"),
        ("1e", "1e"),
        ("e3", "e3"),
        ("1e-3s", "1e-3s"),
        ("1.2.3", "1.2.3"),
        ("_1", "_1"),
        ("-", ["-"]),
        ("yes", True),
        ("off", False),
        ("True", True),
        ("~", None),
        ("null", None),
    ],
)
def test_which_plain_words_are_numbers(text, value):
    found = yaml_value(f"a: [{text}]" if value == ["-"] else f"a: {text}", "w")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["1e1", "1E1", "10", "010", "10.0", "1_0"])
def test_settings_that_are_whole_take_whole_numbers_of_any_form(text, tmp_path):
    assert load(None, (f"training.epochs={text}",)).training.epochs == 10
    (tmp_path / "c.yaml").write_text(f"training: {{epochs: {text}}}")
    assert load(tmp_path / "c.yaml").training.epochs == 10


def test_a_part_of_a_whole_number_is_refused():
    with pytest.raises(ConfigError, match=r"training\.epochs: "):
        load(None, ("training.epochs=15e-1",))


BUILD = f"{__name__}:built"


def built(schema, **arguments):
    """A function of one's own that takes any arguments."""
    raise NotImplementedError


def test_arguments_of_ones_own_model_stay_what_they_are_through_files(tmp_path):
    given = {"model": {"build": BUILD, "args": {name: name for name in WORDS if name} | {"x": 1e-07}}}
    config = parse(given)
    for text in (config.to_yaml(), config_yaml(config)):
        (tmp_path / "c.yaml").write_text(text)
        assert load(tmp_path / "c.yaml").model.args == given["model"]["args"]
    assert load(None, (f"model.build={BUILD}", "model.args.x=1e-3")).model.args == {"x": 0.001}
    assert load(None, (f"model.build={BUILD}", "model.args.x='1e-3'")).model.args == {"x": "1e-3"}


def refused_or_read(read, where):
    """The words of a `ConfigError`; any other error is one of the test."""
    try:
        read()
    except ConfigError as cause:
        return str(cause)
    return where


@settings(max_examples=300, deadline=None)
@given(st.text("ab:-[]{}&*!|>'\"#%,? \n\t0159.e~", max_size=40))
def test_any_text_is_read_or_refused(text):
    assert refused_or_read(lambda: yaml_value(text, "w"), "w").startswith("w")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    assert refused_or_read(lambda: load(path), str(path)).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "w: line 3: 'a' stands twice (first in line 1); remove one"),
        ("x:\n  a: {b: 1, b: 2}", "w: line 2: 'b' stands twice (first in line 2); remove one"),
        ("- {a: 1, a: 1}\n- {c: 1, c: 1}", "'c' stands twice"),
        ("[" * 10**5, f"w: line 1: nested deeper than {DEEPEST} levels"),
        ("{a: " * 10**5, "nested deeper"),
        ("a: &a [*a]", "has more than 100000 values, aliases counted"),
        (LAUGHS, "has more than 100000 values, aliases counted"),
        ("a: " + "9" * 900_000, "line 1: a number of 900000 characters"),
        ("a: !!timestamp x", "w: not YAML"),
        ("a: !!bool x", "w: not YAML"),
        ("!!python/object/apply:os.getcwd []", "w: not YAML"),
    ],
)
def test_what_is_refused(text, words):
    with within_limits(), pytest.raises(ConfigError) as caught:
        yaml_value(text, "w")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "x " * 2**19,
        "a: '" + "x\n\n" * 2**18 + "'",
        "".join(f"k{number}: 1\n" for number in range(90_000)),
        "- 1\n" * 2**18,
        "# c\n" * 2**18,
        "a: [" + "{}, " * 2**18 + "]",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_a_megabyte_is_read_or_refused_in_time(text):
    with within_limits():
        assert refused_or_read(lambda: yaml_value(text, "w"), "w").startswith("w")


def test_aliases_and_merged_keys_are_no_mistake():
    assert yaml_value("a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\nc: *a", "w") == {
        "a": {"x": 1},
        "b": {"x": 2},
        "c": {"x": 1},
    }


def test_a_file_that_is_no_configuration(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("training: {epochs: 2}\n" + "# comment\n" * 200_000)
    with pytest.raises(ConfigError, match=r"c\.yaml: has 2000022 bytes; a configuration has 1048576 at most"):
        read_yaml(path)
    path.write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match=r"c\.yaml: is not UTF-8 .*; save it as UTF-8"):
        load(path)
    path.write_bytes(b"\xef\xbb\xbftraining: {epochs: 3}")
    assert load(path).training.epochs == 3
    path.write_text("training: {epochs: 2}\ntraining: {seed: 1}")
    with pytest.raises(ConfigError, match=r"c\.yaml: line 2: 'training' stands twice"):
        load(path)
