"""Turned and cut bytes in the weights and the description of an exported model: read, or refused in words."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raymm.config import Config
from raymm.data import Sample, Schema, VectorSpec, open_dataset, write_dataset
from raymm.data.schema import SPLITS
from raymm.errors import RaymmError
from raymm.models.export import export_model, load_model
from raymm.models.model import build_model
from raymm.storage import layout
from tests.limits import within_limits


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    schema = Schema(modalities=[VectorSpec(name="v", size=2)], classes=["a", "b"])
    samples = [Sample(f"{split}{n}", split, n, {"v": [n, 1.0]}) for split in SPLITS for n in (0, 1)]
    dataset = open_dataset(write_dataset(folder / "data", samples, schema))
    export_model(folder / "m", build_model(schema, Config().model, 0), Config(), dataset)
    return folder / "m"


@pytest.mark.parametrize("file", [layout.WEIGHTS, layout.MODEL_JSON])
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 8), early=st.booleans())
def test_a_damaged_model_is_read_or_refused(exported, file, where, bit, early):
    path = exported / file
    whole = path.read_bytes()
    place = int(where * (min(len(whole), 600) if early else len(whole)))  # the header of safetensors comes first
    path.write_bytes(whole[:place] if bit == 8 else changed(whole, place, bit))
    try:
        with within_limits():
            refusal = refused(exported)
    finally:
        path.write_bytes(whole)
    assert refusal is None or str(exported) in refusal


def refused(model):
    """Why a model is refused, in words; None where it is read."""
    try:
        load_model(model)
    except RaymmError as cause:
        return str(cause)
    return None


def changed(content, place, bit):
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]
