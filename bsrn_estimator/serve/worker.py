"""The one thread that runs the network: tiles of all waiting pictures, taking turns.

A picture waits as a `Job`: a queue of tiles. Each turn takes a tile of the job at the head of the
line and, while the batch has room, tiles of the same shape, scale and network of the jobs behind
it; those that have given go to the end of the line. So small pictures of one size share a batch,
and between two tiles of a large picture everybody else has a turn.
"""

import collections
import logging
import threading
import time
from concurrent import futures
from typing import Any, Callable, List

import numpy as np

from bsrn_estimator.serve.refusal import Refusal

_log = logging.getLogger(__name__)


class Job:
    """One picture on its way through the network.

    Attributes:
      lr: [height, width, 3], RGB in 0..255.
      scale: the scale to run.
      network: what to run; jobs of one network share batches.
      tiles: how many tiles it has.
      done: how many of them have been through the network.
      future: gives the result, [scale * height, scale * width, channels]; cancelling it takes the
        job out of the line.
      started: time.monotonic() of its first turn, or None.
    """

    def __init__(
        self, lr: np.ndarray, scale: int, tiles: List, store: Callable, network: Any = None
    ):
        """Prepares a job; `Worker.submit` starts it.

        Args:
          lr: see above.
          scale: see above.
          tiles: its `tiles.Tile`s.
          store: from float32 [h, w, 3] of the network to [h, w, channels] of the result.
          network: see above.
        """
        self.lr = lr
        self.scale = scale
        self.network = network
        self.tiles = len(tiles)
        self.done = 0
        self.future = futures.Future()
        self.started = None
        self._waiting = collections.deque(tiles)
        self._result = None
        self._store = store

    @property
    def next_shape(self):
        """What tiles must share to be in one batch."""
        return self.network, self.scale, self._waiting[0].lr_shape

    @property
    def has_more(self) -> bool:
        """Whether tiles wait for their turn."""
        return bool(self._waiting)

    def take(self):
        """The next tile and its pixels, float32 [height, width, 3]."""
        if self.started is None:
            self.started = time.monotonic()
        tile = self._waiting.popleft()
        return tile, tile.cut(self.lr).astype(np.float32)

    def place(self, tile, hr: np.ndarray) -> None:
        """Puts the network's picture of a tile where it belongs; the last one ends the job."""
        hr = self._store(hr)
        if self._result is None:
            height, width = self.lr.shape[:2]
            shape = (height * self.scale, width * self.scale) + hr.shape[2:]
            self._result = np.empty(shape, hr.dtype)
        tile.place(hr, self._result, self.scale)
        self.done += 1
        if self.done == self.tiles and self.future.set_running_or_notify_cancel():
            self.future.set_result(self._result)

    def fail(self, error: BaseException) -> None:
        """Ends the job with `error`."""
        self._waiting.clear()
        if not self.future.done() and self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Worker:
    """Runs jobs on a thread of its own until it is stopped."""

    def __init__(
        self,
        upscale: Callable[[np.ndarray, int, Any], np.ndarray],
        batch_pixels: int,
        on_batch: Callable[[int, float], None] = lambda tiles, seconds: None,
    ):
        """Starts the thread.

        Args:
          upscale: from float32 [batch, height, width, 3], a scale and the network of a job to
            the network's picture.
          batch_pixels: LR pixels of a batch; a tile that has more runs alone.
          on_batch: is told of every batch how many tiles it had and the seconds it took.
        """
        self._upscale = upscale
        self._batch_pixels = batch_pixels
        self._on_batch = on_batch
        self._line = collections.deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether jobs still get their turns."""
        return self._thread.is_alive()

    def submit(self, job: Job) -> None:
        """Puts `job` at the end of the line."""
        with self._changed:
            self._line.append(job)
            self._changed.notify()

    def stop(self) -> None:
        """Ends the thread after the batch that runs; jobs that are left are refused."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        for job in self._line:
            job.fail(Refusal(503, "The server shut down before this picture was done.", 5))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._line or self._stopping)
                if self._stopping:
                    return
                taken = self._take_turn()
            if taken:
                self._run_batch(taken)

    def _take_turn(self):
        """Tiles of one network, shape and scale, at most one of each job; then its turn is over."""
        taken, kept, gave = [], [], []
        shape, room = None, 0
        for job in self._line:
            if job.future.cancelled() or not job.has_more:
                continue
            if shape is None:
                shape = job.next_shape
                height, width = shape[-1]
                room = max(1, self._batch_pixels // (height * width))
            if len(taken) < room and job.next_shape == shape:
                taken.append((job,) + job.take())
                gave.append(job)
            else:
                kept.append(job)
        self._line = collections.deque(kept + [job for job in gave if job.has_more])
        return taken

    def _run_batch(self, taken) -> None:
        started = time.monotonic()
        first = taken[0][0]
        try:
            lr = np.stack([pixels for _, _, pixels in taken])
            for (job, tile, _), hr in zip(taken, self._upscale(lr, first.scale, first.network)):
                job.place(tile, hr)
        except Exception as error:  # the thread must outlive whatever one batch meets
            _log.exception("a batch of %d tiles failed", len(taken))
            for job, _, _ in taken:
                job.fail(error)
        self._on_batch(len(taken), time.monotonic() - started)
