"""Models whose values would be wrong without a word are refused, in words; and what only looks like one is not."""

import logging

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.tasks import Classification
from raymm.valuation.likeness import close
from raymm.valuation.own import BatchError, value_batches
from raymm.valuation.utilities import Utility, is_correct

A, V = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.randn(4, 3)
BATCH = {"audio": A, "video": V, "label": torch.tensor([0, 1, 2, 0])}
BRANCHES = {"audio": "a", "video": "v"}


class Base(nn.Module):
    """Two linear branches and a sum; each model below differs in one thing."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.v = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, audio, video):
        return self.a(audio) + self.v(video)


class Cascade(Base):
    def forward(self, audio, video):
        heard = self.a(audio)
        return heard + self.v(video + heard)


class CalledTwice(Base):
    def forward(self, audio, video):
        return self.a(audio) + self.a(audio.flip(1)) + self.v(video)


class CalledByAMethod(Base):
    def forward(self, audio, video):
        return functional.linear(audio, self.a.weight) + self.v(video)


class DrawsInTheHead(Base):
    def forward(self, audio, video):
        return functional.dropout(self.a(audio) + self.v(video), 0.5, training=True)


class DrawsInABranch(Base):
    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Linear(3, 3), Noise())


class Noise(nn.Module):
    def forward(self, values):
        return values + torch.rand_like(values)


class ReadsMoreOfABranch(Base):
    def __init__(self):
        super().__init__()
        self.a = Kept()

    def forward(self, audio, video):
        return self.a(audio) + self.a.kept + self.v(video)


class Kept(nn.Linear):
    def __init__(self):
        super().__init__(3, 3)
        self.kept = 0.0

    def forward(self, values):
        self.kept = values.abs()
        return super().forward(values)


class Crossed(Base):
    """Two axes are as long as the batch, and both are mixed."""

    def __init__(self):
        super().__init__()
        self.a = Steps()

    def forward(self, audio, video):
        return self.a(audio).mean((0, 1)) + self.v(video)


class Steps(nn.Module):
    def forward(self, values):
        return torch.stack([values * step for step in range(1, 5)])


class WithStates(Base):
    """A tensor that has the length of the first batch by chance."""

    def __init__(self):
        super().__init__()
        self.a = Table()

    def forward(self, audio, video):
        return self.a(audio)[0] + self.v(video)


class Table(nn.Module):
    def forward(self, values):
        return values, torch.zeros(4, 3)


class Pooled(Base):
    def __init__(self):
        super().__init__()
        self.a = Mean()


class Mean(nn.Module):
    def forward(self, values):
        return values.mean(0)


class Similarities(Base):
    def forward(self, audio, video):
        return self.a(audio) @ self.v(video).T


class Opaque(Base):
    def __init__(self):
        super().__init__()
        self.a = InAnObject()

    def forward(self, audio, video):
        return self.a(audio).values + self.v(video)


class InAnObject(nn.Module):
    def forward(self, values):
        return Cache(values)


class Cache:
    def __init__(self, values):
        self.values = values


class OneLogit(Base):
    def forward(self, audio, video):
        return super().forward(audio, video)[:, 0]


class NotANumber(Base):
    """The logarithm of what is masked is infinite."""

    def forward(self, audio, video):
        return self.a(audio).abs().log() + self.v(video)


REFUSED = {
    Cascade: "what branch 'video' gives changes when the branches before it are masked: it sees more than one",
    CalledTwice: "branch 'audio' is called 2 times in one forward pass",
    CalledByAMethod: "branch 'audio' is not called in the forward pass, though there are samples that have it",
    DrawsInTheHead: "draws at random",
    DrawsInABranch: "branch 'audio' gives something else when it is run again: it draws at random",
    Crossed: r"'audio' gives a tensor \[4, 4, 3\], of which two axes .* masking samples along either changes others",
    Pooled: r"branch 'audio' gives a tensor \[3\] of which no axis .* is the 4 samples",
    Similarities: "samples of a batch must not mix",
    Opaque: "branch 'audio' gives a Cache, which cannot be masked",
    OneLogit: "gives 1 logit a sample.*outputs=lambda out: torch.stack",
    NotANumber: r"NaN or infinite, first those of sample 0 of the batch for the coalition \{\}",
}


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_a_model_that_cannot_be_valued(kind):
    model = kind()
    with pytest.raises(BatchError, match=rf"(?s)batch 0.*(?:{REFUSED[kind]})"):
        value_batches(model, [BATCH], modalities=BRANCHES)
    assert not any(part._forward_hooks for part in model.modules())
    assert model.training


def test_the_plain_model_is_not_refused():
    value_batches(Base(), [BATCH], modalities=BRANCHES)


def test_one_logit_for_two_classes():
    batch = BATCH | {"label": torch.tensor([0, 1, 1, 0])}
    model = OneLogit()
    table = value_batches(
        model, [batch], modalities=BRANCHES, outputs=lambda out: torch.stack([torch.zeros_like(out), out], dim=1)
    )
    with torch.no_grad():
        assert table.prediction.tolist() == (model(A, V) > 0).long().tolist()


def test_axes_are_those_of_the_first_batch():
    class Turning(Base):
        def __init__(self):
            super().__init__()
            self.a = nn.LSTM(3, 3, num_layers=2, batch_first=True)

        def forward(self, audio, video):
            return self.a(audio[:, None])[1][0][-1] + self.v(video)

    model = Turning()
    one = {name: values[:1] for name, values in BATCH.items()}
    assert len(value_batches(model, [one, BATCH, one], modalities=BRANCHES)) == 6
    three = {name: values[:3] for name, values in BATCH.items()}
    with pytest.raises(BatchError, match=r"batch 1 .*'audio' gives a tensor \[4, 3\] of which no axis .* 3 samples"):
        value_batches(WithStates(), [BATCH, three], modalities=BRANCHES)
    two = {name: values[:2] for name, values in BATCH.items()}
    assert len(value_batches(model, [BATCH, two], modalities=BRANCHES)) == 6  # states [2, 2, 3] in the second batch
    present = torch.tensor([[True, True], [False, True]])
    one, other = (
        value_batches(
            model,
            batches,
            modalities=BRANCHES,
            present="there",
            utility="probability",
        )
        for batches in (
            [BATCH | {"there": torch.ones(4, 2)}, two | {"there": present}],
            [
                {
                    name: values.repeat(2, *[1] * (values.ndim - 1))
                    for name, values in (two | {"there": present}).items()
                }
            ],
        )
    )
    assert np.allclose(one.phi[4:], other.phi[:2], atol=1e-7, equal_nan=True)
    assert not np.isnan(one.phi[5, 1])


def test_means_need_floats_of_one_shape_and_some_sample():
    class Tokens(Base):
        def __init__(self):
            super().__init__()
            self.a = Whole()

        def forward(self, audio, video):
            return functional.one_hot(self.a(audio), 3).float().sum(1) + self.v(video)

    class Whole(nn.Module):
        def forward(self, values):
            return values.abs().long().clamp(max=2)

    value_batches(Tokens(), [BATCH], modalities=BRANCHES)
    with pytest.raises(BatchError, match=r"while the mean is taken: .*'audio' gives torch.int64, which has no mean"):
        value_batches(Tokens(), [BATCH], modalities=BRANCHES, mask="mean")

    class Sequence(Base):
        def forward(self, audio, video):
            return self.a(audio).mean(1) + self.v(video)

    batches = [BATCH | {"audio": torch.rand(4, steps, 3)} for steps in (2, 5)]
    value_batches(Sequence(), batches, modalities=BRANCHES)
    with pytest.raises(BatchError, match=r"batch 1 .*'audio' are \[2, 3\] a sample in one batch and \[5, 3\] in"):
        value_batches(Sequence(), batches, modalities=BRANCHES, mask="mean")
    with pytest.raises(BatchError, match=r"batch 0 .*the mean is of outputs of \[1, 2, 3\]"):
        value_batches(Sequence(), batches[1:], modalities=BRANCHES, mask="mean", reference=batches[:1])
    never = BATCH | {"there": torch.tensor([[0, 1]] * 4)}
    with pytest.raises(ConfigError, match="no sample has 'audio', so there is no mean"):
        value_batches(Base(), [never], modalities=BRANCHES, mask="mean", present="there")


def test_a_function_of_the_mask_must_fit():
    for function, words in (
        (
            lambda name, output: (output, output),
            r"gives \[4, 3\], \[4, 3\] for branch 'audio', whose output is \[4, 3\]",
        ),
        (lambda name, output: output[:, :2], r"gives \[4, 2\] for branch 'audio'"),
        (lambda name, output: None, "gives no tensor for branch 'audio'"),
        (lambda name, output: {}[name], r"in the function of mask=.*KeyError"),
    ):
        with pytest.raises(BatchError, match=words):
            value_batches(Base(), [BATCH], modalities=BRANCHES, mask=function)


def test_what_reaches_the_model_beside_the_branches_is_told_once(caplog):
    with caplog.at_level(logging.WARNING, "raymm"):
        value_batches(Base(), [BATCH, BATCH], modalities=BRANCHES)
        assert not caplog.records
        value_batches(Base(), [BATCH, BATCH], modalities={"audio": "a"})
        value_batches(ReadsMoreOfABranch(), [BATCH, BATCH], modalities=BRANCHES)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "with every branch masked the logits still differ between samples"
    ] * 2


def test_a_branch_that_is_skipped_where_nobody_has_it():
    class Skips(Base):
        def forward(self, video, audio=None):
            return self.v(video) if audio is None else self.v(video) + self.a(audio)

    without = {"video": V, "audio": None, "label": BATCH["label"], "there": torch.tensor([[False, True]] * 4)}
    whole = BATCH | {"there": torch.ones(4, 2)}
    table = value_batches(Skips(), [without, whole, without], modalities=BRANCHES, present="there")
    assert np.isnan(table.phi[:4, 0]).all()
    assert not np.isnan(table.phi[4:8]).any()
    with torch.no_grad():
        right = (Skips().v(V).argmax(1) == BATCH["label"]).numpy()
    assert table.phi[:4, 1].tolist() == right.astype(float).tolist()
    with pytest.raises(BatchError, match=r"batch 1 .*branch 'audio' is not called"):
        value_batches(Skips(), [whole, without | {"there": torch.ones(4, 2)}], modalities=BRANCHES, present="there")


ARGUMENTS = {
    r"a Base: say how modalities are masked: modalities=\{'audio': model.audio": {},
    r"a Base: say how modalities": {"modalities": ["audio", "video"]},
    r"mask='ones': give 'zeros', 'mean', or a function": {"modalities": BRANCHES, "mask": "ones"},
    r"reference= are the batches of mask='mean'": {"modalities": BRANCHES, "reference": [BATCH]},
    r"2 problems.*forward= is for modalities=.*mask= is for modalities=.*here the function decides it": {
        "modalities": ["audio"],
        "predict": lambda batch, mask: batch["audio"],
        "mask": "mean",
        "forward": lambda model, batch: None,
    },
    r"modalities= names modules, and predict= masks by itself": {"modalities": BRANCHES, "predict": lambda b, m: A},
    r"modalities= is missing: name the modalities": {"predict": lambda batch, mask: A},
    r"'audio' stands there 2 times": {"predict": lambda b, m: A, "modalities": ["audio", "video", "audio"]},
    r"present= names 'text'; the modalities are audio, video": {"modalities": BRANCHES, "present": {"text": "t"}},
    r"chunk=0: at least 1": {"modalities": BRANCHES, "chunk": 0},
    r"chunk='a': at least 1": {"modalities": BRANCHES, "chunk": "a"},
    r"classes=3.0: give their number, a whole one": {"modalities": BRANCHES, "classes": 3.0},
    r"classes='a': give their number": {"modalities": BRANCHES, "classes": "a"},
    r"utility= is a int; give the name of one": {"modalities": BRANCHES, "utility": 3},
    r"give the name of one, or raymm.valuation.Utility\('mine', close\)": {"modalities": BRANCHES, "utility": close},
    r"task=None: give the name of a task, such as 'classification'": {"modalities": BRANCHES, "task": None},
    r"task=3: give the name": {"modalities": BRANCHES, "task": 3},
    r"reference= is 3, which holds no batches": {"modalities": BRANCHES, "mask": "mean", "reference": 3},
    r"no utility 'cuont'; did you mean 'count'": {"modalities": BRANCHES, "utility": "cuont"},
    r"no task 'klassification'": {"modalities": BRANCHES, "task": "klassification"},
    r"method: must be 'auto', 'exact' or 'sampled' \(got 'both'\)": {
        "modalities": BRANCHES,
        "method": "both",
    },
    r"classes: 1, and the task classification has at least 2": {"modalities": BRANCHES, "classes": ["one"]},
    r"'score' is not defined for the task classification": {"modalities": BRANCHES, "utility": "score"},
}


@pytest.mark.parametrize("words", ARGUMENTS)
def test_arguments_that_do_not_fit_are_told_before_anything_is_read(words):
    def unread():
        raise AssertionError
        yield

    with pytest.raises(ConfigError, match=f"(?s){words}"):
        value_batches(Base(), unread(), **ARGUMENTS[words])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "data is None, which holds"),
        (5, "data is 5, which holds"),
        (BATCH, "data is a dict; give batches in a"),
    ],
)
def test_what_holds_no_batches(data, words):
    with pytest.raises(ConfigError, match=words):
        value_batches(Base(), data, modalities=BRANCHES)


@pytest.mark.parametrize("classes", [3, np.int64(3), [*"abc"], np.array([*"abc"])])
def test_classes_by_their_number_or_names(classes):
    assert value_batches(Base(), [BATCH], modalities=BRANCHES, classes=classes).info.classes == 3


def right(logits, labels, sizes):
    return is_correct(logits, labels, sizes) * sizes


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"fn": lambda *_: 1 / 0}, r"utility 'mine': fn raises ZeroDivisionError: .*test_refused.py, line \d+"),
        ({"fn": lambda *given: right(*given) * 1j}, r"utility 'mine' returns torch.complex64; .* real numbers"),
        (
            {"fn": right, "by_size": lambda sizes: 3 * sizes},
            "utility 'mine': .* whose answer is right, fn gives . and by_size leads to .; they must agree",
        ),
        (
            {"fn": lambda logits, labels, sizes: sizes, "by_size": lambda sizes: sizes},
            "coalition of . modalit.*, whose answer is wrong, fn gives . and by_size leads to 0",
        ),
        ({"fn": right, "by_size": lambda _: 1 / 0}, "utility 'mine': by_size raises ZeroDivisionError"),
        ({"fn": right, "by_size": lambda _: "a"}, "utility 'mine': by_size must give a whole number for each size"),
    ],
)
def test_a_utility_of_ones_own(own, words):
    with pytest.raises(BatchError, match=f"batch 0 .*{words}"):
        value_batches(Base(), [BATCH], modalities=BRANCHES, utility=Utility("mine", **own))


class Near(Classification):
    """Classes beside the label are correct, too."""

    def correct(self, outputs, labels):
        return (outputs.argmax(dim=-1) - labels[:, None]).abs() <= 1


def test_what_is_correct_is_said_by_a_task_of_ones_own():
    mine = Utility("mine", right, by_size=lambda sizes: sizes)
    found = value_batches(Base(), [BATCH], modalities=BRANCHES, utility=mine, task=Near())
    assert np.array_equal(found.phi, value_batches(Base(), [BATCH], modalities=BRANCHES, task=Near()).phi)
    wrong = Utility("mine", right, by_size=lambda sizes: 2 * sizes)
    with pytest.raises(BatchError, match=r"fn gives . and by_size leads to ."):
        value_batches(Base(), [BATCH], modalities=BRANCHES, utility=wrong, task=Near())


def test_the_two_ways_of_a_utility_are_compared_on_the_first_batch_alone():
    calls = []

    def told(logits, labels, sizes):
        calls.append(logits.shape)
        return right(logits, labels, sizes)

    mine = Utility("mine", told, by_size=lambda sizes: sizes)
    found = value_batches(Base(), [BATCH] * 4, modalities=BRANCHES, utility=mine)
    assert np.array_equal(found.phi, value_batches(Base(), [BATCH] * 4, modalities=BRANCHES).phi)
    assert len(calls) == 1


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 1, 2, 0, 1]])
def test_labels_that_are_not_as_many_as_the_samples(labels):
    words = f"labels and tensors differ in number, {len(labels)} and 4; give one label a sample"
    with pytest.raises(BatchError, match=words):
        value_batches(Base(), [BATCH | {"label": labels}], modalities=BRANCHES)
    with pytest.raises(BatchError, match=words):
        value_batches(lambda b, m: b["audio"], [BATCH | {"label": labels}], modalities=["audio", "video"])


@pytest.mark.parametrize(
    ("labels", "task", "words"),
    [
        (np.ma.masked_equal([0, 1, 2, 0], 2), "classification", "labels are a MaskedArray .* masked out"),
        (np.ones((4, 3)) * 1j, "regression", "labels are torch.complex128, and the task regression has"),
    ],
)
def test_labels_of_which_a_part_would_be_lost(labels, task, words):
    with pytest.raises(BatchError, match=words):
        value_batches(Base(), [BATCH | {"label": labels}], modalities=BRANCHES, task=task)


def test_classes_that_are_not_as_many_as_the_logits():
    with pytest.raises(BatchError, match=r"classes: 4, .* 4 logits a sample; the model gives 3"):
        value_batches(Base(), [BATCH], modalities=BRANCHES, classes=[*"abcd"])


def test_weights_without_numbers():
    with pytest.raises(ConfigError, match="the model is on the device 'meta', where weights have no numbers; make"):
        value_batches(Base().to("meta"), [BATCH], modalities=BRANCHES)


def test_sizes_that_are_not_known_yet():
    class Lazy(Base):
        def __init__(self):
            super().__init__()
            self.a = nn.LazyLinear(3)

    model = Lazy()
    with pytest.raises(ConfigError, match="the model has a LazyLinear whose sizes are not known yet; run it once"):
        value_batches(model, [BATCH], modalities=BRANCHES)
    model(A, V)
    value_batches(model, [BATCH], modalities=BRANCHES)


def test_what_is_no_model():
    for model in (3, "net", Base):
        with pytest.raises(ConfigError, match="say how modalities are masked"):
            value_batches(model, [BATCH])
    with pytest.raises(ConfigError, match="names branch modules, which a function cannot have"):
        value_batches(lambda batch, mask: A, [BATCH], modalities=BRANCHES)


def compiled_in_place(model):
    model.compile(backend="eager")


def compiled_forward(model):
    model.forward = torch.compile(model.forward, backend="eager")


def called_before(model):
    compiled_in_place(model)
    model(A, V)


def compiled_throughout(model):
    for part in model.modules():
        part.compile(backend="eager")


@pytest.mark.parametrize("change", [compiled_in_place, compiled_forward, called_before, compiled_throughout])
def test_a_model_that_was_compiled_in_place_has_the_values_of_the_one_that_was_not(change):
    batches = [BATCH, {name: values.flip(0) for name, values in BATCH.items()}]
    plain = value_batches(Base(), batches, modalities=BRANCHES)
    model = Base()
    change(model)
    before = dict(vars(model))
    assert np.array_equal(value_batches(model, batches, modalities=BRANCHES).phi, plain.phi)
    assert dict(vars(model)) == before


@pytest.mark.parametrize("label", [torch.tensor(1), np.int64(1), 1, 0.5])
def test_a_sample_in_the_place_of_a_batch(label):
    with pytest.raises(BatchError, match=r"it is one sample and no batch; give batches .* DataLoader\(data"):
        value_batches(Base(), [{"audio": A[0], "video": V[0], "label": label}], modalities=BRANCHES)


def test_a_compiled_branch_and_a_scripted_one():
    plain = value_batches(Base(), [BATCH], modalities=BRANCHES)
    model = Base()
    model.v = torch.compile(model.v, backend="eager")
    assert np.array_equal(value_batches(model, [BATCH], modalities=BRANCHES).phi, plain.phi)
    model.a = torch.jit.trace(model.a, A)
    with pytest.raises(
        ConfigError, match="'audio' is scripted code, which cannot be replaced; call it from a module"
    ):
        value_batches(model, [BATCH], modalities=BRANCHES)
