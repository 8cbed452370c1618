"""The reference of methods: what the registry says, what `problems` refuse, and the page that is committed."""

import json
from pathlib import Path

import pytest

from raymm.methods import METHODS, Method, get_method
from raymm.methods.base import ExtraRows
from raymm.reports.methods_page import changes, defined_for, methods_page

ROOT = Path(__file__).parents[2]


def test_every_method_has_a_row_and_a_section():
    page = methods_page()
    for name in METHODS:
        method = get_method(name)
        assert f"| [`{name}`](#{name}) | {changes(method)} | {' | '.join(defined_for(method))} |" in page
        assert f"### {name}\n" in page
        for setting, field in method.Settings.model_fields.items():
            assert f"| `{setting}` |" in page
            assert " ".join(field.description.split()) in page
        for setting, values in method.tuned:
            assert f"`{setting}` {', '.join(map(json.dumps, values))}" in page


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("joint", ("nothing", "any", "any", "any")),
        ("sample", ("rows", "any", "any", "any")),
        ("opm", ("loss", "2 or more", "any", "classification, multilabel")),
        ("agm", ("loss, gradients", "2 to 10", "any", "any")),
        ("mmcosine", ("nothing", "2 or more", "cosine", "any")),
        ("remix", ("rows, loss", "2 or more", "any", "classification")),
    ],
)
def test_what_is_said_of_some(name, said):
    method = get_method(name)
    assert (changes(method), *defined_for(method)) == said


class Two(Method):
    """Of two modalities with two fusions, by weights."""

    def before_epoch(self, start):
        del start

    @classmethod
    def problems(cls, settings, context):
        del settings
        return [] if len(context.modalities) == 2 and context.fusion in {"sum", "concat"} else ["no"]


class Everything(Two):
    """Every part."""

    turns = 2

    def plan(self, inputs):
        return ExtraRows(inputs.rows, inputs.rows)

    def mask(self, kept, keys):
        del keys
        return kept

    def loss(self, step):
        return step.logits.sum()

    def on_gradients(self, step):
        del step


def test_what_methods_change_and_take_is_found():
    assert (changes(Two), *defined_for(Two)) == ("weights between epochs", "2", "concat, sum", "any")
    assert changes(Everything) == "rows, mask, loss, gradients, updates"


def test_the_committed_page_is_what_the_registry_says():
    """`methods_page` writes it again; the command stands in the page."""
    assert (ROOT / "docs" / "methods.md").read_text() == methods_page()
