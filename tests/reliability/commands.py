"""Commands of this project as processes that a test can kill, and what they left behind."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np

from bsrn_estimator.compat import tf

# One scale and two applications of the block: a restart is mostly TensorFlow's own work.
NETWORK = [
    "--scales=2",
    "--conv_features=4",
    "--state_features=2",
    "--recursions=2",
    "--recursion_frequency=1",
    "--batch_size=2",
    "--patch_size=6",
    "--learning_rate=1e-3",
    "--threads=1",
    "--device=cpu",
    "--summary_steps=1",
    "--log_steps=1",
]


class Done:
    """What a command that has ended left: its status as the shell has it, and its output.

    Attributes:
      status: the exit status, or 128 and the signal that ended it.
      output, errors: what it wrote.
      seconds: how long it ran.
    """

    def __init__(self, waited: int, log: pathlib.Path, seconds: float) -> None:
        killed = os.WIFSIGNALED(waited)
        self.status = 128 + os.WTERMSIG(waited) if killed else os.WEXITSTATUS(waited)
        self.output = log.with_name(log.name + ".out").read_text()
        self.errors = log.with_name(log.name + ".err").read_text()
        self.seconds = seconds

    def __repr__(self) -> str:
        return "status %d\n%s\n%s" % (self.status, self.output[-3000:], self.errors[-5000:])


class Running:
    """A command at work.

    Attributes:
      process: its process id, which is also that of its session.
    """

    def __init__(self, server, process: int, log: pathlib.Path) -> None:
        self._server, self.process, self._log = server, process, log
        self._started = time.time()

    def output(self) -> str:
        """What it has written so far to the standard output."""
        path = self._log.with_name(self._log.name + ".out")
        return path.read_text() if path.exists() else ""

    def wait_for(self, text: str, seconds: float = 120, count: int = 1) -> bool:
        """Waits until its output holds `text` so often; False if it has ended before."""
        end = time.time() + seconds
        while self.output().count(text) < count:
            assert time.time() < end, "no %r in %s" % (text, self.output()[-2000:])
            if not self.is_alive():
                return False
            time.sleep(0.01)
        return True

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return is_alive(self.process)

    def signal(self, number: int) -> None:
        """Sends a signal to the command and to the processes it started."""
        try:
            os.killpg(self.process, number)
        except ProcessLookupError:
            pass

    def wait(self) -> Done:
        """Waits until it ends."""
        waited = int(self._server.stdout.readline())
        return Done(waited, self._log, time.time() - self._started)


def is_alive(process: int) -> bool:
    """Whether a process has not ended; one that has, but was not waited for, has."""
    try:
        with open("/proc/%d/stat" % process) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


class Commands:
    """Starts commands, one at a time, without their imports; see fork_server.

    Args:
      root: the root of the repository.
      folder: for their outputs.
    """

    def __init__(self, root, folder) -> None:
        self._folder, self._number = folder, 0
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.fork_server", str(os.getpid())],
            cwd=str(root),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )

    def start(self, program: str, *arguments: str, **environment: str) -> Running:
        """Starts `main` or `to_tfrecord`, with variables of the environment."""
        self._number += 1
        log = pathlib.Path(str(self._folder)) / ("command-%d" % self._number)
        order = {"program": program, "arguments": list(arguments), "log": str(log)}
        order["environment"] = environment
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return Running(self._server, int(self._server.stdout.readline()), log)

    def run(self, program: str, *arguments: str, **environment: str) -> Done:
        """Runs one to its end."""
        return self.start(program, *arguments, **environment).wait()

    def close(self) -> None:
        """Ends the server, and with it what still runs."""
        self._server.stdin.close()
        try:
            self._server.wait(60)
        except subprocess.TimeoutExpired:
            self._server.send_signal(signal.SIGKILL)
            self._server.wait()
        self._server.stdout.close()


def curves(folder):
    """{tag: {step: values}} of the events in a folder, as TensorBoard would show them."""
    found = {}
    for path in sorted(pathlib.Path(str(folder)).glob("events*")):
        for event in events(path):
            if event.session_log.status == tf.SessionLog.START:
                for steps in found.values():
                    for step in [step for step in steps if step >= event.step]:
                        del steps[step]
            for value in event.summary.value:
                found.setdefault(value.tag, {}).setdefault(event.step, []).append(
                    value.simple_value
                )
    return found


def events(path):
    """The events of a file, up to where a kill cut it short."""
    try:
        yield from tf.train.summary_iterator(str(path))
    except tf.errors.DataLossError:
        pass


def weights(folder):
    """{name: value} of all variables of the newest checkpoint, Adam's and the step included."""
    reader = tf.train.load_checkpoint(str(folder))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def assert_same_weights(one, other) -> None:
    """Asserts that the newest checkpoints of two folders are equal to the bit."""
    expected, found = weights(one), weights(other)
    assert set(expected) == set(found)
    for name, value in expected.items():
        np.testing.assert_array_equal(value, found[name], name)
