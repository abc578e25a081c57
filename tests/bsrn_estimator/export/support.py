"""Pictures as bytes, and what an export of the golden network makes of one."""

import io

import numpy as np
from PIL import Image


def encoded(pixels, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def expected(golden, scale):
    return np.clip(golden.forward["x%d/ensemble" % scale], 0, 255)
