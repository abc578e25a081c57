"""The launcher over processes that stand for ranks: one dies, it is told to stop, one lags."""

import os
import signal
import sys
import time
import types

import pytest

from bsrn_estimator.platforms import processes
from bsrn_estimator.platforms.npu import launch as npu_launch
from bsrn_estimator.platforms.npu import rank_table

# What a rank does, in a few lines of Python.
_STEPS = "import os, sys, time\nrank = int(os.environ['RANK_ID'])\n"
_ENDLESS = "print('started', flush=True)\ntime.sleep(600)\n"
_SAVES_ON_TERM = (
    "import signal\n"
    "def stop(*_):\n"
    "    print('saved', flush=True)\n"
    "    sys.exit(143)\n"
    "if rank == 0: signal.signal(signal.SIGTERM, stop)\n"
    "else: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
)


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Starts ranks that run a script; returns the `Processes`."""
    monkeypatch.setattr(processes, "SECONDS_TO_END", 1.0)
    monkeypatch.setattr(processes, "SECONDS_AFTER_FIRST", 1.0)
    started = []

    def start(script, ranks=3):
        devices = [rank_table.Device("h", 7 - r, "10.0.0.%d" % r, r) for r in range(ranks)]
        command = [sys.executable, "-c", _STEPS + script]
        made = npu_launch.start(devices, ranks, "table.json", command, str(tmp_path))
        started.append(made)
        return made

    yield start
    for made in started:
        made.end_all()


def _never():
    return types.SimpleNamespace(signals=[])


def _wait_for(ranks, text):
    deadline = time.monotonic() + 30
    while any(text not in ranks.last_lines(rank) for rank in ranks.processes):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_each_rank_gets_its_environment_and_its_log(launch, monkeypatch, capsys):
    monkeypatch.setenv("POD_NAME", "pod")
    monkeypatch.delenv("JOB_ID", raising=False)
    names = "RANK_ID RANK_SIZE DEVICE_ID ASCEND_DEVICE_ID DEVICE_INDEX JOB_ID POD_NAME"
    ranks = launch("print(*[os.environ.get(name) for name in '%s'.split()])" % names)
    assert processes.follow(ranks, _never()) == 0
    for rank in range(3):
        assert ranks.last_lines(rank) == "%d 3 %d %d %d 10087 None" % (
            rank,
            7 - rank,
            7 - rank,
            rank,
        )
    assert capsys.readouterr().out.startswith("0 3 7 7 0")


def test_one_rank_that_dies_ends_all(launch, capsys):
    ranks = launch(
        "if rank == 1: print('broken', flush=True); os.kill(os.getpid(), 9)\n" + _ENDLESS
    )
    assert processes.follow(ranks, _never()) == 1
    assert ranks.running() == []
    error = capsys.readouterr().err
    assert "rank 1 ended with signal 9" in error and "broken" in error


def test_the_status_of_a_refusal_is_passed_on(launch, capsys):
    assert processes.follow(launch("sys.exit('error: wrong' if rank else 2)"), _never()) in (1, 2)
    assert processes.follow(launch("sys.exit(2)"), _never()) == 2


def test_told_to_stop_it_lets_rank_0_save(launch, capsys):
    ranks = launch(_SAVES_ON_TERM + _ENDLESS)
    _wait_for(ranks, "started")
    stop = types.SimpleNamespace(signals=[signal.SIGTERM])
    assert processes.follow(ranks, stop) == 128 + signal.SIGTERM
    assert ranks.running() == []
    assert "saved" in capsys.readouterr().out
    # The others ended only when they were made to, after rank 0 had.
    assert ranks.processes[1].returncode == -signal.SIGKILL


def test_ranks_that_lag_behind_rank_0_are_ended(launch):
    ranks = launch("if rank == 0: sys.exit(0)\n" + _ENDLESS)
    assert processes.follow(ranks, _never()) == 0
    assert ranks.running() == []


def test_a_killed_launcher_leaves_no_rank(tmp_path):
    child = os.fork()
    if child == 0:
        device = rank_table.Device("h", 0, "10.0.0.1", 0)
        script = "print(os.getpid(), flush=True)\n" + _ENDLESS
        npu_launch.start([device], 1, "t", [sys.executable, "-c", _STEPS + script], str(tmp_path))
        time.sleep(600)
    log = tmp_path / "rank_0.log"
    deadline = time.monotonic() + 30
    while not (log.exists() and "started" in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    rank = int(log.read_text().split()[0])
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while os.path.exists("/proc/%d" % rank) and _state(rank) != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _state(process):
    try:
        with open("/proc/%d/stat" % process) as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def test_the_command_refuses_what_it_cannot_start(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("RANK_TABLE_FILE", raising=False)
    assert npu_launch.main(["--ranks=2"]) == 2
    assert "--rank_table" in capsys.readouterr().err
    assert npu_launch.main(["--rank_table=%s" % (tmp_path / "none.json")]) == 2
    assert "none.json cannot be read" in capsys.readouterr().err
