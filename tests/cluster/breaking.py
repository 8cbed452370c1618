"""A model of one's own that a driver can make, and an actor cannot."""

import ray

from tests.games import OwnModel

__all__ = ["build"]


def build(schema):
    if ray.get_runtime_context().get_actor_id():
        raise KeyError("weights")
    return OwnModel(schema)
