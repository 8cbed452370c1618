"""A method of somebody's own that weighs its extra rows."""

import numpy as np

from raymm.methods import ExtraRows, Method

__all__ = ["Weighing"]


class Weighing(Method):
    needs = "all"

    def plan(self, inputs):
        rows = np.arange(len(inputs.rows))
        return ExtraRows(rows, np.ones(len(rows), np.int64), np.full(len(rows), 0.25, np.float32))
