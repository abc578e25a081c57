"""Results in order, in bounded memory; processes that end, whatever they were in the middle of."""

import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from data_tools.workers import WorkerDied, ordered


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(workers):
    # The first items take longest.
    assert list(ordered(_slow_at_first, [3, -1, 4, -2], workers)) == [9, 1, 16, 4]
    assert list(ordered(abs, [], workers)) == []


def _slow_at_first(number):
    time.sleep(max(0.0, 0.1 * number))
    return number * number


def test_what_the_function_raises_is_raised():
    # When it is its turn, though the first item takes longer.
    results = ordered(_slow_at_first, [3, "x", 4], 2)
    assert next(results) == 9
    with pytest.raises(TypeError):
        next(results)


def test_a_slow_consumer_holds_the_workers_up(tmp_path):
    paths = [str(tmp_path / ("%02d" % number)) for number in range(20)]
    results = ordered(os.mkdir, paths, 2)
    next(results)
    time.sleep(0.5)
    assert len(os.listdir(str(tmp_path))) <= 5
    results.close()
    assert len(os.listdir(str(tmp_path))) <= 5


def test_a_worker_that_dies():
    with pytest.raises(WorkerDied, match="a worker process died, .* try fewer --workers"):
        list(ordered(os._exit, [1, 1, 1], 2))


def test_workers_killed_while_they_write_a_result():
    others = set(multiprocessing.active_children())
    results = ordered(bytes, [10**7] * 6, 2)  # more than a pipe holds
    assert len(next(results)) == 10**7
    time.sleep(1)
    for process in set(multiprocessing.active_children()) - others:
        process.kill()
    with pytest.raises(WorkerDied):
        list(results)


def test_closing_ends_the_processes_at_once():
    others = set(multiprocessing.active_children())
    results = ordered(time.sleep, [0, 0, 300, 300, 300, 300], 2)
    next(results)
    assert len(set(multiprocessing.active_children()) - others) == 2
    begin = time.monotonic()
    results.close()
    assert time.monotonic() - begin < 60 and set(multiprocessing.active_children()) <= others


# All that was asked for is done, one item more is handed out, and the iterator is closed before any
# thread but this one runs.
_CLOSE_AT_ONCE = """
import sys, time
from data_tools.workers import ordered
for _ in range(6):
    results = ordered(abs, range(60), 2)
    for _ in range(3):
        next(results)
    time.sleep(0.2)
    sys.setswitchinterval(5)
    next(results)
    results.close()
    sys.setswitchinterval(0.005)
"""


def test_closed_right_after_an_item_was_handed_out(root):
    subprocess.run([sys.executable, "-c", _CLOSE_AT_ONCE], cwd=str(root), timeout=100, check=True)
