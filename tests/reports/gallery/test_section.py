"""The gallery of a page says what the table says, shows what can be shown, and stays within its bytes."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from pydantic import Field

import raymm
from raymm.config.registries import KINDS
from raymm.data import Dataset, FlowSpec, RgbSpec, TextSpec, VectorSpec
from raymm.data.kinds import ModalitySpec
from raymm.errors import DataError
from raymm.reports.gallery import QUALITIES, gallery_section
from raymm.reports.gallery.cards import PATTERN_WORDS
from raymm.reports.gallery.choose import expected_phi, lowest_rows, surprising_rows
from raymm.reports.gallery.section import INLINE, LISTED, _notes
from raymm.valuation.patterns import PATTERNS
from tests.reports.gallery.samples import Gallery, every_kind, made, of_dataset, page_of, spec_of_kind
from tests.reports.tables import rows_of

EVIL = "</script><script>alert('1') & \"2\"</script><img src=x onerror=alert(1)> é 🦊"


def vectors(n=2):
    return [VectorSpec(name=f"m{i}", size=4) for i in range(n)]


def cards_of(gallery, page):
    """All cards, those beside the page too, as a browser would find them."""
    found = Gallery(page_of(gallery)).cards
    for address, count in gallery.files:
        text = (page.parent / address).read_text()
        more = Gallery(json.loads(re.fullmatch(r"raymmGallery\((.*)\);\n", text, re.DOTALL)[1])).cards
        assert len(more) == count
        found += more
    return found


def test_cards_say_what_the_table_says(tmp_path):
    dataset, table = of_dataset(tmp_path / "d", vectors(3), count=400, missing=0.3)
    gallery = gallery_section(dataset, table, tmp_path / "p.html")
    cards = {card.name: card for card in cards_of(gallery, tmp_path / "p.html")}
    rows = {str(name): row for row, name in enumerate(table.sample_id)}
    assert len(cards) > 3 * INLINE
    for name, card in cards.items():
        row = rows[name]
        for i in range(3):
            value = table.phi[row, i]
            assert card.phi[f"m{i}"] == ("missing" if np.isnan(value) else f"{value:.3f}")
        right = bool(table.label[row] == table.prediction[row])
        assert card.attributes["data-answer"] == str(int(right))
        assert card.attributes["data-class"] == str(table.label[row])
        assert card.attributes["data-lacks"] == " ".join(str(i) for i in range(3) if np.isnan(table.phi[row, i]))
        said = " ".join(card.texts)
        label, answer = (table.info.class_names[int(a[row])] for a in (table.label, table.prediction))
        assert f"{'Right' if right else 'Wrong'}: label {label} , predicted {answer}" in said
    means = expected_phi(table)
    for i in range(3):
        phi = table.phi[:, i]
        wanted = {"lowest": lowest_rows(phi, LISTED), "surprising": surprising_rows(phi, means[:, i], LISTED)}
        for listed, numbers in wanted.items():
            shown = {}
            for name, card in cards.items():
                for place in card.attributes["data-in"].split():
                    modality, found, rank, _ = place.split(",")
                    if (modality, found) == (str(i), listed):
                        shown[int(rank)] = rows[name]
            assert [shown[rank] for rank in sorted(shown)] == numbers.tolist()
    first = cards[str(table.sample_id[lowest_rows(table.phi[:, 1], 1)[0]])]
    assert "number 1 of the lowest" in " ".join(first.texts)


def test_inline_are_the_first_of_each_list_and_the_others_lie_beside_in_order(tmp_path):
    dataset, table = of_dataset(tmp_path / "d", vectors(), count=500)
    gallery = gallery_section(dataset, table, tmp_path / "p.html")
    best = [
        min(int(place.split(",")[2]) for place in card.attributes["data-in"].split())
        for card in cards_of(gallery, tmp_path / "p.html")
    ]
    inline = len(gallery.cards)
    assert best == sorted(best)
    assert best[inline - 1] == INLINE
    assert best[inline] == INLINE + 1
    assert best[-1] == LISTED
    assert gallery.files == [("p.files/gallery-1.js", len(best) - inline)]
    assert not gallery.notes


def test_every_registered_kind_is_shown_in_one_page(tmp_path):
    specs = every_kind()
    dataset, table = of_dataset(tmp_path / "d", specs, count=3)
    gallery = gallery_section(dataset, table, tmp_path / "p.html")
    for card in cards_of(gallery, tmp_path / "p.html"):
        assert not card.troubles
        said = " ".join(card.texts)
        for spec in specs:
            assert f"({spec.kind})" in said
        shown = [words for _, _, words, _ in card.media] + [words for words, _ in card.graphics]
        named = {
            spec.name for spec in specs if any(words.startswith(f"{spec.name} of {card.name}: ") for words in shown)
        }
        assert named == {spec.name for spec in specs} - {spec.name for spec in specs if spec.is_text}


class Plain(ModalitySpec):
    """A kind that says nothing of how it is shown."""

    kind: str = "plain"
    size: int = Field(default=3)

    @property
    def shape(self):
        return (self.size,)


class Broken(Plain):
    kind: str = "broken"

    def display(self, value):  # noqa: ARG002
        raise ZeroDivisionError("no picture of this")


class Odd(Plain):
    kind: str = "odd"

    def display(self, value):  # noqa: ARG002
        return ["<b>no display</b>"]


@pytest.fixture
def kinds(monkeypatch):
    KINDS.names()  # the built-in ones are there
    monkeypatch.setattr(KINDS, "_parts", dict(KINDS._parts))
    for kind in (Plain, Broken, Odd):
        KINDS.register(kind.model_fields["kind"].default, kind)


def test_kinds_of_other_packages_never_break_the_page(kinds, tmp_path):
    specs = [*vectors(1), *(spec_of_kind(kind) for kind in ("plain", "broken", "odd"))]
    dataset, table = of_dataset(tmp_path / "d", specs, count=2)
    text = page_of(gallery_section(dataset, table, tmp_path / "p.html"))
    for card in Gallery(text).cards:
        assert [words.split(" (")[0] for words in card.troubles] == [
            "cannot be read: ZeroDivisionError: no picture of this",
            "cannot be drawn: KeyError: <class 'str'>",
        ]
        assert any(re.match(r"3 numbers from .* mean", words) for words in card.texts)
    assert "<b>no display" not in text


def test_a_missing_modality_is_shown_as_missing(tmp_path):
    dataset, table = of_dataset(tmp_path / "d", vectors(3), count=30, missing=0.5)
    gallery = gallery_section(dataset, table, tmp_path / "p.html")
    lacking = [card for card in cards_of(gallery, tmp_path / "p.html") if card.attributes["data-lacks"]]
    assert lacking
    for card in lacking:
        count = len(card.attributes["data-lacks"].split())
        assert card.troubles == ["missing"] * count
        assert len(card.graphics) == 3 - count
    options = {f.name: f.options for f in gallery.filters}["lacks"]
    assert ("", "has all") in options
    assert ("1 2", "lacks m1, m2") in options


def test_names_are_shown_as_they_are_and_do_nothing(tmp_path):
    specs = [*vectors(1), TextSpec(name="t")]
    count = 40
    dataset, table = of_dataset(
        tmp_path / "d",
        specs,
        count=count,
        names=[f"{EVIL} {row}" for row in range(count)],
        classes=(EVIL, "b' onclick='alert(1)"),
        sources=[f"clips/{EVIL}{row}.mp4" for row in range(count)],
    )
    gallery = gallery_section(dataset, table, tmp_path / 'a "b" #1%.html', remarks=[EVIL])
    page = Gallery(page_of(gallery))
    cards = cards_of(gallery, tmp_path / "p.html") if not gallery.files else page.cards
    assert {card.name for card in cards} <= {f"{EVIL} {row}" for row in range(count)}
    assert any(f"clips/{EVIL}" in text for text in cards[0].texts)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not page.handlers
    assert all(address.startswith("data:") for address in page.addresses)


def test_files_beside_a_page_of_any_name_are_escaped_too(tmp_path):
    names = [f"{EVIL} {row}" for row in range(300)]
    dataset, table = of_dataset(tmp_path / "d", vectors(), count=300, names=names)
    page = tmp_path / "a 'b' #1%.html"
    gallery = gallery_section(dataset, table, page)
    ((address, count),) = gallery.files
    assert address == "a%20%27b%27%20%231%25.files/gallery-1.js"
    file = tmp_path / "a 'b' #1%.files" / "gallery-1.js"
    text = file.read_text()
    more = Gallery(json.loads(text.removeprefix("raymmGallery(").removesuffix(");\n")))
    assert len(more.cards) == count
    assert {"script", "img"}.isdisjoint(more.tags)
    assert not more.handlers
    data = re.search(r"data-files='(.*?)'", page_of(gallery))[1]
    assert json.loads(data) == [[address, count]]


def test_a_page_that_is_written_again_leaves_no_older_files(tmp_path):
    dataset, table = of_dataset(tmp_path / "d", vectors(), count=300)
    page = tmp_path / "p.html"
    (tmp_path / "p.files").mkdir()
    for name in ("gallery-1.js", "gallery-7.js", "mine.txt"):
        (tmp_path / "p.files" / name).write_text("old")
    gallery_section(dataset, table, page)
    assert sorted(file.name for file in (tmp_path / "p.files").iterdir()) == ["gallery-1.js", "mine.txt"]
    assert (tmp_path / "p.files" / "gallery-1.js").read_text() != "old"
    assert not gallery_section(dataset, rows_of(table, slice(5)), page).files
    assert [file.name for file in (tmp_path / "p.files").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("budget", [60_000, 250_000])
def test_large_media_are_cut_until_the_page_has_room(tmp_path, budget):
    specs = [
        RgbSpec(name="rgb", frames=12, height=160, width=160),
        FlowSpec(name="flow", frames=12, height=80, width=80),
    ]
    dataset, table = of_dataset(tmp_path / "d", specs, count=30)
    gallery = gallery_section(dataset, table, tmp_path / "p.html", budget=budget)
    assert 0 < sum(len(card.encode()) for card in gallery.cards) <= budget
    cut = f"To keep the page small, {QUALITIES[-1].words}."
    assert cut in gallery.notes
    cards = cards_of(gallery, tmp_path / "p.html")
    assert len(cards) == len({card.name for card in cards}) == 30
    ranks = [[int(place.split(",")[2]) for place in card.attributes["data-in"].split()] for card in cards]
    left = sum(min(found) <= INLINE for found in ranks) - len(gallery.cards)
    assert f"{left} more samples that belong here do not fit into the page, and lie beside it." in gallery.notes
    assert all(len(card.media) == 2 for card in cards)


def test_a_gallery_without_the_data_says_so_and_has_the_values(tmp_path):
    _, table = of_dataset(tmp_path / "d", vectors(), count=9)
    gallery = gallery_section(None, table, tmp_path / "p.html", missing="/x/data: there is no such folder")
    assert gallery.notes == [
        "The data are not here (/x/data: there is no such folder), so that samples are shown without their media."
    ]
    cards = cards_of(gallery, tmp_path / "p.html")
    assert len(cards) == 9
    assert all(not card.media and not card.graphics and not card.troubles for card in cards)
    assert all(set(card.phi) == {"m0", "m1"} for card in cards)


class Unreadable:
    """Rows of which some cannot be read, and others raise what nobody expects."""

    def __init__(self, rows):
        self._rows = rows

    def __getattr__(self, name):
        return getattr(self._rows, name)

    def prefetch(self, rows, kept):  # noqa: ARG002
        raise OSError("no disk")

    def read(self, name, rows):
        if name == "m0":
            raise DataError("sample 's': clips/<b>.mp4: no such file")
        if rows[0] % 2:
            raise RuntimeError("of the user's own")
        return self._rows.read(name, rows)


def test_what_cannot_be_read_shows_its_error_beside_what_can(tmp_path):
    dataset, table = of_dataset(tmp_path / "d", vectors(), count=20)
    gallery = gallery_section(replace(dataset, shards=Unreadable(dataset.shards)), table, tmp_path / "p.html")
    text = page_of(gallery)
    cards = Gallery(text).cards
    assert len(cards) == 20
    assert {len(card.graphics) for card in cards} == {0, 1}
    for card in cards:
        assert card.troubles[0] == "cannot be read: sample 's': clips/<b>.mp4: no such file"
        own = card.troubles[1:]
        assert len(own) + len(card.graphics) == 1
        assert all(words.startswith("cannot be read: RuntimeError: of the user's own") for words in own)
    assert "clips/<b>" not in text


def test_a_changed_shard_is_said_and_its_samples_keep_their_values(tmp_path):
    _, table = of_dataset(tmp_path / "d", [VectorSpec(name=f"m{i}", size=500) for i in range(2)], count=5)
    shard = next((tmp_path / "d" / "shards").glob("*.arrow"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    cards = Gallery(page_of(gallery_section(raymm.open_dataset(tmp_path / "d"), table, tmp_path / "p.html"))).cards
    assert len(cards) == 5
    assert all("changed" in words for card in cards for words in card.troubles)
    assert all(len(card.troubles) == 2 for card in cards)


def test_samples_that_the_data_set_lacks_are_said(tmp_path):
    dataset, table = of_dataset(tmp_path / "d", vectors(), count=6)
    other = replace(table, sample_id=np.array([f"other {row}" for row in range(6)]))
    cards = Gallery(page_of(gallery_section(dataset, other, tmp_path / "p.html"))).cards
    assert [card.troubles for card in cards] == [["The data set has no such sample."]] * 6


def test_samples_in_place_whose_source_is_gone_are_shown_without_media(tmp_path):
    dataset, table = of_dataset(tmp_path / "d", vectors(), count=6)

    class Gone(Unreadable):
        def open(self):
            raise DataError("mine.data:clips: there is no module 'mine'")

    gone = Dataset(dataset.path, dataset.schema, Gone(dataset.shards), {}, "")
    gallery = gallery_section(gone, table, tmp_path / "p.html")
    assert "mine.data:clips: there is no module 'mine'" in gallery.notes[0]
    assert all(not card.troubles for card in Gallery(page_of(gallery)).cards)


@pytest.mark.parametrize("task", ["multilabel", "regression"])
@pytest.mark.parametrize("method", ["exact", "sampled"])
def test_other_tasks_and_sampled_values(tmp_path, task, method):
    table = made(60, 3, 4, task=task, method=method)
    gallery = gallery_section(None, table, tmp_path / "p.html")
    names = {one.name for one in gallery.filters}
    assert ("class" in names) == (task == "multilabel")
    assert ("answer" in names) == (task == "multilabel")
    assert ("pattern" in names) == (task == "multilabel" and method == "exact")
    for card in Gallery(page_of(gallery)).cards:
        row = int(card.name[1:])
        if task == "multilabel":
            assert card.attributes["data-class"] == " ".join(map(str, np.flatnonzero(table.label[row])))
        else:
            assert card.attributes["data-answer"] == ""


def test_patterns_have_words_and_a_single_sample_has_a_page(tmp_path):
    assert set(PATTERN_WORDS) == set(PATTERNS)
    assert len(set(PATTERN_WORDS.values())) == len(PATTERNS)
    gallery = gallery_section(None, made(1, 1, 1), tmp_path / "p.html")
    assert len(gallery.cards) == 1
    everywhere = made(4, 2, 2)
    nothing = replace(everywhere, phi=np.full((4, 2), np.nan))
    assert not gallery_section(None, nothing, tmp_path / "p.html").cards


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (1, "1 more sample that belongs here does not fit into the page, and lies beside it."),
        (2, "2 more samples that belong here do not fit into the page, and lie beside it."),
    ],
)
def test_one_sample_and_several_that_do_not_fit(left, said):
    assert said in _notes(None, "", QUALITIES[0], left)
