"""The README's walk through the four modes, run as it is written beside the demonstration."""
import os
import re
import signal
import subprocess

from harness import *
from harness.env import BINDIR, SRCDIR


def walk():
    """The lines of the README's block that begins with the demonstration's file of addresses."""
    with open(os.path.join(SRCDIR, "README.md"), encoding="utf-8") as f:
        text = f.read()
    return re.search(r"```sh\n(\. /tmp/sallyport-demo-X+/env.*?)```", text, re.S).group(1)


@test("the README's walk: every command answers with the status that stands behind it")
def _(t):
    need_program("curl")
    log = open(t.path("demo.out"), "w+", encoding="utf-8")
    demo = subprocess.Popen(["/usr/bin/python3", os.path.join(SRCDIR, "tests", "demo", "demo"), "--build", BINDIR],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.defer(log.close)
    try:
        env = None
        for line in demo.stdout:
            log.write(line)
            m = re.search(r"in another terminal: +\. (\S+/env)", line)
            if m:
                env = m.group(1)
                break
        check(env, "the demonstration names the file of addresses")
        script = re.sub(r"\. /tmp/sallyport-demo-X+/env", f". {env}", walk())
        wanted = [(line, re.search(r"# (\d{3})", line).group(1)) for line in script.splitlines() if re.match(r"(anybody|bearer) ", line)]
        check(len(wanted) >= 9, "the block was found")
        for shell in ("sh", "bash"):
            r = run([shell, "-c", script], ok=range(256))
            got = re.findall(r"(?m)(\d{3})$", r.stdout.decode())
            equal(got, [status for _, status in wanted], f"{shell}: {r.stdout.decode()} {r.stderr.decode()}")
            equal(r.stdout.decode().count("Hello from the ERP system"), [s for _, s in wanted].count("200"), f"{shell}: answers")
    finally:
        demo.send_signal(signal.SIGINT)
        rest = demo.communicate()[0]
    equal(demo.returncode, 0, rest)


main()
