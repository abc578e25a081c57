"""Enlarges three photographs with the network that comes with the project, to look at.

    python scripts/gallery.py [FOLDER]

Writes FOLDER/NAME.png for each (docs/images by default): the photograph, and a detail of it as LR,
bicubic, BSRN and HR, with the PSNR on Y of the whole photograph. They come with scikit-image, are
CC0 or in the public domain, and the network was not trained on them.
"""

import os
import sys

import demo  # puts the repository on the path
import numpy as np
import skimage
from PIL import Image

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints import trained
from bsrn_estimator.evaluation import metrics
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.pictures import imresize
from bsrn_estimator.pictures.picture import to_uint8

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
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(demo.ROOT, "docs", "images")
    os.makedirs(folder, exist_ok=True)
    source = os.path.join(os.path.dirname(skimage.__file__), "data")
    with Upscaler(trained.find(checkpoint_files.PRETRAINED)) as upscaler:
        for file, scale, detail in SHOWN:
            sheet = comparison(demo.read(os.path.join(source, file)), scale, detail, upscaler)
            Image.fromarray(sheet).save(os.path.join(folder, file), optimize=True)


if __name__ == "__main__":
    main()
