"""The example of a model of one's own trains, and its run needs nothing of the example."""

import pytest

import raymm
from tests.examples import EXAMPLES, example
from tests.games import small_dataset
from tests.guests import guest


@pytest.fixture
def program():
    with guest(EXAMPLES):
        yield example("own_model")


@pytest.mark.parametrize(("builder", "kind"), [("build", "OwnModel"), ("parts", "Model")])
def test_it_trains(tmp_path, program, builder, kind):
    small_dataset(tmp_path / "DATA", 72)
    settings = {"training.epochs": 3, "method.warmup": 1, "training.threads": 1, "model.args.width": 8}
    result = program.main(tmp_path / "DATA", tmp_path / "RUN", builder, settings=settings, progress=None)
    assert result.metrics["test/accuracy"] > 0.25
    assert (tmp_path / "RUN/plugins/own_model.py").read_bytes() == (EXAMPLES / "own_model.py").read_bytes()
    loaded = raymm.load(tmp_path / "RUN")
    assert loaded.summary().startswith(f"method sample, model own_model:{builder}\n")
    model = loaded.model
    assert (type(model).__name__, model.size) == (kind, 8 if builder == "build" else 12)
