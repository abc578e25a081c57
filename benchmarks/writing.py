"""How fast results become PNG files and how large, by `--png_level`, against zlib's usual level 6.

    python -m benchmarks.writing --pictures=PHOTOS
    python -m benchmarks.writing                     a drawing made for the purpose

Each picture is enlarged to twice its size by the network that comes with the project. Speed is
pixels for each second of processor time, filters and checksums included.
"""

import argparse
import os
import tempfile
from typing import List

import numpy as np
from PIL import Image, ImageDraw

from benchmarks import _report
from bsrn_estimator.checkpoints import PRETRAINED, trained
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.pictures import files as picture_files
from bsrn_estimator.pictures.decoding import read_rgb
from bsrn_estimator.pictures.picture import to_uint8
from bsrn_estimator.pictures.png import LEVEL, PngWriter

_LEVELS = (0, 1, 2, 3, 6, 9)
_USUAL = 6
_SCALE = 2


def _drawing() -> np.ndarray:
    image = Image.new("RGB", (400, 300), "white")
    pen = ImageDraw.Draw(image)
    for row in range(20):
        pen.text((5, 5 + 14 * row), "A line of text that is drawn, number %d" % row, fill=(0, 0, 0))
        pen.rectangle((300, row * 15, 390, row * 15 + 9), fill=(row * 12, 90, 200))
    return np.asarray(image)


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", help="a folder of photographs; without it, a drawing")
    parser.add_argument("--count", type=int, default=5, help="so many of them")
    arguments = parser.parse_args()
    lr: List[np.ndarray] = [_drawing()]
    if arguments.pictures:
        found = picture_files.find(arguments.pictures, os.devnull).files
        lr = [read_rgb(file.path) for file in found[: arguments.count]]
    with Upscaler(trained.find(PRETRAINED), scales=[_SCALE]) as upscaler:
        results = [to_uint8(upscaler.upscale(picture, _SCALE)) for picture in lr]
    pixels = sum(result[..., 0].size for result in results)
    speeds, sizes = {}, {}
    with tempfile.TemporaryDirectory(prefix="benchmark-writing-") as folder:
        path = os.path.join(folder, "a.png")
        for level in _LEVELS:
            sizes[level] = 0
            with _report.measured() as usage:
                for result in results:
                    with PngWriter(path, result.shape, level=level) as writer:
                        writer.write(result)
                    sizes[level] += os.path.getsize(path)
            speeds[level] = pixels / usage.cpu_seconds / 1e6
    _report.print_table(
        ["level", "MP a CPU second", "of level 6", "bytes a pixel", "of level 6"],
        [
            [level, speeds[level], speeds[level] / speeds[_USUAL]]
            + [sizes[level] / pixels, sizes[level] / sizes[_USUAL]]
            for level in _LEVELS
        ],
    )
    _report.print_machine(_report.machine())
    _report.print_result(
        "PNG at level %d" % LEVEL,
        speeds[LEVEL],
        "megapixels a CPU second",
        speeds[_USUAL],
        _report.peak_memory_mb(),
        size_ratio=sizes[LEVEL] / sizes[_USUAL],
    )


if __name__ == "__main__":
    main()
