"""Features of any form are laid out as one tensor, and come back as they were."""

import pytest
import torch

from raymm.data.batch import Batch
from raymm.models.own.features import form_of
from raymm.valuation.conformance import ModelError
from tests.models.own_models import SCHEMA


def batch_of(mask, generator):
    inputs = {name: torch.randn(int(mask[:, i].sum()), 4, generator=generator) for i, name in enumerate(SCHEMA.names)}
    return Batch(inputs, mask, torch.zeros(len(mask), dtype=torch.long), torch.arange(len(mask)))


def nest_of(kind, rows, generator):
    """Features of a modality in some form, and its tensors."""
    flat, wide = torch.randn(rows, 3, generator=generator), torch.randn(rows, 2, 5, generator=generator)
    flag = torch.rand(rows, 4, generator=generator) > 0.5
    return {"flat": flat, "wide": wide, "pair": (flat, flag), "named": {"x": wide, "deep": [flag, flat]}}[kind]


def leaves(nest):
    values = nest.values() if isinstance(nest, dict) else nest if isinstance(nest, (tuple, list)) else None
    return [nest] if values is None else [leaf for value in values for leaf in leaves(value)]


@pytest.mark.parametrize("seed", range(12))
def test_features_of_any_form_come_back_as_they_were(seed):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(7, 2, generator=generator) > 0.4
    batch = batch_of(mask, generator)
    kinds = [["flat", "wide", "pair", "named"][int(torch.randint(4, (1,), generator=generator))] for _ in range(2)]
    ragged = seed % 2 == 0
    counts = [int(mask[:, i].sum()) if ragged else 7 for i in range(2)]
    found = {name: nest_of(*about, generator) for name, *about in zip(SCHEMA.names, kinds, counts, strict=True)}
    example = {name: nest_of(kind, 2, generator) for name, kind in zip(SCHEMA.names, kinds, strict=True)}
    form = form_of(example, SCHEMA.names, 2)
    features = form.pack(found, batch, frozenset(SCHEMA.names))
    assert features.shape == (7, 2, form.size)
    back = form.unpack(features)
    for position, name in enumerate(SCHEMA.names):
        rows = mask[:, position] if ragged else torch.ones(7, dtype=torch.bool)
        for one, other in zip(leaves(back[name]), leaves(found[name]), strict=True):
            assert one.dtype == other.dtype
            assert torch.equal(one[rows], other)
            assert not one[~rows].any()


def test_features_in_one_tensor_keep_their_shape():
    features = torch.randn(5, 2, 3, 4)
    form = form_of(torch.randn(2, 2, 3, 4), SCHEMA.names, 2)
    packed = form.pack(features, batch_of(torch.ones(5, 2, dtype=torch.bool), None), frozenset(SCHEMA.names))
    assert packed.shape == (5, 2, form.size) == (5, 2, 12)
    assert torch.equal(form.unpack(packed), features)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (3, "encode returned a int; return a tensor"),
        (torch.zeros(2, 3), r"float32 \[2, 3\] for 2 rows; expected \[samples, modalities, size\] = \[2, 2, ...\]"),
        (torch.zeros(2, 2, 3, dtype=torch.long), "of floating-point numbers"),
        ({"a": torch.zeros(2, 3)}, "encode returned features of a; expected a, b"),
        ({"a": torch.zeros(2, 3), "b": torch.zeros(3, 3)}, r"float32 \[3, 3\] for 'b'; expected 2 rows"),
        ({"a": torch.zeros(2, 3), "b": torch.zeros(2, dtype=torch.long)}, r"int64 \[2\] for 'b'; return a tensor"),
        ({"a": torch.zeros(2, 3), "b": ()}, r"for 'b'; return a tensor"),
    ],
)
def test_features_that_cannot_be_laid_out_are_refused(found, words):
    with pytest.raises(ModelError, match=words):
        form_of(found, SCHEMA.names, 2)


def test_features_of_another_width_than_before_are_refused():
    form = form_of({"a": torch.zeros(2, 3), "b": torch.zeros(2, 3)}, SCHEMA.names, 2)
    batch = batch_of(torch.ones(4, 2, dtype=torch.bool), None)
    with pytest.raises(
        ModelError, match=r"a: float32 \[4, 5\].*for the example \{a: float32 \[0, 3\].*have one form"
    ):
        form.pack({"a": torch.zeros(4, 5), "b": torch.zeros(4, 3)}, batch, frozenset(SCHEMA.names))
