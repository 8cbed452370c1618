"""The tokenizer keeps words, punctuation and emoji of every script; the first version is what it was."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.kinds.text import TextSpec
from raymm.data.schema import Schema
from raymm.data.tokens import is_cut, tokenize, word_count
from raymm.data.words import units_of

SENTENCE = "the weather was really lovely during our holiday in the mountains and we "
DONT = "don\N{MODIFIER LETTER APOSTROPHE}t"
SCRIPTS = {
    "English": "every sentence here has been read by two people",
    "Greek": "καλημέρα κόσμε τι κάνεις",
    "Russian": "добрый день как дела",
    "Arabic": "مرحبا بالعالم كيف حالك",
    "Hebrew": "שלום עולם מה שלומך",
    "Hindi": "नमस्ते दुनिया कैसे हो",
    "Tamil": "வணக்கம் உலகம் எப்படி",
    "Amharic": "ሰላም ለዓለም እንዴት ነህ",
    "Korean": "안녕하세요 세계 여러분",
}


def words(text):
    return [unit for unit, _ in units_of(text)]


def ids(text, max_tokens=64, buckets=4_096, **options):
    return tokenize([text], max_tokens, buckets, **options)[0]


@pytest.mark.parametrize("script", SCRIPTS)
def test_words_of_every_script_are_whole(script):
    assert words(SCRIPTS[script]) == [unicodedata.normalize("NFC", word) for word in SCRIPTS[script].split()]
    assert word_count(SCRIPTS[script]) == len(SCRIPTS[script].split())


@pytest.mark.parametrize("text", ["今日は良い天気です", "我们在山里度假", "สวัสดีชาวโลก", "မင်္ဂလာပါ", "សួស្តីពិភពលោក"])
def test_scripts_without_blanks_are_cut_by_character(text):
    found = words(text)
    assert len(found) > 4
    assert "".join(found) == unicodedata.normalize("NFC", text)
    assert (ids(text) != ids(text[::-1])).any()  # pairs know the order


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 63), st.text("abcdefgh", min_size=1, max_size=9), st.text("ijklmnop", min_size=1, max_size=9))
def test_texts_that_differ_in_one_of_64_words_differ(place, one, other):
    text = (SENTENCE * 6).split()[:64]
    first, second = ([*text[:place], word, *text[place + 1 :]] for word in (one, other))
    assert (ids(" ".join(first), buckets=2**20)[:64] != ids(" ".join(second), buckets=2**20)[:64]).sum() == 1
    assert not is_cut(" ".join(first), 64)


def test_the_65th_word_is_cut_and_that_is_known():
    text = " ".join((SENTENCE * 6).split()[:65])
    assert (is_cut(text, 64), is_cut(text, 65), word_count(text)) == (True, False, 65)
    assert (ids(text) == ids(f"{text} and more")).all()


def test_punctuation_does_not_take_the_room_of_words():
    text = ", ".join((SENTENCE * 6).split()[:64])
    assert not is_cut(text, 64)
    assert (ids(text, buckets=2**20) != ids(text.replace("mountains", "valleys"), buckets=2**20)).any()


@pytest.mark.parametrize("pair", ["😀😡", "?!", "…,", "👍👎", "€$", "♥★"])
def test_emoji_and_punctuation_make_tokens(pair):
    assert (ids(pair[0]) != 0).sum() == 1
    assert (ids(pair[0]) != ids(pair[1])).any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("👨‍👩‍👧 at home", ["👨👩👧", "at", "home"]),
        ("👍🏽👍", ["👍🏽", "👍"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("no!!!!!!!!", ["no", "!!!"]),
        ("wait...what?!", ["wait", "...", "what", "?", "!"]),
        ("don\N{RIGHT SINGLE QUOTATION MARK}t / don't", [DONT, "/", DONT]),
        ("a\0b\u200cc", ["a", "bc"]),
        ("", []),
        ("   \n", []),
        ("\u0301", []),
    ],
)
def test_units(text, expected):
    assert words(text) == expected


def test_composed_and_decomposed_letters_are_the_same():
    assert (ids("Café") == ids("Cafe\u0301")).all()
    assert (ids("한국") == ids(unicodedata.normalize("NFD", "한국"))).all()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.integers(1, 9))
def test_any_text_gives_ids_in_range_with_padding_behind(text, max_tokens):
    row = ids(text, max_tokens, 50)
    count = int((row != 0).sum())
    assert row.shape == (5 * max_tokens,)
    assert row.min() >= 0
    assert row.max() < 50
    assert (row[:count] != 0).all()
    assert (row == ids(unicodedata.normalize("NFD", text.lower()), max_tokens, 50)).all()


def test_lone_surrogates_are_no_mistake():
    assert (ids("\ud800") != 0).sum() == 1


def test_the_first_version_is_what_it_was():
    assert ids("Red fox!", 10, 100, version=1).tolist() == [22, 54, 22, 22, 75, 28, 75, 47, 0, 0]
    assert (ids(SENTENCE + "loved it", version=1) == ids(SENTENCE + "hated it", version=1)).all()
    assert (ids(SENTENCE + "loved it") != ids(SENTENCE + "hated it")).any()


def test_what_was_saved_without_a_version_is_of_the_first():
    fields = {"name": "t", "kind": "text", "max_tokens": 8, "buckets": 64}
    saved = {"modalities": [fields], "classes": ["a", "b"]}
    assert Schema.from_saved(saved)["t"] == TextSpec(name="t", max_tokens=8, buckets=64, tokenizer=1)
    assert Schema.model_validate(saved)["t"].tokenizer == 2
    for tokenizer, width in ((1, 8), (2, 40)):
        spec = TextSpec(name="t", max_tokens=8, buckets=64, tokenizer=tokenizer)
        schema = Schema(modalities=[spec], classes=["a", "b"])
        assert Schema.from_saved(schema.model_dump(mode="json")) == schema
        assert spec.to_tensor(["one two"], None).shape == (1, width) == (1, *spec.input_shape)
    assert np.array_equal(spec.to_tensor(["a b"], None)[0], tokenize(["a b"], 8, 64)[0])
