"""A network in ONNX models, one for each scale, that another engine than TensorFlow runs."""

from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from bsrn_estimator.engines import runtimes
from bsrn_estimator.export import about
from bsrn_estimator.export.described import DescribedNetwork
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.networks.precision import FLOAT32

# Sides of a square tile in HR pixels, which keep memory under 700 MB; OpenVINO holds least.
_TILE_HR_PIXELS = {runtimes.ONNXRUNTIME: 640, runtimes.OPENVINO: 960}


class OnnxNetwork(DescribedNetwork):
    """The network of ONNX models that `--mode=export` wrote.

    Args:
      paths: the model of each scale.
      engine: `runtimes.ONNXRUNTIME` or `runtimes.OPENVINO`.
      precision: see `runtimes.precision_of`.
      threads: of the CPU; 0 for all.
      checkpoint: the path prefix of the checkpoint that the models were made of, where the user
        named that.

    Raises:
      UserError: they are not exports of this project.
    """

    def __init__(
        self,
        paths: Mapping[int, str],
        engine: str,
        precision: str = FLOAT32,
        threads: int = 0,
        checkpoint: Optional[str] = None,
    ) -> None:
        super().__init__(next(iter(paths.values())))
        self._paths, self._threads = dict(paths), threads
        self.engine, self.precision = engine, precision
        self.scales = tuple(sorted(paths))
        self._of_checkpoint = checkpoint is not None
        if checkpoint is not None:
            self.name = checkpoint + (" (step %d)" % self.step if self.step else "")

    def tile(self, scale: int) -> int:
        """Side of a tile in LR pixels that keeps memory under 1 GB."""
        side = about.hr_tile_of(self._info) or _TILE_HR_PIXELS[self.engine]
        return max(side // scale, 1)

    def identity(self) -> str:
        """As that of the checkpoint where it stands for one; see `UsableNetwork`."""
        return self._info["network"] if self._of_checkpoint else super().identity()

    def open(
        self, scales: Sequence[int], choice: OutputChoice
    ) -> Tuple[Tuple[str, ...], Callable, Callable]:
        """See `UsableNetwork.open`; a model is loaded when its scale is first asked for."""
        self._check(choice)
        loaded: Dict[int, runtimes.Run] = {}

        def run(picture, scale) -> List:
            if scale not in loaded:
                loaded[scale] = runtimes.load(
                    self.engine, self._paths[scale], self.precision, self._threads
                )
            return [loaded[scale](picture)]

        return (choice.output,), run, loaded.clear


def from_file(path: str, engine: str, precision: str, threads: int) -> OnnxNetwork:
    """The network of one ONNX model.

    Raises:
      UserError: it is not an export of this project.
    """
    (scale,) = about.read(path)["scales"]
    return OnnxNetwork({scale: path}, engine, precision, threads)
