"""Starting a local Ray: signals wait until it has started, and what Ray raises becomes words."""

import gc
import os
import signal
import weakref

import pytest
import ray

from raymm.cluster.local_ray import init_ray, local_ray, shut_down
from raymm.config import ClusterConfig
from raymm.errors import ClusterError
from raymm.signals import Stopped, stoppable
from tests.heard import heard


@pytest.fixture
def at_start(monkeypatch):
    """Replaces `ray.init` by what is given, and `ray.shutdown` by a note that it was called."""
    downs = []
    monkeypatch.setattr("ray.shutdown", lambda: downs.append(True))

    def replace(function):
        monkeypatch.setattr("ray.init", lambda **_: function())
        return downs

    return replace


@pytest.mark.parametrize(("number", "raised"), [(2, KeyboardInterrupt), (15, Stopped), (1, Stopped)])
def test_a_signal_waits_until_ray_has_started(at_start, number, raised):
    reached = []

    def start():
        ray._private.utils.set_sigterm_handler(lambda *_: pytest.fail("Ray's own handler"))  # as Ray does
        os.kill(os.getpid(), number)
        reached.append(signal.getsignal(number))

    downs = at_start(start)
    with heard(number), stoppable():
        usual = signal.getsignal(number)
        with pytest.raises(KeyboardInterrupt) as cause, local_ray(ClusterConfig(workers=1)):
            pytest.fail("the block began")
        assert signal.getsignal(number) is usual
    assert type(cause.value) is raised
    assert getattr(cause.value, "number", signal.SIGINT) == number
    assert reached
    assert reached != [usual]
    assert downs


def test_a_second_signal_does_not_wait(at_start):
    def start():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("it went on")

    at_start(start)
    with stoppable(), pytest.raises(Stopped):
        init_ray()


def test_a_signal_that_is_ignored_stays_ignored(at_start):
    at_start(lambda: os.kill(os.getpid(), signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        init_ray()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_ray_that_does_not_start_is_said(at_start):
    def start():
        raise RuntimeError("Traceback\n  ...\nThe current node timed out during startup.")

    downs = at_start(start)
    words = r"could not be started \(The current node timed out during startup\.\); .* by --backend local"
    with pytest.raises(ClusterError, match=words), local_ray(ClusterConfig(workers=1)):
        pytest.fail("the block began")
    assert downs


def test_what_cycles_hold_is_dropped_before_ray_shuts_down_and_nothing_meanwhile(monkeypatch):
    class Holder:
        """Stands for what refers to an object of Ray."""

    held, seen = Holder(), []
    held.itself, dropped = held, weakref.ref(held)
    del held
    monkeypatch.setattr("ray.shutdown", lambda: seen.append((dropped() is None, gc.isenabled())))
    shut_down()
    assert seen == [(True, False)]
    assert gc.isenabled()
