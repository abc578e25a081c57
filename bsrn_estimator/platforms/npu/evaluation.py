"""Whole pictures through the network on the NPU, in tiles of a few fixed shapes.

The device compiles a graph for each shape; pictures come in any. Here each is cut into overlapping
tiles of one shape, and a picture that is shorter than a tile along an axis has tiles of its own
length there. So a set of photographs takes one to three shapes.
"""

import queue
import threading
from typing import Callable, Dict, Tuple

import numpy as np

from bsrn_estimator.checkpoints import literal
from bsrn_estimator.compat import from_generator, python_function, tf, without_autotuning
from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures.tiling import OVERLAP, tiles_of

# Height and width of a tile in LR pixels.
TILE = 96
# Each is compiled, for minutes.
MOST_SHAPES = 8


class CardNetwork:
    """The network of one checkpoint on the NPU; holds sessions until it is closed.

    The result is that of the whole picture within one grey level (see `tiling.OVERLAP`).

    Args:
      make_estimator: makes an Estimator of a model function; a new one for each shape and scale.
      results_of: (lr, scale) to {output: tensor}, the network; lr is float32 [1, h, w, 3].
      checkpoint: path prefix of the checkpoint.
      scaffold: makes the tf.train.Scaffold that reads it.
      overlap: context around what a tile keeps, in LR pixels.
    """

    def __init__(
        self,
        make_estimator: Callable,
        results_of: Callable,
        checkpoint: str,
        scaffold: Callable,
        overlap: int = OVERLAP,
    ) -> None:
        self._make_estimator, self._results_of = make_estimator, results_of
        self._checkpoint, self._scaffold, self._overlap = checkpoint, scaffold, overlap
        self._workers: Dict[Tuple[int, int, int], _Worker] = {}

    def close(self) -> None:
        """Ends the sessions."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def upscale(self, lr: np.ndarray, scale: int) -> Dict[str, np.ndarray]:
        """One picture, tile by tile.

        Args:
          lr: uint8 [1, height, width, 3].
          scale: one of the scales of the network.

        Returns:
          {output: float32 [1, scale * height, scale * width, 3]}.

        Raises:
          UserError: pictures of too many shapes are smaller than a tile.
        """
        height, width = lr.shape[1:3]
        worker = self._worker(min(height, TILE), min(width, TILE), scale)
        whole: Dict[str, np.ndarray] = {}
        for tile in tiles_of(height, width, (TILE, TILE), self._overlap):
            part = tile.cut(lr[0]).astype(np.float32)[np.newaxis]
            for name, made in worker.run(part).items():
                shape = [1, scale * height, scale * width, 3]
                into = whole.setdefault(name, np.empty(shape, np.float32))
                tile.place(made[0], into[0], scale)
        return whole

    def _worker(self, height: int, width: int, scale: int) -> "_Worker":
        key = (height, width, scale)
        if key not in self._workers:
            if sum(known[2] == scale for known in self._workers) == MOST_SHAPES:
                raise UserError(
                    "more than %d shapes of pictures are smaller than %d x %d pixels at x%d, and "
                    "each is compiled for the card; evaluate with --evaluate_on=host"
                    % (MOST_SHAPES, TILE, TILE, scale)
                )
            self._workers[key] = _Worker(
                self._make_estimator(self._model_fn(scale)), (1, height, width, 3), self._checkpoint
            )
        return self._workers[key]

    def _model_fn(self, scale: int) -> Callable:
        def model_fn(features, labels, mode):
            del labels
            return tf.estimator.EstimatorSpec(
                mode, predictions=self._results_of(features["lr"], scale), scaffold=self._scaffold()
            )

        return model_fn


class _Worker:
    """One shape at one scale: a prediction without end, in a thread of its own.

    A thread, because an Estimator's predictions hold their graph as the default graph from one to
    the next, and default graphs belong to threads.
    """

    def __init__(self, estimator, shape: Tuple[int, ...], checkpoint: str) -> None:
        self._tiles, self._results = queue.Queue(), queue.Queue()
        self._shape = shape
        self._thread = threading.Thread(target=self._predict, args=(estimator, checkpoint))
        self._thread.daemon = True
        self._thread.start()

    def run(self, tile: np.ndarray) -> Dict[str, np.ndarray]:
        """The outputs for one tile of the shape."""
        self._tiles.put(tile)
        result = self._results.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def close(self) -> None:
        """Ends the prediction and its session."""
        self._tiles.put(None)
        self._thread.join()

    def _predict(self, estimator, checkpoint: str) -> None:
        try:
            predictions = estimator.predict(
                self._read, checkpoint_path=literal.prefix(checkpoint), yield_single_examples=False
            )
            for prediction in predictions:
                self._results.put(prediction)
        except BaseException as error:  # handed to the thread that waits for a result
            self._results.put(error)

    def _read(self) -> "tf.data.Dataset":
        # Nothing reads ahead: a session that fails could not end while a tile is waited for. As no
        # step follows that the device could take over, all of it stays on the host.
        signature = {"lr": tf.TensorSpec(self._shape, tf.float32)}
        return without_autotuning(from_generator(self._waiting_tiles, signature))

    def _waiting_tiles(self):
        while True:
            tile = self._tiles.get()
            if tile is None:
                return
            yield {"lr": tile}


def in_graph(card: CardNetwork, names, lr, scale: int) -> Dict[str, "tf.Tensor"]:
    """`card.upscale` as an operation of a graph on the host: {name: tensor} for each of `names`."""

    def run(picture: np.ndarray):
        made = card.upscale(picture, scale)
        return [made[name] for name in names]

    tensors = python_function(run, [lr], [tf.float32] * len(names))
    for tensor in tensors:
        tensor.set_shape([1, None, None, 3])
    return dict(zip(names, tensors))
