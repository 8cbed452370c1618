"""Tries changes of a module quickly: tests are loaded once, and each change is tried in a forked child.

`Forks.try_all` starts pytest in a child, which collects the tests of a module. There `Tries` takes the place of the
loop over tests: it runs all of them once as things are, notes which of them call which function, and then forks once
for each change. The child gives the functions that are there the changed code, runs the tests that call the changed
function, and ends at the first failure. What stands outside of functions is tried in a child that reads the changed
file and runs all of the tests.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from hypothesis import settings

__all__ = ["Forks"]

MEMORY = 8 << 30
OWN = ("raymm", "tests", "conftest")
NOT_APPLIED = 75
ODD = 70
EXAMPLES = 10
"""Of a test that draws its inputs."""

OPTIONS = [
    *("-o", "addopts=--import-mode=importlib", "-x", "-q", "-s", "-p", "no:cacheprovider", "--tb=short"),
    *("-m", "not ray and not slow and not chaos and not long"),
]


class Forks:
    """Children of this process, in a folder that has a copy of `raymm/`, `tests/` and `pyproject.toml`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.said = folder / "said.txt"

    def try_all(self, module, tests, changes):
        """Ids of changes of a module that these tests find, as they come."""
        report = self.folder / f"report-{os.getpid()}.jsonl"  # one of a run that was killed may still be written
        report.write_text("")
        tries = Tries(self.folder, module, changes, report)
        code = fork(lambda: self._pytest(tests, [tries]), self.said, 36000.0)
        lines = [json.loads(line) for line in report.read_text().splitlines()]
        report.unlink()
        if code != 0 or not lines:
            raise SystemExit(f"{module}: its tests fail as things are\n{self.said.read_text()}")
        load(name for name in lines[0]["modules"] if name.partition(".")[0] not in OWN)
        found = {line["id"] for line in lines[1:] if line["code"] not in (0, NOT_APPLIED, ODD)}
        unlike = {line["id"] for line in lines[1:] if line["code"] == NOT_APPLIED}
        rest = [change for change in changes if change["id"] in unlike]
        return found | self._by_file(module, tests, rest, lines[0]["seconds"])

    def _by_file(self, module, tests, changes, seconds):
        """Ids of changes that are found when the changed file is read."""
        path, found = self.folder / module, set()
        original = path.read_bytes()
        try:
            for change in changes:
                path.write_text(change["source"], encoding="utf-8")
                if fork(lambda: self._pytest(tests, []), self.said, 20.0 + 3.0 * seconds) != 0:
                    found.add(change["id"])
        finally:
            path.write_bytes(original)
        return found

    def _pytest(self, tests, plugins):
        """Run pytest on the copy; also processes that tests start read the copy."""
        for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
            del sys.modules[name]
        os.chdir(self.folder)
        sys.path[:] = [str(self.folder), *(one for one in sys.path if one)]
        os.environ["PYTHONPATH"] = str(self.folder)
        if not plugins:  # the file is a changed one
            sys.dont_write_bytecode = True
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        return int(pytest.main([*OPTIONS, "--basetemp", str(self.folder / "temporary"), *tests], plugins))


class Tries:
    """A plug-in of pytest: in place of running the tests once, run them for each change."""

    def __init__(self, folder, module, changes, report):
        self.path, self.changes, self.report = folder / module, changes, report
        self.name = module.removesuffix(".py").replace("/", ".")
        self.said = folder / "said_by_a_change.txt"
        self.noted = folder / "noted.json"
        self.failed = ""
        self.called: set[int] = set()
        self.by_fixtures: dict[str, set[int]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self):
        """Before tests are read: few examples."""
        settings.register_profile("few", settings.get_profile("raymm"), max_examples=EXAMPLES)
        settings.load_profile("few")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item):
        """What fixtures call counts for every test of the file, since they may share them."""
        try:
            return (yield)
        finally:
            self.by_fixtures.setdefault(item.nodeid.partition("::")[0], set()).update(self.called)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed = report.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        """Once as things are, then once a change."""
        importlib.import_module(self.name)
        if not Path(sys.modules[self.name].__file__).samefile(self.path):
            raise SystemExit(f"{self.name} is not that of the copy")
        if fork(lambda: self._note(session.items), self.said, 3600.0) != 0:
            raise SystemExit(f"the tests fail as things are\n{self.said.read_text()}")
        noted = json.loads(self.noted.read_text())
        load(noted["modules"])
        self._add({"modules": noted["modules"], "seconds": noted["seconds"]})
        live = functions_of(self.path)
        gc.collect()
        gc.freeze()
        same = {"function": [1, 10**6], "source": self.path.read_text(encoding="utf-8")}
        if fork(lambda: self._try(session.items, live, same), self.said, 3600.0) != 0:
            raise SystemExit("the tests fail with the same code put in again")
        finds: Counter[str] = Counter()
        for change in self.changes:
            items = chosen(session.items, noted, change["function"], finds)
            self.noted.unlink(missing_ok=True)
            code = fork(lambda c=change, i=items: self._try(i, live, c), self.said, 10.0 + 3.0 * noted["seconds"])
            if code == ODD:  # neither found nor not: what it said is kept, and it counts as not found
                with (self.said.parent / "odd.txt").open("a") as out:
                    out.write(f"{self.name} {change['id']}\n{self.said.read_text()}\n")
            self._add({"id": change["id"], "code": code})
            if self.noted.exists():
                finds[self.noted.read_text()] += 1
        return True

    def _add(self, line):
        with self.report.open("a") as out:
            out.write(json.dumps(line) + "\n")

    def _note(self, items):
        """Run all of them; note the seconds of each, the functions that each calls, and what is loaded by then."""
        start, seconds, calls = time.process_time(), {}, {}
        path = str(self.path)

        def trace(frame, _event, _argument):
            if frame.f_code.co_filename == path:
                self.called.add(frame.f_code.co_firstlineno)

        for item, after in zip(items, [*items[1:], None], strict=True):
            for one in vars(sys.modules[self.name]).values():
                if hasattr(one, "cache_clear"):
                    one.cache_clear()  # so that a later test is seen to call it, too
            self.called.clear()
            begun = time.process_time()
            sys.settrace(trace)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            sys.settrace(None)
            seconds[item.nodeid], calls[item.nodeid] = time.process_time() - begun, sorted(self.called)
            if self.failed:
                return 1
        for name in calls:
            calls[name] += sorted(self.by_fixtures.get(name.partition("::")[0], ()))
        whole = time.process_time() - start
        self.noted.write_text(
            json.dumps({"modules": list(sys.modules), "seconds": whole, "of": seconds, "calls": calls})
        )
        return 0

    def _try(self, items, live, change):
        """Change the functions that are there, and run tests until one fails."""
        gc.disable()
        if not change["function"] or not put(live, compile(change["source"], str(self.path), "exec")):
            return NOT_APPLIED
        for item, after in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self.failed:
                self.noted.write_text(self.failed)
                return 1
        return 0


def chosen(items, noted, function, finds):
    """Tests that call a function (its lines): first those that are quick and have found much."""
    first, last = function or (0, 0)
    calling = [item for item in items if any(first <= line <= last for line in noted["calls"][item.nodeid])]
    return sorted(calling, key=lambda item: (noted["of"][item.nodeid] + 0.01) / (1 + finds[item.nodeid]))


def functions_of(path):
    """Functions that are there and were read from a file."""
    gc.unfreeze()  # what is frozen is not among the objects
    return [
        one for one in gc.get_objects() if isinstance(one, FunctionType) and one.__code__.co_filename == str(path)
    ]


def put(live, code):
    """Give functions the code that they have in a changed file; False where one has none."""
    changed = {}
    for one in codes_in(code):
        changed.setdefault(_key(one), one)
    for function in live:
        code = changed.get(_key(function.__code__))
        if code is None or code.co_freevars != function.__code__.co_freevars:
            return False
        function.__code__ = code
    return True


def codes_in(code):
    """A code object and those in it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from codes_in(one)


def _key(code):
    """What stays of a function when one place of it is changed: its name and its last line."""
    return code.co_qualname, max(line for _, _, line in code.co_lines() if line is not None)


def load(names):
    """Import what can be imported by its name."""
    for name in names:
        if name not in sys.modules and name.partition(".")[0] not in ("tests", "conftest"):
            with contextlib.suppress(Exception):  # not every module can be imported again by its name
                importlib.import_module(name)


def fork(action, said, limit_s):
    """Exit status of a child that does something, within a limit of processor time (of wall time, ten times that)."""
    child = os.fork()
    if child == 0:
        _in_a_child(action, said, limit_s)
    start, status = time.monotonic(), None
    while status is None and time.monotonic() - start < 60.0 + 10.0 * limit_s:
        done, state = os.waitpid(child, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(state)
        else:
            time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # also what it has started
    if status is None:
        os.waitpid(child, 0)
    return status


def _in_a_child(action, said, limit_s):
    code = ODD
    try:
        os.setsid()
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        for limit, most in ((resource.RLIMIT_AS, MEMORY + used), (resource.RLIMIT_CPU, int(limit_s) + 1)):
            resource.setrlimit(limit, (most, resource.getrlimit(limit)[1]))
        code = action()
    except BaseException as error:  # noqa: BLE001  the child must end here
        traceback.print_exception(error, file=sys.__stderr__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
