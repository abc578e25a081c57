"""No line of TensorFlow's own at the start; none of anybody else's lost."""

import os
import signal
import subprocess
import sys

import pytest

from bsrn_estimator.quiet_start import is_banner

NOTICE = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"
ONEDNN = "I0000 00:00:1795642169.114247   15215 port.cc:153] oneDNN custom operations are on."
FAILURE = "F0000 00:00:1795642169.114247   15215 cpu_feature_guard.cc:99] not for this processor"


def run(code: str, **environment):
    """Runs code in a process of its own; returns the exit status and what was on stderr."""
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=dict(os.environ, **environment),
    )
    return process.returncode, process.stderr


def writing(*lines: str, then: str = "pass") -> str:
    """Code that writes lines to file descriptor 2 in the quiet, as native code does."""
    return (
        "import os, signal, sys\nfrom bsrn_estimator.quiet_start import quiet\n"
        "with quiet():\n    os.write(2, %r)\n    %s\n"
        "os.write(2, b'after\\n')" % ("".join(line + "\n" for line in lines).encode(), then)
    )


@pytest.mark.parametrize("line", [NOTICE, ONEDNN, "I1231 23:59:59.000001 7 a_b.cc:1] x"])
def test_banners_are_known(line):
    assert is_banner(line.encode() + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        FAILURE,
        ONEDNN.replace("I0000", "W0000"),
        ONEDNN.replace("I0000", "E0000"),
        "ImportError: libcuda.so",
        "I think that something is wrong",
        "WARNING: something else",
        "",
    ],
)
def test_other_lines_are_not_banners(line):
    assert not is_banner(line.encode() + b"\n")


def test_lines_that_are_no_banners_pass_in_order():
    code = writing(NOTICE, ONEDNN, "one", FAILURE, ONEDNN, "two")
    assert run(code) == (0, "one\n%s\ntwo\nafter\n" % FAILURE)


def test_what_a_dying_process_said_is_seen():
    code = writing(NOTICE, FAILURE, then="os.kill(os.getpid(), signal.SIGABRT)")
    assert run(code) == (-signal.SIGABRT, FAILURE + "\n")
    assert run(writing("half a li", then="os._exit(3)")) == (3, "half a li\n")


def test_an_exception_and_the_lines_before_it_are_seen():
    status, stderr = run(writing(ONEDNN, "the reason", then="raise ImportError('no such thing')"))
    assert status == 1
    assert stderr.startswith("the reason\nTraceback") and "no such thing" in stderr
    assert "after" not in stderr


def test_a_closed_stderr_is_no_obstacle():
    code = "import os\nos.close(2)\nfrom bsrn_estimator.quiet_start import quiet\n"
    assert run(code + "with quiet():\n    print('in')\nos._exit(7)")[0] == 7


def test_the_start_of_tensorflow_says_nothing():
    code = (
        "from bsrn_estimator.compat import tf\n"
        "with tf.Session() as session: session.run(tf.constant(1.0) + 2)\n"
    )
    clean = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, env=clean)
    assert (process.returncode, process.stdout, process.stderr) == (0, b"", b"")


def test_who_asks_for_the_log_gets_it():
    status, stderr = run("from bsrn_estimator.compat import TF2, tf; assert not TF2")
    if status == 0:
        pytest.skip("TensorFlow 1.15 says nothing while it is loaded")
    status, stderr = run("import bsrn_estimator.compat", TF_CPP_MIN_LOG_LEVEL="0")
    assert status == 0 and "oneDNN custom operations are on" in stderr
