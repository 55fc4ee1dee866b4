"""One of our programs: its log followed line by line as it is written, its end judged."""
import json
import os
import signal
import subprocess
import threading

from .env import HANG_S, binary
from .tap import Failure

__all__ = ["Program", "start", "ended_badly"]

_REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
            "ERROR: libFuzzer", "Sanitizer:DEADLYSIGNAL", "Sanitizer CHECK failed")
_SUPPRESS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lsan.supp")


def sanitizer_env():
    env = dict(os.environ)
    env["ASAN_OPTIONS"] = "detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=0:exitcode=99:" + env.get("ASAN_OPTIONS", "")
    env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1:" + env.get("UBSAN_OPTIONS", "")
    env["LSAN_OPTIONS"] = f"suppressions={_SUPPRESS}:print_suppressions=0:" + env.get("LSAN_OPTIONS", "")
    for k in [k for k in env if k.lower().endswith("_proxy")]:
        del env[k]
    return env


def ended_badly(text):
    """The line of a sanitizer's report in a program's output, or None."""
    return next((line for line in text.split("\n") if any(r in line for r in _REPORTS)), None)


def _parse(line):
    try:
        event = json.loads(line)
        return event if isinstance(event, dict) else None
    except ValueError:
        return None


class Program:
    def __init__(self, t, name, argv):
        self.name = name
        self.text = []  # every line as written
        self.events = []  # those that are JSON
        self.ended = False
        self.expected = (0,)
        self.unheard = False
        self.seen = threading.Condition()
        self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     env=sanitizer_env(), cwd=t.dir)
        t.programs.append(self)
        self.follower = threading.Thread(target=self._follow, daemon=True)
        self.follower.start()

    def _follow(self):
        for raw in self.proc.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            event = _parse(line)
            with self.seen:
                self.text.append(line)
                if event is not None:
                    self.events.append(event)
                self.seen.notify_all()
        with self.seen:
            self.ended = True
            self.seen.notify_all()

    # ---- its log --------------------------------------------------------------------------

    def find(self, after=0, **want):
        """Events that have these values (a callable judges), from index `after` on. The condition's lock is held by callers."""
        return [e for e in self.events[after:]
                if all(w(e.get(k)) if callable(w) else str(e.get(k)) == str(w) for k, w in want.items())]

    def mark(self):
        """Where the log is now: for wait(after=...)."""
        with self.seen:
            return len(self.events)

    def wait(self, count=1, after=0, **want):
        """Blocks until `count` such events are there; returns the count-th."""
        with self.seen:
            self.seen.wait_for(lambda: self.ended or len(self.find(after, **want)) >= count, HANG_S)
            found = self.find(after, **want)
            if len(found) >= count:
                return found[count - 1]
        raise Failure(f"{self.name}: {'ended without' if self.ended else 'did not log'} event {count} with {want}")

    def count(self, after=0, **want):
        with self.seen:
            return len(self.find(after, **want))

    def wait_text(self, part):
        """Blocks until a line holds this text."""
        with self.seen:
            self.seen.wait_for(lambda: self.ended or any(part in l for l in self.text), HANG_S)
            for line in self.text:
                if part in line:
                    return line
        raise Failure(f"{self.name}: no line with {part!r}")

    def whole_text(self):
        with self.seen:
            return "\n".join(self.text)

    def address(self, protocol, nth=1):
        """(host, port) of the nth listener of this protocol."""
        host, port = self.wait(nth, event="listen", protocol=protocol)["address"].rsplit(":", 1)
        return host.strip("[]"), int(port)

    def ready(self):
        self.wait(event="ready")
        return self

    def outcome(self, word, after=0, **want):
        """Blocks until an exchange has ended with this outcome."""
        return self.wait(after=after, event="exchange", outcome=word, **want)

    # ---- its end --------------------------------------------------------------------------

    def signal(self, number):
        if self.proc.poll() is None:
            self.proc.send_signal(number)

    def kill(self):
        """SIGKILL, as a machine that dies; what it left behind is nobody's fault."""
        self.expected = (-signal.SIGKILL,)
        self.proc.kill()
        self.join()

    def join(self):
        """Blocks until it has ended and everything it wrote is here; returns the exit code."""
        try:
            code = self.proc.wait(HANG_S)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name}: does not end") from None
        self.follower.join(HANG_S)
        return code

    def stop(self):
        """SIGTERM, to the end; the exit code is judged when the test ends."""
        self.signal(signal.SIGTERM)
        return self.join()

    def ask_to_stop(self):
        """For the end of a test: drain, then at once, since what is still open is nobody's any more."""
        if self.proc.poll() is not None:
            return
        self.signal(signal.SIGTERM)
        with self.seen:
            if not self.seen.wait_for(lambda: self.ended or self.find(event="stop", message="draining"), HANG_S):
                self.unheard = True
        self.signal(signal.SIGTERM)

    def finish(self):
        try:
            self.join()
        except Failure:
            self.proc.send_signal(signal.SIGABRT)
            self.proc.wait(HANG_S)
            self.follower.join(HANG_S)
            self.expected = ("an end after SIGTERM; it hung and was aborted",)

    def problems(self):
        out = []
        report = ended_badly(self.whole_text())
        if report:
            out.append(f"{self.name}: {report}")
        if self.proc.returncode not in self.expected:
            out.append(f"{self.name}: exit {self.proc.returncode}, wanted {' or '.join(map(str, self.expected))}")
        if self.unheard:
            out.append(f"{self.name}: SIGTERM was not noticed")
        if self.find(event="bug"):
            out.append(f"{self.name}: {self.find(event='bug')[0]}")
        return out

    def tail(self):
        lines = self.text
        report = next((i for i, l in enumerate(lines) if any(r in l for r in _REPORTS)), None)
        part = lines[report - 5 if report > 5 else 0:report + 70] if report is not None else lines[-40:]
        return f"---- {self.name} (pid {self.proc.pid}, exit {self.proc.returncode}), {len(lines)} lines:\n" + "\n".join(part)


def start(t, program, name, conf_text):
    """Writes the configuration to NAME.conf in the test's folder and starts the program with it. Not waited for: see
    Program.ready()."""
    conf = t.write(f"{name}.conf", conf_text)
    return Program(t, name, [binary(program), "-c", conf])
