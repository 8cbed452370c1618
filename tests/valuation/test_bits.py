"""Bit masks and packed bits: numpy and torch agree with Python's integers and with each other."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raymm.valuation.bits import _packed, _places, bits_at, masks_of, pack_bits, unpack_bits


def torch_bits(columns, seed):
    return torch.rand(5, columns, generator=torch.Generator().manual_seed(seed)) < 0.5


@pytest.mark.parametrize("as_array", [np.array, torch.tensor])
def test_masks_are_the_bits_of_codes(as_array):
    codes = [0, 1, 5, 6, 2**40 + 3]
    masks = masks_of(as_array(codes), 41)
    assert masks.tolist() == [[bool(code >> i & 1) for i in range(41)] for code in codes]
    assert isinstance(masks, type(as_array(codes)))


@given(columns=st.integers(1, 70), seed=st.integers(0, 9))
def test_both_types_pack_the_bits_of_little_endian_integers(columns, seed):
    bits = torch_bits(columns, seed)
    packed, of_numpy = pack_bits(bits), pack_bits(bits.numpy())
    expected = [sum(1 << c for c, bit in enumerate(row) if bit) for row in bits.tolist()]
    assert [int.from_bytes(bytes(row), "little") for row in packed.tolist()] == expected
    assert packed.numpy().tolist() == of_numpy.tolist()
    assert torch.equal(unpack_bits(packed, columns), bits)
    assert unpack_bits(of_numpy, columns).tolist() == bits.tolist()


@given(places=st.lists(st.integers(0, 599), min_size=1, max_size=9), seed=st.integers(0, 9))
def test_some_bits_are_read_without_the_others(places, seed):
    bits = torch_bits(600, seed)
    assert torch.equal(bits_at(pack_bits(bits), places), bits[:, places])
    assert bits_at(pack_bits(bits.numpy()), places).tolist() == bits[:, places].tolist()
    assert not torch.equal(bits_at(pack_bits(~bits), places), bits[:, places])


@given(columns=st.integers(1, 30), seed=st.integers(0, 9))
def test_operations_of_every_device_pack_the_same_bits(columns, seed):
    bits = torch_bits(columns, seed)
    packed = _packed(bits)
    assert packed.dtype == torch.uint8
    assert torch.equal(packed, pack_bits(bits))


def test_bits_stay_on_their_device():
    bits = torch.zeros(3, 9, dtype=torch.bool, device="meta")
    packed = pack_bits(bits)
    assert (packed.device.type, packed.dtype, tuple(packed.shape)) == ("meta", torch.uint8, (3, 2))
    assert (unpack_bits(packed, 9).device.type, bits_at(packed, [8]).device.type) == ("meta", "meta")
    assert masks_of(torch.zeros(3, dtype=torch.int64, device="meta"), 4).device.type == "meta"


def test_places_that_are_looked_up_once_serve_autograd_later():
    with torch.inference_mode():
        bits_at(pack_bits(torch_bits(20, 0)), [3, 17])
    where, shifts = _places((3, 17), torch.device("cpu"))
    assert (where.tolist(), shifts.tolist()) == ([0, 2], [3, 1])
    assert not where.is_inference()
    assert not shifts.is_inference()
