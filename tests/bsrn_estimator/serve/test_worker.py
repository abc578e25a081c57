"""Whose turn it is: batches, fairness, leaving the line, failures."""

import threading

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from bsrn_estimator.pictures.tiling import tiles_of
from bsrn_estimator.serve.refusal import Refusal
from bsrn_estimator.serve.worker import Job, Worker


def enlarge(lr, scale, network=None):
    """Stands for the network: every pixel repeated, each row of a tile on its own."""
    return lr.repeat(scale, axis=-3).repeat(scale, axis=-2)


class Gated:
    """A network that notes its batches and waits to be let through."""

    def __init__(self):
        self.batches = []
        self.open = threading.Event()
        self.entered = threading.Event()

    def __call__(self, lr, scale, network):
        self.batches.append((lr.shape[:3], scale))
        self.entered.set()
        assert self.open.wait(20)
        return enlarge(lr, scale)


def job(seed, height, width, scale=2, tile=8, overlap=2):
    lr = np.random.RandomState(seed).randint(0, 256, [height, width, 3]).astype(np.uint8)
    return Job(
        lr, scale, tiles_of(height, width, (tile, tile), overlap), lambda hr: hr.astype(np.uint8)
    )


@pytest.fixture
def gated():
    """A worker that is held in its first batch, of a job nobody waits for."""
    network = Gated()
    worker = Worker(network, batch_pixels=200)
    worker.submit(job(0, 3, 3))
    assert network.entered.wait(20)
    yield network, worker
    network.open.set()
    worker.stop()


@hypothesis.given(
    sizes=strategies.lists(
        strategies.tuples(
            strategies.integers(1, 30), strategies.integers(1, 30), strategies.sampled_from([2, 3])
        ),
        min_size=1,
        max_size=8,
    ),
    tile=strategies.integers(5, 12),
)
@hypothesis.settings(max_examples=25)
def test_every_job_gets_its_own_picture(sizes, tile):
    worker = Worker(enlarge, batch_pixels=300)
    jobs = [job(index, *size, tile=tile) for index, size in enumerate(sizes)]
    for each in jobs:
        worker.submit(each)
    for each in jobs:
        result = each.future.result(timeout=20)
        np.testing.assert_array_equal(result, enlarge(each.lr, each.scale))
        assert each.done == each.tiles
    worker.stop()


def test_small_ones_that_wait_share_a_batch(gated):
    network, worker = gated
    jobs = [job(index, 5, 6) for index in range(4)] + [job(9, 5, 6, scale=3)]
    for each in jobs:
        worker.submit(each)
    network.open.set()
    for each in jobs:
        each.future.result(timeout=20)
    assert network.batches[1:] == [((4, 5, 6), 2), ((1, 5, 6), 3)]


def test_a_batch_has_no_more_pixels_than_allowed(gated):
    network, worker = gated
    jobs = [job(index, 8, 8) for index in range(7)]
    for each in jobs:
        worker.submit(each)
    network.open.set()
    for each in jobs:
        each.future.result(timeout=20)
    assert [shape[0] for shape, _ in network.batches[1:]] == [3, 3, 1]


def test_a_large_picture_does_not_hold_up_a_small_one(gated):
    network, worker = gated
    large, small = job(1, 80, 80), job(2, 5, 5)
    worker.submit(large)
    worker.submit(small)
    order = []
    large.future.add_done_callback(lambda _: order.append("large"))
    small.future.add_done_callback(lambda _: order.append("small"))
    network.open.set()
    large.future.result(timeout=20)
    assert order == ["small", "large"]
    # The small one came second, after one tile of the large one.
    assert network.batches[2] == ((1, 5, 5), 2)


def test_two_large_pictures_share_the_time(gated):
    network, worker = gated
    first, second = job(1, 50, 50), job(2, 47, 50, scale=3)
    worker.submit(first)
    worker.submit(second)
    network.open.set()
    first.future.result(timeout=20)
    second.future.result(timeout=20)
    assert [scale for _, scale in network.batches[1:9]] == [2, 3] * 4


def test_a_cancelled_job_leaves_the_line(gated):
    network, worker = gated
    gone, kept = job(1, 80, 80), job(2, 5, 5)
    worker.submit(gone)
    worker.submit(kept)
    assert gone.future.cancel()
    network.open.set()
    kept.future.result(timeout=20)
    assert len(network.batches) == 2 and gone.done == 0


def test_a_failure_ends_its_jobs_and_no_others():
    def network(lr, scale, _):
        if scale == 3:
            raise MemoryError("too much")
        return enlarge(lr, scale)

    worker = Worker(network, batch_pixels=100)
    bad, good = job(1, 30, 30, scale=3), job(2, 30, 30)
    worker.submit(bad)
    worker.submit(good)
    with pytest.raises(MemoryError):
        bad.future.result(timeout=20)
    assert good.future.result(timeout=20).shape == (60, 60, 3)
    assert worker.alive
    worker.stop()
    assert not worker.alive


def test_stopping_refuses_what_waits(gated):
    network, worker = gated
    left = job(1, 5, 5)
    worker.submit(left)
    threading.Timer(0.1, network.open.set).start()
    worker.stop()
    with pytest.raises(Refusal, match="shut down"):
        left.future.result(timeout=20)
