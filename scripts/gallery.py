"""Enlarges three photographs with the network that comes with the project, to look at.

    python scripts/gallery.py [FOLDER]

Writes FOLDER/NAME.png for each (docs/images by default): the photograph, and a detail of it as LR,
bicubic, BSRN and HR, with the PSNR on Y of the whole photograph. They come with scikit-image, are
CC0 or in the public domain, and the network was not trained on them.
"""

import argparse
import os
import sys

import numpy as np
import skimage
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from bsrn_estimator.checkpoints import (
    PRETRAINED,  # noqa: E402
    trained,  # noqa: E402
)
from bsrn_estimator.evaluation import metrics  # noqa: E402
from bsrn_estimator.inference.upscaler import Upscaler  # noqa: E402
from bsrn_estimator.pictures import imresize  # noqa: E402
from bsrn_estimator.pictures.picture import to_uint8  # noqa: E402
from scripts import demo  # noqa: E402

# Photograph, scale, and the detail shown: left, top, side, in HR pixels.
SHOWN = (
    ("chelsea.png", 3, (120, 76, 96)),
    ("astronaut.png", 4, (176, 64, 96)),
    ("coffee.png", 2, (150, 90, 96)),
)


def comparison(hr: np.ndarray, scale: int, detail, upscaler: Upscaler) -> np.ndarray:
    """uint8 [height, width, 3]: `hr`, and below it one detail in four states."""
    height, width = (side // scale * scale for side in hr.shape[:2])
    hr = hr[:height, :width]
    lr = imresize.shrink(hr, scale)
    bicubic, network = imresize.enlarge(lr, scale), to_uint8(upscaler.upscale(lr, scale))
    panels = [("LR (nearest)", lr.repeat(scale, axis=0).repeat(scale, axis=1))]
    for name, picture in (("bicubic", bicubic), ("BSRN", network)):
        psnr = metrics.psnr(hr, picture, shave=scale)
        panels.append(("%s x%d, %.2f dB" % (name, scale, psnr), picture))
    return demo.sheet(hr, panels + [("HR", hr)], detail)


def main() -> None:
    """Writes the three comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", nargs="?", default=os.path.join(demo.ROOT, "docs", "images"), metavar="FOLDER"
    )
    folder = parser.parse_args().folder
    os.makedirs(folder, exist_ok=True)
    source = os.path.join(os.path.dirname(skimage.__file__), "data")
    with Upscaler(trained.find(PRETRAINED)) as upscaler:
        for file, scale, detail in SHOWN:
            sheet = comparison(demo.read(os.path.join(source, file)), scale, detail, upscaler)
            Image.fromarray(sheet).save(os.path.join(folder, file), optimize=True)


if __name__ == "__main__":
    main()
