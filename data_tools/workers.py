"""A function over many items in several processes: results in order, memory bounded."""

import collections
import contextlib
import functools
import itertools
import multiprocessing
import os
import signal
import threading
import time
from concurrent import futures
from typing import Any, Callable, Generator, Iterator, Sequence

from bsrn_estimator.errors import UserError

_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def ordered(function: Callable[[Any], Any], items: Sequence[Any], workers: int) -> Generator:
    """`function` of every item, in the order of the items.

    At most two items for each worker are under way or waiting to be taken, so a slow consumer
    holds the workers up instead of filling the memory. Closing the iterator ends the processes.

    Args:
      function: a picklable function; what it raises is raised here.
      items: picklable.
      workers: processes; 1 calls the function in this process.

    Raises:
      UserError: a worker died, as happens where the memory does not suffice.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(function, items)
        return
    waiting = collections.deque()
    remaining = iter(items)
    with _one_thread_each(), _pool(workers) as pool:
        try:
            for item in itertools.islice(remaining, 2 * workers):
                waiting.append(pool.submit(function, item))
            while waiting:
                result = waiting.popleft().result()
                for item in itertools.islice(remaining, 1):
                    waiting.append(pool.submit(function, item))
                yield result
        except futures.process.BrokenProcessPool:
            raise UserError(
                "a worker process died, perhaps for want of memory; try fewer --workers"
            ) from None
        finally:
            for future in waiting:
                future.cancel()


def _pool(workers: int) -> futures.ProcessPoolExecutor:
    # Started afresh, not forked: the parent may hold TensorFlow, its threads and its memory.
    return futures.ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
        initargs=(os.getpid(),),
    )


def _begin_worker(parent: int) -> None:
    # Ctrl-C reaches the whole process group; the parent alone decides what becomes of the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=functools.partial(_end_with, parent), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone, even where that was killed outright."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Has the processes started meanwhile compute with one thread each."""
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
