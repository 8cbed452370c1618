"""A plug-in of a run that kills workers of Ray Train at a chosen moment, once each."""

import uuid

PLUGIN = '''
import itertools
import os
import signal
import time
from pathlib import Path

from raymm.cluster import valuation_pool
from raymm.storage import layout
from raymm.training import checkpoint, epoch_end, loop, step

MOMENT, FOLDER, BEGUN = "{moment}", Path("{folder}"), time.time()


def kill_in_turn():
    """Kill rank 1, and in the next group rank 0; called by the victim itself, or by rank 0, which saves for all."""
    rank = int(os.environ["RANK"])
    first, second = FOLDER / "killed-1", FOLDER / "killed-0"
    if not first.exists():
        victim = int((FOLDER / "pid-1").read_text())
        if rank == 1 or MOMENT in SAVING:
            first.touch()
            os.kill(victim, signal.SIGKILL)
    elif rank == 0 and not second.exists() and first.stat().st_mtime < BEGUN:
        second.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def before(module, name, when=lambda *_: True):
    wrapped = getattr(module, name)

    def call(*arguments, **named):
        if when(*arguments):
            kill_in_turn()
        return wrapped(*arguments, **named)

    setattr(module, name, call)


def after(module, name):
    wrapped = getattr(module, name)

    def call(*arguments, **named):
        done = wrapped(*arguments, **named)
        kill_in_turn()
        return done

    setattr(module, name, call)


def nth(number):
    count = itertools.count(1)
    return lambda *_: next(count) == number


def half_of_a_file(tensors, path):
    if path.name == layout.OPTIMIZER:
        write(tensors, path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        kill_in_turn()
    write(tensors, path)


write = checkpoint.save_tensors
SAVING = {{
    "before it saves": lambda: before(epoch_end, "commit"),
    "in the midst of a file": lambda: setattr(checkpoint, "save_tensors", half_of_a_file),
    "saved, not committed": lambda: before(checkpoint, "commit_directory"),
    "committed, others wait": lambda: before(checkpoint, "_prune"),
    "while it waits for valuations": lambda: before(valuation_pool, "_result"),
}}
ON_EVERY_RANK = {{
    "before it restores": lambda: before(loop, "load_or_init"),
    "in its first step": lambda: before(step.Trainer, "step", nth(1)),
    "in the midst of an epoch": lambda: before(step.Trainer, "step", nth(4)),
    "between gradients and update": lambda: after(step, "sum_gradients"),
}}
if "RANK" in os.environ:  # in a worker of Ray Train, not in the driver
    (FOLDER / f"pid-{{os.environ['RANK']}}").write_text(str(os.getpid()))
    (SAVING | ON_EVERY_RANK)[MOMENT]()
'''

MOMENTS = (
    "before it restores",
    "in its first step",
    "in the midst of an epoch",
    "between gradients and update",
    "before it saves",
    "in the midst of a file",
    "saved, not committed",
    "committed, others wait",
    "while it waits for valuations",
)


def plugin(folder, moment):
    """Write the plug-in that kills rank 1 and then rank 0 at a moment; `folder` notes who was killed."""
    folder.mkdir()
    file = folder / f"kills_{uuid.uuid4().hex}.py"  # a process imports one code under a name
    file.write_text(PLUGIN.format(moment=moment, folder=folder))
    return file
