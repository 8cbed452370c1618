"""What version 0.1.0 saved, copied to where a test may change it, and the records of what it computed."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

HERE = Path(__file__).parent
TOKEN = b"@ROOT@"


@dataclass(frozen=True)
class Saved:
    """A copy of v0_1_0: `path("runs/finished")` and, of what lies beside it, `expected("runs/finished")`."""

    root: Path

    def path(self, name):
        return self.root / name

    def expected(self, name):
        return json.loads((self.root / f"{name}.expected.json").read_text())

    def expected_weights(self, name):
        return load_file(self.root / f"{name}.expected.safetensors")


@dataclass(frozen=True)
class Golden:
    """A record: what `NAME.json` says, and the arrays of `NAME.npz`."""

    about: dict
    arrays: dict

    def under(self, prefix):
        """Arrays whose names begin with `prefix` and a dot, by the rest of their names."""
        return {
            name[len(prefix) + 1 :]: array for name, array in self.arrays.items() if name.startswith(f"{prefix}.")
        }


@pytest.fixture
def saved(tmp_path):
    """All that version 0.1.0 saved, below `tmp_path`, whose files name that place."""
    root = tmp_path / "v0_1_0"
    shutil.copytree(HERE / "v0_1_0", root)
    for file in root.rglob("*"):
        if file.is_file() and TOKEN in (content := file.read_bytes()):
            file.write_bytes(content.replace(TOKEN, str(root).encode()))
    return Saved(root)


@pytest.fixture(scope="session")
def golden():
    """`golden("plans")`, `golden("training")` or `golden("valuation")`."""

    def read(name):
        with np.load(HERE / "golden" / f"{name}.npz") as file:
            arrays = {key: file[key] for key in file.files}
        return Golden(json.loads((HERE / "golden" / f"{name}.json").read_text()), arrays)

    return read


@pytest.fixture(scope="session")
def golden_weights():
    """`golden_weights("fusion-film")`: the final weights of a recorded training."""
    tensors = load_file(HERE / "golden" / "training-weights.safetensors")
    return lambda case: {name.partition("/")[2]: t for name, t in tensors.items() if name.startswith(f"{case}/")}


@pytest.fixture(scope="session")
def same_bits():
    """Whether numbers (and, with `numpy_too`, noise) have the bits here that an `environment` gave them."""

    def same(environment, numpy_too=False):
        capable = torch.backends.cpu.get_cpu_capability() == environment["cpu_capability"]
        alike = _torch_as(environment) and capable and processor_maker() == RECORDED_ON
        return alike and (not numpy_too or _noise_as(environment))

    return same


@pytest.fixture(scope="session")
def nearly_same():
    """Whether they are those of an `environment` but for the last bits, as with vectors of another width."""

    def same(environment, numpy_too=False):
        vector, there = {"AVX2", "AVX512"}, environment["cpu_capability"]
        alike = _torch_as(environment) and {torch.backends.cpu.get_cpu_capability(), there} <= vector
        return alike and (not numpy_too or _noise_as(environment))

    return same


@pytest.fixture(scope="session")
def same_maker():
    """Whether the processor is of the maker of that of the records: else a training drifts off within some epochs."""
    return processor_maker() == RECORDED_ON


RECORDED_ON = "AuthenticAMD"
"""Who made the processor of the records: of the same capability, torch and its MKL sum in another order on
those of another maker. The records have its features, AVX512BF16 without AVX512_SPR, but not its name."""


def processor_maker():
    """As Linux names it; empty on other systems."""
    about = Path("/proc/cpuinfo")
    named = re.search(r"^vendor_id\s*:\s*(\S+)", about.read_text() if about.exists() else "", re.MULTILINE)
    return named[1] if named else ""


def _torch_as(environment):
    return torch.__version__ == environment["torch"]


def _noise_as(environment):
    return _wide() == ("AVX512_SKX" in environment["numpy_features"])


def _wide():
    """Whether numpy's logarithms and powers are those for AVX-512, whose last bits differ from others."""
    from numpy._core._multiarray_umath import __cpu_features__ as features

    return bool(features.get("AVX512_SKX"))
