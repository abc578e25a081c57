"""What a call of `bsrn_estimator.Upscaler` takes beside the engine that computes it.

    python -m benchmarks.calls --engine=onnxruntime

Processor time with one thread of a call after the first, and of the engine alone on the same tiles,
by turns in one process; the ratio is the median over the pairs.
"""

import argparse
import time
from typing import Callable, List

import numpy as np

import bsrn_estimator
from bsrn_estimator.checkpoints import CLEAN
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.engines import cache, choice, runtimes
from bsrn_estimator.pictures.tiling import OVERLAP, cover

# Height and width in LR pixels.
_SIZES = ((180, 320), (1080, 1920))


def _seconds(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", choices=runtimes.OTHERS, default=runtimes.ONNXRUNTIME)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--scale", type=int, default=2, help="one of 2, 3, 4")
    parser.add_argument("--pairs", type=int, default=5, help="calls and bare runs of each size")
    given = parser.parse_args()
    path = cache.shipped(checkpoint_files.named(CLEAN))[given.scale]
    run = runtimes.load(given.engine, path, given.precision, threads=1)
    wish = choice.Wish(given.engine, given.precision == "bfloat16", threads=1)
    side = choice.find(choice.UseOptions(checkpoint=CLEAN), wish).tile(given.scale)
    with bsrn_estimator.Upscaler(
        CLEAN, given.engine, threads=1, precision=given.precision
    ) as upscaler:
        for height, width in _SIZES:
            lr = np.random.RandomState(1).randint(0, 256, (height, width, 3)).astype(np.uint8)
            tiles = [
                np.ascontiguousarray(tile.cut(lr)[np.newaxis], np.float32)
                for tile in cover(height, width, side, OVERLAP)
            ]

            def bare(tiles: List[np.ndarray] = tiles) -> None:
                for tile in tiles:
                    run(tile)

            def call(lr: np.ndarray = lr) -> None:
                upscaler(lr, given.scale)

            # Engines prepare for the shape of a tile when they first meet it.
            bare(tiles[:1]), call(lr[: tiles[0].shape[1], : tiles[0].shape[2]])
            pairs = [(_seconds(bare), _seconds(call)) for _ in range(given.pairs)]
            alone, whole = np.median(pairs, axis=0)
            print(
                "%dx%d x%d, %s %s, %d tiles: engine %.3f s, call %.3f s, ratio %.3f"
                % (
                    (width, height, given.scale, given.engine, given.precision, len(tiles))
                    + (alone, whole, np.median([b / a for a, b in pairs]))
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
