"""A test run that is killed leaves no process behind."""

import json
import os
import signal
import subprocess
import sys
import time

from tests.reliability.commands import is_alive

# A test run in the middle of a command that goes on for hours.
_TESTS = """
import json, pathlib, sys
from tests.reliability.commands import Commands

commands = Commands(pathlib.Path.cwd(), sys.argv[1])
run = commands.start("main", *json.loads(sys.argv[2]))
assert run.wait_for("step 2 of")
print(commands._server.pid, run.process, flush=True)
run.wait()
"""


def test_server_and_command_end_with_the_tests(root, flags, tmp_path):
    arguments = flags + ["--model_dir=%s" % (tmp_path / "run"), "--train_steps=100000000"]
    tests = subprocess.Popen(
        [sys.executable, "-c", _TESTS, str(tmp_path), json.dumps(arguments)],
        cwd=str(root),
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    left = [int(number) for number in tests.stdout.readline().split()]
    tests.kill()
    tests.wait()
    tests.stdout.close()
    try:
        assert len(left) == 2
        end = time.time() + 30
        while time.time() < end and any(is_alive(process) for process in left):
            time.sleep(0.1)
        assert not [process for process in left if is_alive(process)]
    finally:
        for process in left:
            if is_alive(process):
                os.kill(process, signal.SIGKILL)
