"""Balanced steps: speeds, who stands aside for how long, and the mean that takes its place."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from tests.methods.tiny import assert_equal, changes, gradients, part_of, rows_of, trainer_of


def greedy(**own):
    return trainer_of("greedy", 2, **{"warmup": 0, **own})


def ratio(found, trainer, before, i):
    """Squared norm of what a step took from encoder i, over that of its parameters before."""
    names = [name for name in found if name.startswith(f"encoders.m{i}.")]
    return sum(float(found[name].square().sum()) for name in names) / sum(
        float(before[name].square().sum()) for name in names
    )


def test_a_regular_step_is_joint_and_measures_the_speeds():
    trainer = greedy(tolerance=100.0)
    batch = rows_of(trainer)
    total = [0.0, 0.0]
    for _ in range(3):
        before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
        expected = gradients(trainer, functional.cross_entropy(trainer.model(batch), batch.labels))
        found = changes(trainer, part_of(batch))
        assert_equal(found, expected)
        total = [sum_ + ratio(found, trainer, before, i) for i, sum_ in enumerate(total)]
        assert trainer.method.speed.tolist() == pytest.approx(total, rel=1e-4)
    assert trainer.method.left == 0


def test_a_step_whose_gradients_are_not_finite_counts_as_no_speed():
    trainer = greedy(tolerance=100.0)
    step = trainer.step(part_of(rows_of(trainer)))
    before = trainer.method.speed.clone()
    step.encoder_parameters(1)[0].grad.fill_(torch.inf)
    trainer.method.on_gradients(step)
    assert trainer.method.speed[1] == before[1] > 0
    assert trainer.method.speed[0] > before[0] > 0


def test_the_running_mean_is_that_of_the_rows_that_have_the_modality():
    trainer = greedy(tolerance=100.0, momentum=0.75)
    means = []
    for seed in range(3):
        batch = rows_of(trainer, seed=seed)
        features = trainer.model.encode(batch).detach()
        means.append(torch.stack([features[batch.mask[:, i], i].mean(dim=0) for i in range(2)]))
        trainer.step(part_of(batch))
    expected = means[0]
    for mean in means[1:]:
        expected = 0.75 * expected + 0.25 * mean
    assert torch.allclose(trainer.method.mean, expected, atol=1e-6)


@pytest.mark.parametrize("faster", [0, 1])
def test_the_faster_modality_stands_aside_for_a_window_of_steps(faster):
    trainer = greedy(tolerance=0.01, window=2)
    trainer.method.speed[faster] = 50.0  # what it did before
    trainer.method.speed[1 - faster] = 1.0
    batch = rows_of(trainer)
    trainer.step(part_of(batch))
    for number in (1, 2):
        assert (trainer.method.faster, trainer.method.left) == (faster, 3 - number)
        speed = trainer.method.speed.clone()
        features = trainer.model.encode(batch).clone()
        now = features[batch.mask[:, faster], faster].mean(dim=0).detach()
        mean = 0.9 * trainer.method.mean[faster] + 0.1 * now
        features[:, faster] = mean
        loss = functional.cross_entropy(trainer.model.fuse(features, batch.mask), batch.labels)
        expected = gradients(trainer, loss)
        found = changes(trainer, part_of(batch, number=number))
        assert_equal(found, expected)
        assert all((moved == 0).all() for name, moved in found.items() if f".m{faster}." in name)
        assert torch.equal(trainer.method.speed, speed)
    assert trainer.method.left == 0
    before = trainer.method.speed.clone()
    trainer.step(part_of(batch, number=3))
    assert (trainer.method.speed > before).all()


def test_the_first_epochs_are_joint():
    trainer = greedy(tolerance=0.0, warmup=2)
    trainer.step(part_of(rows_of(trainer), epoch=1))
    assert trainer.method.left == 0
    trainer.step(part_of(rows_of(trainer), epoch=2))
    assert trainer.method.left == 5


def test_where_the_steps_stand_is_remembered():
    trainer, again = greedy(tolerance=0.0), greedy(tolerance=0.0)
    batch = rows_of(trainer)
    trainer.step(part_of(batch))
    trainer.step(part_of(batch, number=1))
    again.model.load_state_dict(trainer.model.state_dict())
    again.method.load_state_dict(trainer.method.state_dict())
    assert_equal(*(changes(one, part_of(batch, number=2)) for one in (trainer, again)))
    assert again.method.left == 3


@pytest.mark.parametrize(
    ("n", "words"),
    [(1, "the model reads 1$"), (3, "the model reads 3; name two as model.modalities, of m0, m1, m2$")],
)
def test_other_numbers_of_modalities_are_refused(n, words):
    with pytest.raises(ConfigError, match=f"for two modalities, by the difference of their speeds; {words}"):
        trainer_of("greedy", n)


def test_two_modalities_of_several_are_a_pair():
    """Steps are those of a model that has only these two, and the same one stands aside."""
    three, two = trainer_of("greedy", 3, model={"modalities": ["m0", "m2"]}, warmup=0), greedy()
    weights, here = three.model.state_dict(), {"m0": "m0", "m1": "m2"}
    for name, value in two.model.state_dict().items():
        own = weights[".".join(here.get(part, part) for part in name.split("."))]
        if own.shape != value.shape:  # a number for each modality, or features of all side by side
            own = own[[0, 2]] if len(own) == 3 != len(value) else own[:, [*range(4), *range(8, 12)]]
        value.copy_(own)
    wide = rows_of(three, missing=False)
    mask = torch.tensor([True, False, True]).expand(len(wide.mask), 3)
    wide = replace(wide, inputs={**wide.inputs, "m1": wide.inputs["m1"][:0]}, mask=mask)
    narrow = replace(wide, inputs={"m0": wide.inputs["m0"], "m1": wide.inputs["m2"]}, mask=mask[:, [0, 2]])
    for number in range(4):
        found, expected = changes(three, part_of(wide, number=number)), changes(two, part_of(narrow, number=number))
        for i, j in ((0, 0), (2, 1)):
            names = [name for name in found if name.startswith(f"encoders.m{i}.")]
            assert names
            for name in names:
                assert torch.allclose(found[name], expected[name.replace(f"m{i}", f"m{j}")], atol=1e-6), (
                    number,
                    name,
                )
        assert three.method.speed.tolist() == pytest.approx(two.method.speed.tolist(), rel=1e-4)
        assert three.method.faster == (0, 2)[two.method.faster]
        assert three.method.left == two.method.left
    assert three.method.left > 0
