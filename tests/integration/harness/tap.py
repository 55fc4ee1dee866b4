"""Tests as functions, results as TAP: one line each, diagnostics behind "#"."""
import faulthandler
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from .env import HANG_S

__all__ = ["test", "main", "Skip", "Failure", "check", "equal", "need_program", "run"]

TEST_S = 5 * HANG_S  # one whole test, against hangs


class Skip(Exception):
    """raise Skip("why") where a test cannot run on this machine."""


class Failure(AssertionError):
    pass


class Hang(BaseException):
    """Not an Exception: no handler in a test swallows it."""


def check(ok, what):
    if not ok:
        raise Failure(what)


def equal(got, want, what=""):
    if got != want:
        raise Failure(f"{what}: got {got!r:.600}, wanted {want!r:.600}")


def need_program(name, why=""):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skip(f"no program \"{name}\" here{why}")
    return path


def run(argv, *, input=None, env=None, ok=(0,), cwd=None):
    """A client program to its end; Failure with its output unless its exit code is in ok (None: any)."""
    try:
        r = subprocess.run(argv, input=input, stdin=None if input is not None else subprocess.DEVNULL,
                           capture_output=True, timeout=HANG_S, env=env, cwd=cwd)
    except subprocess.TimeoutExpired as e:
        raise Failure(f"{argv[0]} hangs: {' '.join(map(str, argv))}\nstdout: {(e.stdout or b'')[-2000:]!r}\n"
                      f"stderr: {(e.stderr or b'')[-2000:]!r}") from None
    if ok is not None and r.returncode not in ok:
        raise Failure(f"exit {r.returncode} of {' '.join(map(str, argv))}\nstdout: {r.stdout[-2000:]!r}\n"
                      f"stderr: {r.stderr[-2000:]!r}")
    return r


class Context:
    """What one test owns: a folder, programs, whatever it defers. All ends with the test."""

    def __init__(self, name):
        self.name = name
        self.dir = tempfile.mkdtemp(prefix="sallyport-it-")
        self.programs = []
        self.deferred = []

    def defer(self, fn, *args):
        self.deferred.append((fn, args))

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text, mode=0o600):
        path = self.path(name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path

    def close(self):
        """Returns what went wrong at the end: exit codes, sanitizer reports, errors of deferred calls."""
        problems = []
        for fn, args in reversed(self.deferred):
            try:
                fn(*args)
            except Exception as e:
                problems.append(f"{fn}: {e}")
        for p in reversed(self.programs):  # proxies before gateways before what they reach
            p.ask_to_stop()
        for p in reversed(self.programs):
            p.finish()
        for p in self.programs:
            problems += p.problems()
        return problems

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


_tests = []


def test(name):
    """@test("what must hold") on a function of one parameter, the Context."""
    def add(fn):
        _tests.append((name, fn))
        return fn
    return add


def _diagnose(text):
    for line in text.rstrip("\n").split("\n"):
        print("# " + "".join(c if c.isprintable() else repr(c)[1:-1] for c in line), flush=True)


def _on_alarm(signum, frame):
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    raise Hang(f"the test did not end within {TEST_S:.0f} s")


def _one(name, fn):
    """(verdict, diagnostics); verdict is "ok", "skip" or "fail"."""
    t = Context(name)
    problems, why_skip = [], None
    signal.setitimer(signal.ITIMER_REAL, TEST_S)
    try:
        fn(t)
    except Skip as e:
        why_skip = str(e)
    except (Failure, Hang) as e:
        frames = [f for f in traceback.extract_tb(e.__traceback__) if not f.filename.endswith("tap.py")]
        problems.append("at " + " < ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in reversed(frames)))
        problems.append(str(e))
    except Exception:
        problems.append(traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_REAL, TEST_S)
    try:
        problems += t.close()
    except Hang as e:
        problems.append(f"while ending: {e}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if problems:
        for p in t.programs:
            problems.append(p.tail())
        if os.environ.get("SP_TEST_KEEP"):
            problems.append(f"kept: {t.dir}")
    if not os.environ.get("SP_TEST_KEEP") or not problems:
        t.remove()
    if problems:
        return "fail", problems
    return ("skip", [why_skip]) if why_skip is not None else ("ok", [])


def main():
    """Runs the tests of this file, or those whose name holds one of the arguments."""
    wanted = [(n, f) for n, f in _tests if len(sys.argv) < 2 or any(a in n for a in sys.argv[1:])]
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    count = {"ok": 0, "skip": 0, "fail": 0}
    print(f"1..{len(wanted)}", flush=True)
    for i, (name, fn) in enumerate(wanted, 1):
        began = time.monotonic()
        verdict, notes = _one(name, fn)
        took_s = time.monotonic() - began
        count[verdict] += 1
        if verdict == "fail":
            print(f"not ok {i} - {name}", flush=True)
            for note in notes:
                _diagnose(note)
        elif verdict == "skip":
            print(f"ok {i} - {name} # SKIP {notes[0]}", flush=True)
        else:
            print(f"ok {i} - {name}", flush=True)
        if took_s > 5:
            _diagnose(f"that took {took_s:.0f} s")
    _diagnose(f"{count['ok']} passed, {count['fail']} failed, {count['skip']} skipped")
    sys.exit(1 if count["fail"] else 0)
