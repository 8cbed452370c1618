"""A package that raymm does not know: a kind, an encoder, a fusion, two methods and a task, registered when imported.

It imports raymm and is installed nowhere; the tests copy it into a temporary folder and name it by `--plugins`.
"""

from partpack import balance, encoders, events, fusions, multitask, ordinal

__all__ = ["balance", "encoders", "events", "fusions", "multitask", "ordinal"]
