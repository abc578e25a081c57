"""A trained network and a call: pictures in, larger pictures out."""

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Optional, Sequence, Union

import numpy as np

from bsrn_estimator.api.networks import Networks
from bsrn_estimator.api.writing import Files, found_files, write
from bsrn_estimator.checkpoints import AUTO
from bsrn_estimator.engines.runtimes import AUTO as AUTO_ENGINE
from bsrn_estimator.errors import UserError
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.networks.choice import SINGLE_OUTPUTS
from bsrn_estimator.pictures import given as pictures
from bsrn_estimator.pictures.decoding import MAX_PIXELS
from bsrn_estimator.scales import require

PRECISIONS = {"auto": None, "float32": False, "bfloat16": True}
# What `next` gives of an iterator that is at its end.
_END = object()


class Upscaler:
    """Upscales pictures with a trained network.

        upscaler = bsrn_estimator.Upscaler()
        larger = upscaler(picture, scale=4)

    Nothing is loaded before the first use. Threads may share one: their pictures take turns. It may
    be sent to worker processes, which load the network anew, or used in them after a fork, unless
    it was used before that.

    Args:
      network: "auto", "pretrained" (or "clean"), "photo", a checkpoint, a folder that training
        wrote, or an export. With "auto" a file that is a JPEG or a lossy WebP takes "photo", and so
        does a picture that Pillow has opened and calls a JPEG; everything else takes "clean".
      engine: what computes it: "auto", "tensorflow", "onnxruntime" or "openvino".
      tile: a tile has no more LR pixels than a square of this side; None for what keeps memory
        under 1 GB.
      output: "ensemble", the weighted mean of the network's outputs, or "last".
      self_ensemble: takes the mean over the eight flips and rotations, eight times as slow.
      threads: of the CPU; 0 for all.
      precision: "float32", "bfloat16", or "auto" for the second where the CPU has it.
      progress: called with the tiles that are done, and with how many there are, after each.
      max_pixels: the largest picture that is read from a file.
      given: fields of the network that a checkpoint of the reference implementation does not tell,
        such as {"recursions": 16, "recursion_frequency": 1}.

    Raises:
      UserError: a value is none of these. What is wrong with the network itself is said at its
        first use.
    """

    def __init__(
        self,
        network: Union[str, "os.PathLike[str]"] = AUTO,
        engine: str = AUTO_ENGINE,
        tile: Optional[int] = None,
        output: str = SINGLE_OUTPUTS[0],
        self_ensemble: bool = False,
        threads: int = 0,
        precision: str = "auto",
        progress: Optional[Callable[[int, int], Any]] = None,
        max_pixels: int = MAX_PIXELS,
        given: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self._arguments = {name: value for name, value in locals().items() if name != "self"}
        if output not in SINGLE_OUTPUTS:
            raise UserError("output is %s here, not %r" % (" or ".join(SINGLE_OUTPUTS), output))
        if precision not in PRECISIONS:
            raise UserError("precision is %s, not %r" % (" or ".join(PRECISIONS), precision))
        self._options = PredictOptions(
            input=os.curdir,
            checkpoint=os.fspath(network),
            engine=engine,
            tile=tile,
            output=output,
            self_ensemble=self_ensemble,
            max_pixels=max_pixels,
            given=dict(given or {}),
        )
        self._progress = progress
        self._lock, self._process = threading.RLock(), os.getpid()
        self._networks: Optional[Networks] = Networks(
            self._options, engine, PRECISIONS[precision], threads
        )

    def __getstate__(self) -> Dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: Dict[str, Any]) -> None:
        Upscaler.__init__(self, **arguments)

    def __repr__(self) -> str:
        return "Upscaler(%r)" % self._options.checkpoint

    def __enter__(self) -> "Upscaler":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Frees the network, once what is being computed is done; it cannot be used any more."""
        if self._process != os.getpid():
            return  # what it holds belongs to the process before
        with self._lock:
            networks, self._networks = self._networks, None
            if networks is not None:
                networks.close()

    @property
    def scales(self) -> Sequence[int]:
        """The scales that it has, ascending."""
        with self._in_use() as networks:
            return networks.first.scales

    @property
    def parameters(self) -> int:
        """How many numbers the network has learned, of all scales together."""
        with self._in_use() as networks:
            return networks.first.parameters

    @property
    def name(self) -> str:
        """What to call the network: "auto", or its file and step."""
        with self._in_use() as networks:
            return networks.name

    def __call__(
        self, picture: pictures.Source, scale: Optional[int] = None, bgr: bool = False
    ) -> Any:
        """One picture, enlarged.

        Args:
          picture: an array, uint8, uint16, or float32 or float64 in 0..1, [height, width] or
            [height, width, 1, 3 or 4]: grey, RGB, RGB and alpha; a picture of Pillow; or the path
            of a file.
          scale: one of `scales`; may be left out where there is one.
          bgr: the colours of an array, and of its result, are in the order of OpenCV.

        Returns:
          The same kind, dtype, channels and mode, [scale * height, scale * width, ...]; of a path
          a picture of Pillow. Of a picture is kept what --mode=predict keeps.

        Raises:
          UserError: it is no picture, or cannot be read; there is no such scale; this is closed.
        """
        return self._enlarged(pictures.take(picture, bgr, self._options.max_pixels), scale)

    def upscale_each(
        self,
        several: Iterable[pictures.Source],
        scale: Optional[int] = None,
        bgr: bool = False,
    ) -> Iterator[Any]:
        """Pictures that come one after another; see `__call__`.

        While one is computed the next is taken and read, in another thread.

        Args:
          several: the pictures.
          scale: see `__call__`.
          bgr: see `__call__`.

        Yields:
          The result of each, in their order.

        Raises:
          UserError: see `__call__`; those before it were yielded.
        """
        source = iter(several)

        def taken() -> Any:
            picture: Any = next(source, _END)
            if picture is _END:
                return _END
            return pictures.take(picture, bgr, self._options.max_pixels)

        with ThreadPoolExecutor(1, thread_name_prefix="reading") as reading:
            coming = reading.submit(taken)
            while True:
                picture = coming.result()
                if picture is _END:
                    return
                coming = reading.submit(taken)
                yield self._enlarged(picture, scale)

    def upscale_files(
        self,
        paths: Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]]],
        folder: Union[str, "os.PathLike[str]"],
        scales: Union[int, Sequence[int], None] = None,
        **settings: Any,
    ) -> Files:
        """Picture files into files, as --mode=predict does it: `folder`/x4/NAME.png.

        Args:
          paths: a picture, a folder of pictures or a pattern; or several pictures, whose names keep
            the folders below the one that they share.
          folder: for the results.
          scales: those wanted; all that the network has by default.
          settings: as the flags of predict: output_format, quality, png_level, first_frame,
            compare, overwrite, follow_links, from_results, tile_overlap.

        Returns:
          What was written, what was there, and a sentence for each picture that was skipped.

        Raises:
          UserError: nothing can be done: no picture, no network, no such scale; this is closed.
          RunFailed: the disk takes no more; what was finished stays.
        """
        wanted = (scales,) if isinstance(scales, int) else scales
        with self._in_use() as networks:
            options = self._options.replace(
                output_dir=os.fspath(folder), scales=tuple(wanted) if wanted else None, **settings
            )
            return write(options, found_files(paths, options), networks.find, self._progress)

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[Networks]:
        """The networks, for one thread at a time.

        Raises:
          UserError: this is closed, or was used before this process was forked.
        """
        if self._process != os.getpid():
            if self._networks is not None and self._networks.are_loaded:
                raise UserError(
                    "this Upscaler was used before the process was forked, and what it loaded does "
                    "not live on here; make it in the worker, or start workers with spawn"
                )
            # The lock may have been held by a thread that is not here.
            self._lock, self._process = threading.RLock(), os.getpid()
        with self._lock:
            if self._networks is None:
                raise UserError("this Upscaler is closed; make a new one")
            yield self._networks

    def _enlarged(self, picture: pictures.Given, scale: Optional[int]) -> Any:
        with self._in_use() as networks:
            upscaler = networks.upscaler(picture.is_lossy)
            if scale is None and len(upscaler.scales) == 1:
                (scale,) = upscaler.scales
            if scale is None:
                raise UserError(
                    "which scale? this network has %s" % ", ".join(map(str, upscaler.scales))
                )
            require([scale], upscaler.scales, networks.name)
            height, width = picture.picture.colours.shape[:2]
            on_tile = self._counter(upscaler.tiles(height, width, scale))
            bands = [band[0] for band in upscaler.stored_bands(picture.picture, scale, on_tile)]
        return picture.result(bands[0] if len(bands) == 1 else np.concatenate(bands))

    def _counter(self, tiles: int) -> Callable[[], None]:
        if self._progress is None:
            return lambda: None
        tell, done = self._progress, 0

        def on_tile() -> None:
            nonlocal done
            done += 1
            tell(done, tiles)

        return on_tile
