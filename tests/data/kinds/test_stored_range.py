"""Numbers are looked at as they will be stored: what the stored type has no room for is refused in words."""

import numpy as np
import pytest

from raymm.data import EmbeddingSpec, FlowSpec, ImageSpec, VectorSpec

VECTOR = VectorSpec(name="v", size=4)
FLOW = FlowSpec(name="f", frames=1, height=16, width=16)
IMAGE = ImageSpec(name="i", height=16, width=16)


def filled(spec, dtype, *values):
    array = np.zeros(spec.shape, dtype)
    array.reshape(-1)[: len(values)] = values
    return array


@pytest.mark.parametrize(
    ("spec", "array", "words"),
    [
        (
            VECTOR,
            filled(VECTOR, np.float64, 1e39, -1e39, 3e38),
            "holds 2 values that float32 has no room for, such as",
        ),
        (FLOW, filled(FLOW, np.float32, 70000), "holds 1 values that float16 has no room for, such as 70000"),
        (FLOW, filled(FLOW, np.int64, -70000), "holds 1 values that float16 has no room for, such as -70000"),
        (
            IMAGE,
            filled(IMAGE, np.int64, 256, -1),
            "holds 2 values that uint8 has no room for, such as 256; scale them",
        ),
        (IMAGE, filled(IMAGE, np.float64, 1e9), "holds 1 values that uint8 has no room for"),
        (VECTOR, filled(VECTOR, np.float64, np.inf, 1e39), "holds 1 values that are NaN or infinite"),
    ],
)
def test_what_the_stored_type_has_no_room_for_is_refused(spec, array, words):
    (said,) = spec.check(array)
    assert said.startswith(words)


def test_an_embedding_is_looked_at_as_it_is_stored():
    spec = EmbeddingSpec(name="e", tokens=3, size=2)
    (said,) = spec.check(np.full((2, 2), 1e39))
    assert said == "holds 4 values that float32 has no room for, such as 1e+39; scale them"


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.uint8])
def test_whatever_is_let_through_is_stored_as_a_finite_number_near_it(dtype):
    generator = np.random.default_rng(0)
    for spec in (VECTOR, FLOW, IMAGE):
        for power in range(0, 44, 2):
            numbers = generator.normal(size=spec.shape) * 10.0**power
            array = np.clip(numbers, 0, 255).astype(dtype) if dtype is np.uint8 else numbers.astype(np.float64)
            if np.dtype(dtype).kind == "i":
                array = np.clip(numbers, -(2.0**62), 2.0**62).astype(dtype)
            elif np.dtype(dtype).kind == "f":
                with np.errstate(over="ignore"):
                    array = array.astype(dtype)
            if spec.check(array):
                continue
            stored = spec.stored(array).astype(np.float64)
            assert np.isfinite(stored).all()
            close = 1.0 if spec.dtype.kind == "u" else 1e-3 * np.abs(array.astype(np.float64)) + 1e-4
            assert (np.abs(stored - array.astype(np.float64)) <= close).all()
