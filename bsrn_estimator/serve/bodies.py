"""Picture files in request bodies: looked at before they are decoded, decoded, and encoded."""

import io
import os
import tempfile
import warnings
from typing import Tuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures.decoding import KINDS, formats_of
from bsrn_estimator.pictures.picture import Picture, enlarged_bands, read_picture
from bsrn_estimator.pictures.png import PngWriter
from bsrn_estimator.serve.refusal import Refusal

# What a result can be sent as: the value of `format=`, Pillow's name and options, the media type.
# Of these PNG alone holds 16 bit and JPEG no alpha.
ENCODINGS = {
    "png": ("PNG", {"compress_level": 4}, "image/png"),
    "jpeg": ("JPEG", {"quality": 95, "subsampling": 0}, "image/jpeg"),
    "webp": ("WEBP", {"lossless": True, "method": 2}, "image/webp"),
}


def look(body: bytes, max_pixels: int) -> Tuple[int, int]:
    """Height and width that a picture's header states; nothing is decoded.

    Args:
      body: a picture file.
      max_pixels: more pixels than that are refused.

    Raises:
      Refusal: 400, there is nothing; 415, it is not a picture of these formats; 413, it has too
        many pixels; 422, its header is damaged, or it is animated.
    """
    if not body:
        raise Refusal(400, "The body is empty; send a picture file as the body.")
    try:
        with warnings.catch_warnings():
            # The bound below is stricter than the one that Pillow warns of.
            warnings.simplefilter("ignore")
            file = io.BytesIO(body)
            with Image.open(file, formats=formats_of(file, "The picture")) as picture:
                width, height = picture.size
                _check_size(height, width, max_pixels)
                # Cameras put a small second picture in a JPEG; that is not an animation.
                frames = 1 if picture.format in ("JPEG", "MPO") else getattr(picture, "n_frames", 1)
    except Refusal:
        raise
    except UserError as error:
        raise Refusal(415, "%s." % error) from None
    except UnidentifiedImageError:
        raise Refusal(415, "The body is not a picture; send %s." % KINDS) from None
    except Image.DecompressionBombError:
        raise Refusal(413, _too_large(max_pixels)) from None
    except Exception:  # Pillow's readers raise what they happen to meet in a damaged file
        raise Refusal(422, "The picture's header is damaged.") from None
    if frames > 1:
        raise Refusal(422, "The picture has %d frames; send a still one." % frames)
    return height, width


def _check_size(height: int, width: int, max_pixels: int) -> None:
    if height * width > max_pixels:
        raise Refusal(
            413,
            "The picture has %d x %d pixels; %s" % (width, height, _too_large(max_pixels)),
        )
    if height * width == 0:
        raise Refusal(422, "The picture has no pixels.")


def _too_large(max_pixels: int) -> str:
    return "at this scale %d pixels are the limit here." % max_pixels


def decode(body: bytes, max_pixels: int) -> Picture:
    """The picture in a file that `look` has let pass.

    Raises:
      Refusal: 422, the file is damaged or cut short, or of a form that is not supported.
    """
    try:
        return read_picture(body, max_pixels, "The picture")
    except UserError as error:
        reason = str(error)
    raise Refusal(422, reason + ".")


def bicubic(picture: Picture, scale: int) -> np.ndarray:
    """MATLAB's bicubic enlargement of the colours, [scale * height, scale * width, 1 or 3]."""
    return _filled(enlarged_bands(picture.colours, scale), picture.colours, scale)


def _filled(bands, pixels: np.ndarray, scale: int) -> np.ndarray:
    """One array of the bands of the enlarged `pixels`."""
    height, width, channels = pixels.shape
    result = np.empty([scale * height, scale * width, channels], pixels.dtype)
    begin = 0
    for band in bands:
        result[begin : begin + len(band)] = band
        begin += len(band)
    return result


def encode(colours: np.ndarray, source: Picture, scale: int, encoding: str) -> bytes:
    """A file of a result, with the alpha and the colour profile of its source.

    Args:
      colours: as `source` stores them, [scale * height, scale * width, 1 or 3].
      source: what was enlarged.
      scale: how many times.
      encoding: a key of ENCODINGS.

    Raises:
      Refusal: 422, the format does not hold pictures of this size.
    """
    if source.alpha is not None and encoding != "jpeg":
        alpha = _filled(enlarged_bands(source.alpha, scale), source.alpha, scale)
        colours = np.concatenate([colours, alpha], axis=2)
    if source.bits == 16:
        if encoding == "png":
            return _sixteen_bits(colours, source.icc_profile)
        colours = ((colours.astype(np.uint32) + 128) // 257).astype(np.uint8)
    name, options, _ = ENCODINGS[encoding]
    file = io.BytesIO()
    image = Image.fromarray(colours[..., 0] if colours.shape[2] == 1 else colours)
    try:
        image.save(file, name, icc_profile=source.icc_profile, **options)
    except (OSError, ValueError):
        raise Refusal(
            422,
            "A result of %d x %d pixels does not fit in %s; ask for format=png."
            % (image.width, image.height, name),
        ) from None
    return file.getvalue()


def _sixteen_bits(pixels: np.ndarray, icc_profile) -> bytes:
    with tempfile.TemporaryDirectory(prefix="bsrn-") as folder:
        path = os.path.join(folder, "result.png")
        with PngWriter(path, pixels.shape, 16, icc_profile) as writer:
            writer.write(pixels)
        with open(path, "rb") as file:
            return file.read()
