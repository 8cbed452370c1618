"""Methods with the faults that the tests over all methods must find."""

from raymm.methods import Method

__all__ = ["Diverges", "Forgets", "OfItsRank"]


class Forgets(Method):
    """Weighs losses by the number of steps so far, which is not in its state."""

    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.steps = 0

    def loss(self, step):
        self.steps += 1
        return super().loss(step) * (1 + 0.1 * self.steps)


class OfItsRank(Method):
    """Weighs losses by their sum over this rank's rows, and not over all."""

    def loss(self, step):
        total = super().loss(step)
        return total * (1 + 0.1 * total.detach())


class Diverges(Method):
    """A loss that is NaN in the last epoch."""

    last = False

    def before_epoch(self, start):
        self.last = start.epoch == start.epochs - 1

    def loss(self, step):
        return super().loss(step) * (float("nan") if self.last else 1.0)
