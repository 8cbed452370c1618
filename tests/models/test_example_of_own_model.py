"""The example of a model of one's own trains, and its run needs nothing of the example."""

import importlib.util
from pathlib import Path

import pytest

import raymm
from tests.games import small_dataset
from tests.guests import guest

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_model.py"


@pytest.fixture
def example():
    """The module of the example, which is not imported by its name."""
    with guest(EXAMPLE.parent):
        about = importlib.util.spec_from_file_location("example_of_own_model", EXAMPLE)
        module = importlib.util.module_from_spec(about)
        about.loader.exec_module(module)
        yield module


@pytest.mark.parametrize(("builder", "kind"), [("build", "OwnModel"), ("parts", "Model")])
def test_it_trains(tmp_path, example, builder, kind):
    small_dataset(tmp_path / "DATA", 72)
    settings = {"training.epochs": 3, "method.warmup": 1, "training.threads": 1, "model.args.width": 8}
    result = example.main(tmp_path / "DATA", tmp_path / "RUN", builder, settings=settings, progress=None)
    assert result.metrics["test/accuracy"] > 0.25
    assert (tmp_path / "RUN/plugins/own_model.py").read_bytes() == EXAMPLE.read_bytes()
    loaded = raymm.load(tmp_path / "RUN")
    assert loaded.summary().startswith(f"method sample, model own_model:{builder}\n")
    model = loaded.model
    assert (type(model).__name__, model.size) == (kind, 8 if builder == "build" else 12)
