"""The loader of models that were recorded by version 0.1.0; it lies in `raymm.models.predictor` now.

A model recorded in MLflow carries the code that loads it, and that code imports this module by its name.
"""

from raymm.models.predictor import load

__all__ = ["load"]
