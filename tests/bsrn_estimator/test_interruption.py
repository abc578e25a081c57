"""Being told to stop: what is noted, what the shell is told, how to go on."""

import os
import signal
import sys

import pytest

from bsrn_estimator.interruption import Interruption, this_command
from tests.support import alone


def test_what_signals_do():
    alone.run(__file__, "is_noted", 2)


@alone.test
@pytest.mark.parametrize(
    "number, status, preempted, said",
    [(signal.SIGTERM, 143, 0, "SIGTERM"), (signal.SIGINT, 130, 130, "Ctrl-C")],
)
def test_a_signal_is_noted_and_nothing_else(capfd, number, status, preempted, said):
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert interruption.received is None and interruption.exit_status() == 0
        os.kill(os.getpid(), number)
        assert interruption.received == number
        # A second SIGTERM, as clusters send it to all processes of a job, changes nothing.
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.received == number
    assert interruption.exit_status() == status
    assert interruption.exit_status(preemption_exit_zero=True) == preempted
    assert signal.getsignal(number) is before
    assert capfd.readouterr().err == "\n%s: saving a checkpoint; Ctrl-C ends at once\n" % said


@pytest.mark.parametrize(
    "arguments, command",
    [
        (
            ["/somewhere/main.py", "--model_dir=my runs", "--scales=2,3"],
            "python -m bsrn_estimator.main '--model_dir=my runs' --scales=2,3",
        ),
        (["-m", "--seed=1"], "python -m bsrn_estimator.main --seed=1"),
        (["scripts/modelarts_entry.py", "--a=$b"], "scripts/modelarts_entry.py '--a=$b'"),
    ],
)
def test_the_command_can_be_pasted(monkeypatch, arguments, command):
    monkeypatch.setattr(sys, "argv", arguments)
    assert this_command() == command
