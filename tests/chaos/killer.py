"""A plug-in that ends the process that imports it, at a moment that a file beside it asks for.

Every process of a run imports the copy in RUN/plugins and reads RUN/fault.json, or the one in the folder that
RAYMM_CHAOS names: `{"kills": [{"phase": ..., "rank": ..., "epoch": ..., "times": 1}]}`. A file with an order's number
is made before the process ends, so a kill happens once (or as often as `times` says), however often the run starts
again. Instead of SIGKILL an order may send another "signal", or make the process "sleep". Without the JSON file
nothing happens.

A phase that only rank 0 goes through is one for rank 1 too: rank 0 waits in it until the other has ended itself.
"""

import json
import os
import signal
import threading
import time
from functools import wraps
from pathlib import Path

RUN = Path(os.environ.get("RAYMM_CHAOS") or Path(__file__).parents[1])
ORDERS = RUN / "fault.json"
PATIENCE_S = 60
step_now = {"epoch": -1, "number": -1}


def rank():
    """This process's rank; None outside of Ray Train."""
    import torch.distributed as dist

    return dist.get_rank() if dist.is_available() and dist.is_initialized() else None


def claim(order):
    """Whether an order is still to be carried out; it then counts as done."""
    for time_no in range(order.get("times", 1)):
        try:
            (RUN / f"fault-{order['number']}-{time_no}.done").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def done(order):
    return (RUN / f"fault-{order['number']}-{order.get('times', 1) - 1}.done").exists()


def carry_out(order):
    if "sleep" in order:
        time.sleep(order["sleep"])
    else:
        os.kill(os.getpid(), order.get("signal", signal.SIGKILL))


def reach(phase, epoch, only_first=False):
    """A phase of training is reached: end this process if that is asked of it."""
    for order in ORDERED:
        if order["phase"] != phase or order["epoch"] != epoch or done(order):
            continue
        if order["rank"] in {rank(), "any"}:
            if claim(order):
                carry_out(order)
        elif only_first:
            (RUN / f"fault-{order['number']}.reached").touch()
            wait_for(RUN / f"fault-{order['number']}-0.done")


def wait_for(file):
    until = time.monotonic() + PATIENCE_S
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.2)


def watch():
    """Rank 1 ends itself when rank 0 has reached a phase that only rank 0 goes through."""
    while not all(done(order) for order in ORDERED):
        for order in ORDERED:
            if (RUN / f"fault-{order['number']}.reached").exists() and order["rank"] == rank() and claim(order):
                carry_out(order)
        time.sleep(0.01)


def before(owner, name, hook):
    """Call `hook` with the arguments before the function of that name."""
    real = getattr(owner, name)

    @wraps(real)
    def wrapped(*args, **kwargs):
        hook(*args, **kwargs)
        return real(*args, **kwargs)

    setattr(owner, name, wrapped)


def after(owner, name, hook):
    real = getattr(owner, name)

    @wraps(real)
    def wrapped(*args, **kwargs):
        made = real(*args, **kwargs)
        hook(*args, **kwargs)
        return made

    setattr(owner, name, wrapped)


def on_step(_, part):
    step_now.update(epoch=part.epoch, number=part.number)
    if part.number == 0:
        reach("first step", part.epoch)
    if part.number == 2:
        reach("mid-epoch", part.epoch)


def on_update(*_):
    if step_now["number"] == 1:
        reach("before the update", step_now["epoch"])


def on_file(tensors, path):
    """The second file of an epoch is half written."""
    if path.name != "optimizer.safetensors":
        return
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    reach("in a file", int(path.parent.name.removeprefix("epoch-")) - 1, only_first=True)
    path.write_bytes(whole)


def arm():
    from raymm.cluster import valuation_pool
    from raymm.storage.layout import committed_epochs
    from raymm.training import checkpoint, context, epoch_end, loop, step

    def on_start(loop):
        reach("restore", len(committed_epochs(loop.run.path)))

    def on_value(loop, rows, number):
        reach("valuation", number - 1, only_first=True)

    def on_save(run, state, *_):
        reach("before saving", state.epoch - 1, only_first=True)

    def saved(run, state, *_):
        reach("after the commit", state.epoch - 1, only_first=True)

    before(loop, "load_or_init", on_start)
    before(context.RunContext, "value", on_value)
    before(step.Trainer, "step", on_step)
    after(step, "sum_gradients", on_update)
    after(checkpoint, "save_tensors", on_file)
    before(epoch_end, "commit", on_save)
    after(epoch_end, "commit", saved)
    before(valuation_pool, "value_batch", lambda *_: reach("actor", -1))
    threading.Thread(target=watch, daemon=True).start()


if ORDERS.exists():
    ORDERED = [
        {"number": number, "times": 1, "epoch": -1, "rank": None, **order}
        for number, order in enumerate(json.loads(ORDERS.read_text())["kills"])
    ]
    arm()
