"""A function over many items in several processes: results in order, memory bounded.

The processes share nothing: each has a pipe of its own to this one. The pools of the standard
library share their queues, and the locks of these, so that a process that is killed while it writes
a result leaves the others and the parent waiting for ever; here it leaves a pipe that ends.
"""

import collections
import contextlib
import itertools
import multiprocessing
import os
import signal
from multiprocessing import connection
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from typing import Any, Callable, Deque, Dict, Generator, Iterator, List, Sequence

from bsrn_estimator.errors import UserError

_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Items that a process has at a time: one under way, and one to go on with.
_AHEAD = 2

_UnderWay = Dict[connection.Connection, Deque[int]]


class WorkerDied(UserError):
    """A worker process ended in the middle of its work."""


def ordered(function: Callable[[Any], Any], items: Sequence[Any], workers: int) -> Generator:
    """`function` of every item, in the order of the items.

    At most two items for each worker are under way or waiting to be taken, so a slow consumer
    holds the workers up instead of filling the memory. Closing the iterator ends the processes at
    once.

    Args:
      function: a picklable function; what it raises is raised here.
      items: picklable, in a few kilobytes each.
      workers: processes; 1 calls the function in this process.

    Raises:
      WorkerDied: as happens where the memory does not suffice.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(function, items)
        return
    with _started(function, workers) as pipes:
        waiting = enumerate(items)
        # The numbers of the items that each worker has, and answers that came before their turn.
        under_way: _UnderWay = {pipe: collections.deque() for pipe in pipes}
        early: Dict[int, Any] = {}
        _hand_out(waiting, under_way, _AHEAD * workers)
        for turn in range(len(items)):
            while turn not in early:
                ready = connection.wait([pipe for pipe in pipes if under_way[pipe]])
                for pipe in filter(ready.__contains__, pipes):
                    with _death_is_said():
                        early[under_way[pipe].popleft()] = pipe.recv()
            done, result = early.pop(turn)
            if not done:
                raise result
            _hand_out(waiting, under_way, _AHEAD * workers - len(early))
            yield result


def _hand_out(waiting: Iterator, under_way: _UnderWay, most: int) -> None:
    """Gives items to the workers that have the fewest, `most` being with them at the most."""
    for _ in range(most - sum(map(len, under_way.values()))):
        pipe = min(under_way, key=lambda pipe: len(under_way[pipe]))
        for number, item in itertools.islice(waiting, 1):
            with _death_is_said():
                pipe.send(item)
            under_way[pipe].append(number)


@contextlib.contextmanager
def _death_is_said() -> Iterator[None]:
    try:
        yield
    # Of a message that was cut short it is an OSError with no number.
    except (EOFError, OSError):
        raise WorkerDied(
            "a worker process died, perhaps for want of memory; try fewer --workers"
        ) from None


@contextlib.contextmanager
def _started(function: Callable, workers: int) -> Iterator[List[connection.Connection]]:
    """Pipes to processes that apply `function`; the processes are gone at the end."""
    # Started afresh, not forked: the parent may hold TensorFlow, its threads and its memory.
    context = multiprocessing.get_context("spawn")
    processes, pipes = [], []
    try:
        with one_thread_each(), _out_of_reach(context):
            for _ in range(workers):
                ours, theirs = context.Pipe()
                pipes.append(ours)
                with theirs:
                    process = context.Process(target=_work, args=(function, theirs), daemon=True)
                    process.start()
                processes.append(process)
        yield pipes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
        for pipe in pipes:
            pipe.close()


def _work(function: Callable, pipe: connection.Connection) -> None:
    """What a worker does until its parent closes the pipe, or is gone."""
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            item = pipe.recv()
            try:
                answer = (True, function(item))
            except Exception as error:
                answer = (False, ExceptionWithTraceback(error, error.__traceback__))
            pipe.send(answer)


@contextlib.contextmanager
def _out_of_reach(context) -> Iterator[None]:
    """Starts processes that no SIGINT or SIGTERM reaches, from their first moment on.

    Ctrl-C and cluster managers send them to the whole group; the parent alone decides what becomes
    of the work. Blocked signals stay blocked in new processes; here they wait meanwhile.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        # The first semaphore starts a helper of the library, which may unblock them again.
        context.Semaphore()
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Has processes that are started meanwhile compute with one thread each."""
    before = {name: os.environ.get(name) for name in _THREAD_COUNTS}
    os.environ.update({name: "1" for name in _THREAD_COUNTS})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
