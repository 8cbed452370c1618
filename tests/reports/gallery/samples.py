"""Tables of random numbers, data sets of every kind, and pages taken apart, for the tests of the gallery."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from raymm.config.registries import KINDS
from raymm.data import Sample, Schema, open_dataset, write_dataset
from raymm.reports.html import render
from raymm.valuation import TableInfo, ValuationTable
from raymm.valuation.bits import pack_bits

__all__ = [
    "SIZES",
    "Card",
    "Gallery",
    "draw_value",
    "every_kind",
    "made",
    "of_dataset",
    "page_of",
    "spec_of_kind",
    "table_of",
]


def made(count, n, classes, seed=0, missing=0.2, task="classification", method="exact"):
    """A table of random numbers; labels of the last class are rare."""
    draw = np.random.default_rng(seed)
    weights = np.r_[np.ones(classes - 1), 0.02] if classes > 1 else np.ones(1)
    phi = np.round(draw.normal(size=(count, n)), 1)  # ties
    gone = draw.random((count, n)) < missing
    gone[gone.all(axis=1), 0] = False
    label = draw.choice(classes, count, p=weights / weights.sum())
    prediction = np.where(draw.random(count) < 0.6, label, draw.integers(0, classes, count))
    if task == "multilabel":
        label, prediction = (
            np.eye(classes, dtype=bool)[a] | (draw.random((count, classes)) < 0.2) for a in (label, prediction)
        )
    if task == "regression":
        label, prediction = (a[:, None] + draw.normal(size=(count, 1)) for a in (label, prediction))
    correct = draw.random((count, 2**n)) < 0.5
    return ValuationTable(
        info=TableInfo(
            tuple(f"m{i}" for i in range(n)),
            "count" if task != "regression" else "loss",
            "zeros",
            "0123456789abcdef",
            task={"name": task},
            classes=classes,
            class_names=tuple(f"class {k}" for k in range(classes)),
            method=method,
        ),
        sample_id=np.array([f"s{row:05d}" for row in range(count)]),
        split=np.full(count, "test"),
        label=label,
        prediction=prediction,
        phi=np.where(gone, np.nan, phi),
        outcomes=pack_bits(correct) if method == "exact" else np.empty((count, 0), np.uint8),
        loss=np.zeros(count),
        stderr=np.zeros((count, n)),
        unimodal_correct=correct[:, [1 << i for i in range(n)]],
    )


SIZES = {"vector": {"size": 6}, "sequence": {"channels": 2, "length": 50}, "embedding": {"tokens": 5, "size": 3}}
"""Settings of kinds that have no default for all of theirs."""


def spec_of_kind(kind, name=None, **fields):
    return KINDS.get(kind)(name=name or kind.replace(":", "_"), **{**SIZES.get(kind, {}), **fields})


def draw_value(spec, draw):
    """A value that the kind can store."""
    if spec.is_text:
        return "A fox, and " + " ".join(draw.choice(["a hen", "the farm", "corn"], 3))
    if spec.kind == "embedding":
        return draw.normal(size=(int(draw.integers(1, spec.tokens + 1)), spec.size)).astype(np.float32)
    if spec.dtype.kind == "u":
        return draw.integers(0, 256, spec.shape).astype(spec.dtype)
    return (0.3 * draw.normal(size=spec.shape)).astype(spec.dtype)


def every_kind():
    return [spec_of_kind(kind) for kind in KINDS.names() if ":" not in kind]


def of_dataset(path, specs, count=12, seed=0, names=None, classes=("a", "b"), sources=None, missing=0.0):
    """A data set of random values in its test split, and a table of it."""
    draw = np.random.default_rng(seed)
    schema = Schema(modalities=tuple(specs), classes=classes)
    names = names or [f"s{row:03d}" for row in range(count)]
    kept = [[True] + [bool(draw.random() >= missing) for _ in specs[1:]] for _ in range(count)]
    rows = [
        Sample(
            names[row],
            "test",
            int(draw.integers(len(classes))),
            {spec.name: draw_value(spec, draw) for spec, there in zip(specs, kept[row], strict=True) if there},
            source="" if sources is None else sources[row],
        )
        for row in range(count)
    ]
    first = rows[0].values
    others = [Sample(split + str(k), split, k, first) for split in ("train", "val") for k in range(len(classes))]
    dataset = open_dataset(write_dataset(path, [*others, *rows], schema))
    return dataset, table_of(dataset, seed)


def table_of(dataset, seed=0):
    """Random values of the test split of a data set."""
    numbers, names, classes = dataset.rows("test"), dataset.schema.names, dataset.schema.classes
    count = len(numbers)
    table = made(count, len(names), len(classes), seed=seed, missing=0)
    info = TableInfo(tuple(names), "count", "zeros", "0" * 16, classes=len(classes), class_names=tuple(classes))
    return replace(
        table,
        info=info,
        sample_id=dataset.shards.sample_id[numbers],
        split=dataset.shards.split[numbers],
        label=dataset.label[numbers],
        prediction=np.random.default_rng(seed).integers(0, len(classes), count),
        phi=np.where(dataset.present[numbers], table.phi, np.nan),
        source=np.array(dataset.shards.sources(numbers)),
    )


def page_of(gallery, title="t"):
    """The gallery as the only part of a page."""
    head = (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title></head><body><h1>{title}</h1>"
    )
    return head + render("gallery.html", gallery=gallery) + "</body></html>"


class Card:
    """What a card says and holds: its heading, texts by class, attributes, and media as bytes with alternatives."""

    def __init__(self, attributes):
        self.attributes = attributes
        self.name, self.texts, self.phi, self.media, self.graphics, self.troubles = "", [], {}, [], [], []


class Gallery(HTMLParser):
    """Cards of a page or of a file beside it, as a browser would find them."""

    def __init__(self, text):
        super().__init__()
        self.cards, self.tags, self.addresses, self._path, self._row = [], [], [], [], []
        self.handlers = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.handlers += [name for name in found if name.startswith("on")]
        self.addresses += [found[name] for name in ("src", "href") if name in found]
        if tag == "article":
            self.cards.append(Card(found))
        if tag == "tr":
            self._row = []
        if self.cards and tag in {"img", "audio"}:
            kind, code = re.fullmatch(r"data:([a-z/]+);base64,(.*)", found["src"]).groups()
            said = found.get("alt") or found.get("aria-label")
            self.cards[-1].media.append((kind, base64.b64decode(code, validate=True), said, found))
        if self.cards and tag == "svg" and found.get("role") == "img":
            self.cards[-1].graphics.append((found["aria-label"], []))
        if self.cards and tag == "path" and "line" in found.get("class", ""):
            self.cards[-1].graphics[-1][1].append(found["d"])
        if tag not in {"img", "path", "rect", "input", "br", "meta", "option", "li", "tr", "td", "th", "p"}:
            self._path.append((tag, found.get("class", "")))
        elif tag in {"td", "th"}:
            self._row.append("")

    def handle_endtag(self, tag):
        while self._path and tag in {name for name, _ in self._path}:
            if self._path.pop()[0] == tag:
                break
        if tag == "article":
            self._path = []

    def handle_data(self, data):
        if not self.cards or not data.strip():
            return
        card, text = self.cards[-1], data.strip()
        inside = self._path[-1] if self._path else ("", "")
        card.texts.append(text)
        if inside[0] == "h3":
            card.name += data
        if inside[1] == "trouble":
            card.troubles.append(text)
        if self._row and any(place == ("table", "phis") for place in self._path):
            self._row[-1] += data
            if len(self._row) == 2 and self._row[1].strip():
                card.phi[self._row[0].strip()] = self._row[1].strip()
