"""Models of one's own that tests build: good ones, and ones with mistakes."""

import numpy as np
import torch
from torch import nn

from raymm.config import parse
from raymm.data.schema import Schema
from raymm.models.own import Model
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.games import OwnModel

NAME = __name__

SCHEMA = Schema(
    modalities=[{"name": "a", "kind": "vector", "size": 3}, {"name": "b", "kind": "vector", "size": 5}],
    classes=["x", "y", "z"],
)


def settings_of(build=None, method="sample", own_of_method=None, **model):
    own = {"build": f"{NAME}:{build}"} if build else {"feature_size": 6, "encoder": {"width": 4}}
    return parse(
        {
            "training": {"epochs": 2, "batch_size": 7, "threads": 1},
            "method": {"name": method, "warmup": 1, "settings": own_of_method or {}},
            "optimizer": {"name": "sgd", "lr": 0.05},
            "model": {**own, **model},
        }
    )


def trained(path, data, config):
    run = create_or_open(path, config, data)
    return run, train(run, data, Backends())


class Wrapped(nn.Module):
    """Raymm's encoders and fusion as a model that is wholly one's own."""

    def __init__(self, schema, fusion="concat"):
        super().__init__()
        inside = Model(schema, {name: {"name": "mlp", "width": 4} for name in schema.names}, fusion, feature_size=6)
        self.names, self.size = inside.names, inside.size
        self.parts, self.last = inside.encoders, inside.fusion

    def encode(self, batch):
        columns = []
        for position, name in enumerate(self.names):
            column = torch.zeros(len(batch), self.size)
            column[batch.mask[:, position]] = self.parts[name](batch.inputs[name])
            columns.append(column)
        return torch.stack(columns, dim=1)

    def fuse(self, features, mask):
        return self.last(features, mask)


class WithEncoders(Wrapped):
    """The same, which says which its encoders are."""

    @property
    def encoders(self):
        return self.parts


class Additive(Wrapped):
    """The same, which is known to be a sum of its modalities."""

    def fuse(self, features, mask):
        terms, bias = self.partials(features)
        return bias + (terms * mask[..., None]).sum(dim=1)

    def partials(self, features):
        return self.last.partials(features), self.last.bias


def parts(schema, fusion="concat"):
    return Model(schema, {name: {"name": "mlp", "width": 4} for name in schema.names}, fusion, feature_size=6)


class Good(nn.Module):
    def __init__(self, schema, width=4):
        super().__init__()
        self.layers = nn.ModuleDict({spec.name: nn.Linear(spec.size, width) for spec in schema.modalities})
        self.out = nn.Linear(width, schema.outputs)

    def encode(self, batch):
        return {name: self.layers[name](values) for name, values in batch.inputs.items()}

    def fuse(self, features, _mask):
        return self.out(sum(features.values()))


class RowsMeet(Good):
    def encode(self, batch):
        return {name: values - values.mean(dim=0) for name, values in super().encode(batch).items()}


class Draws(Good):
    def encode(self, batch):
        return {name: values + torch.rand_like(values) for name, values in super().encode(batch).items()}


class ChangesInputs(Good):
    def encode(self, batch):
        for values in batch.inputs.values():
            values.mul_(2.0)
        return super().encode(batch)


class Frozen(Good):
    def __init__(self, schema, width=4):
        super().__init__(schema, width)
        self.requires_grad_(False)


class ModalitiesMeet(Good):
    def encode(self, batch):
        found = {}
        for position, (name, values) in enumerate(super().encode(batch).items()):
            found[name] = values.new_zeros(len(batch), 4).index_copy(
                0, batch.mask[:, position].nonzero()[:, 0], values
            )
        first, *rest = found
        return found | {rest[0]: found[rest[0]] + found[first]}


class Branching(Good):
    def fuse(self, features, _mask):
        total = sum(features.values())
        return self.out(2 * total if total.sum() > 0 else total)


class Bessel(Good):
    """Torch records its operation, which ONNX lacks."""

    def fuse(self, features, mask):
        return torch.special.bessel_j0(super().fuse(features, mask))


class Probable(Good):
    def fuse(self, features, mask):
        return super().fuse(features, mask).softmax(dim=-1)


class Sure(Good):
    def fuse(self, features, mask):
        return super().fuse(features, mask).sigmoid()


class ProbableSplit(nn.Module):
    """`encode` and `fuse` of a model for values alone, whose outputs are probabilities."""

    def __init__(self, schema):
        super().__init__()
        self.inner = OwnModel(schema)

    def encode(self, batch):
        return self.inner.encode(batch)

    def fuse(self, features, mask):
        return self.inner.fuse(features, mask).softmax(dim=-1)


class LogProbable(Good):
    def fuse(self, features, mask):
        return super().fuse(features, mask).log_softmax(dim=-1)


class OutputsMeet(Good):
    def fuse(self, features, mask):
        return super().fuse(features, mask).cumsum(dim=0)


class Narrow(Good):
    def fuse(self, features, mask):
        return super().fuse(features, mask)[:, :1]


class NotFinite(Good):
    def encode(self, batch):
        return {name: values / 0 for name, values in super().encode(batch).items()}


class Fails(Good):
    def encode(self, batch):
        return batch.inputs["m1"] @ torch.zeros(1000, 4)


class NoEncode(nn.Linear):
    def __init__(self, _schema):
        super().__init__(2, 2)


class Empty(Good):
    def __init__(self, _schema):
        nn.Module.__init__(self)

    def encode(self, batch):
        return torch.zeros(len(batch), 3, 2)

    def fuse(self, _features, mask):
        return torch.zeros(len(mask), 3)


class Lying(Good):
    def partials(self, features):
        return torch.stack([self.out(values) for values in features.values()], dim=1), self.out.bias


def raising(schema):
    raise OSError("no weights")


def failing(schema):
    return {}["backbone"]


def nothing(schema):
    return None


def unrepeatable(schema):
    model = Good(schema)
    nn.init.constant_(model.out.bias, float(np.random.default_rng().random()))
    return model


ONE = []


def the_same_again(schema):
    ONE[:] = ONE or [Good(schema)]
    return ONE[0]


def of_others(schema):
    return Model(SCHEMA, dict.fromkeys(SCHEMA.names, "mlp"))


def no_arguments():
    return None


def no_encoder(schema):
    return Model(schema, {"m0": nn.Linear(6, 4), "m3": "mlp", "m1": 3})


def wrong_part(schema):
    return Model(schema, {"m0": {"name": "mlp", "widht": 3}, "m1": "mpl", "m2": "mlp"}, fusion="concatt")


def encoders_that_fail(schema):
    return Model(schema, {"m0": nn.Linear(5, 4), "m1": nn.Sequential(nn.Unflatten(1, (2, 3))), "m2": "mlp"})


def own_fusion(schema):
    return Model(schema, {name: nn.Linear(6, 4) for name in schema.names}, fusion=nn.Bilinear(4, 4, 3))


def tied(schema):
    model = Good(schema)
    model.layers["m1"] = model.layers["m0"]
    return model
