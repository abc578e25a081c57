"""What works for the requests: the network's thread, and those that decode and encode."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, List, Sequence

import numpy as np

from bsrn_estimator.pictures.tiling import cover
from bsrn_estimator.serve.served import ServedModel
from bsrn_estimator.serve.worker import Job, Worker

# Results of so many pixels, and requests of so many bytes, are large.
_LARGE = 2 * 10**6


class Engine:
    """The threads of one server; its methods belong to the event loop's thread."""

    def __init__(
        self, scales: Sequence[int], tile_of: Callable[[int], int], overlap: int, on_batch
    ):
        """Starts the network's thread.

        Args:
          scales: those that are served.
          tile_of: from a scale to the side of a square, in LR pixels, that no tile exceeds.
          overlap: context around what a tile keeps, in LR pixels.
          on_batch: see `worker.Worker`.
        """
        self._tile_of, self._overlap = tile_of, overlap
        largest = max(tile_of(scale) for scale in scales)
        self._worker = Worker(_upscaled, largest**2, on_batch)
        # Decoding, encoding and JSON: few at a time, so that their memory has a bound, and apart,
        # so that small pictures do not wait for the encoding of a large one.
        self._threads = {
            "small": ThreadPoolExecutor(2, thread_name_prefix="small"),
            "large": ThreadPoolExecutor(1, thread_name_prefix="large"),
        }

    @property
    def alive(self) -> bool:
        """Whether jobs still get their turns."""
        return self._worker.alive

    async def in_thread(self, size: int, function, *arguments):
        """Runs a function; `size`, bytes or pixels, says beside which others."""
        threads = self._threads["large" if size > _LARGE else "small"]
        return await asyncio.get_event_loop().run_in_executor(threads, function, *arguments)

    def job(self, model: ServedModel, lr: np.ndarray, scale: int, store) -> Job:
        """A picture cut into tiles, ready for `run`; see `worker.Job`."""
        height, width = lr.shape[:2]
        tiles = cover(height, width, self._tile_of(scale), self._overlap)
        return Job(lr, scale, tiles, store, model)

    async def run(self, jobs: List[Job]) -> List[np.ndarray]:
        """Results of `jobs`; leaving early takes them out of the line."""
        for job in jobs:
            self._worker.submit(job)
        try:
            return await asyncio.gather(*(asyncio.wrap_future(job.future) for job in jobs))
        finally:
            for job in jobs:
                job.future.cancel()

    def stop(self) -> None:
        """Ends the network's thread; jobs that wait for it are refused."""
        self._worker.stop()

    def close(self) -> None:
        """Ends the other threads."""
        for threads in self._threads.values():
            threads.shutdown()


def _upscaled(lr: np.ndarray, scale: int, model: ServedModel) -> np.ndarray:
    return model.upscale(lr, scale)
