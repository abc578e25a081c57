"""The protocols behind the published figures of SRDRM, beside that of this project (`metrics`).

They differ in what the network is given, how its result becomes bytes, in which file, and what is
compared (github.com/xahidbuffon/SRDRM at 02ce312 of September 2019 and at its head of 2020;
Ascend/ModelZoo-TensorFlow, srdrm_ID1282_for_TensorFlow):

    srdrm2019   LR stretched (`pictures.stretch`), the result stretched again, PNG; RGB
    srdrm2020   the same, JPEG of quality 75; luma, and SSIM of the first column of pixels
    modelzoo    LR as it is, the result rounded down, JPEG of quality 75; as srdrm2020
    plain       LR as it is, the result rounded, PNG; a protocol without a quirk, to set beside them

HR is the file as it is, nothing is shaved, and the figure of a set is the mean over its pictures.
The SSIM of srdrm2020 and of modelzoo is computed of one column because their code takes the width
of a luma picture for its channels; here it is called so. Each protocol gives all of `NAMES`, which
`protocol_figures` computes.

Bicubic, which stands beside every result, is Pillow's, of the LR picture as it is, in the file of
the protocol; stretched it would be worse.
"""

from typing import Mapping, NamedTuple, Sequence, Tuple

PSNR_LUMA, SSIM_LUMA, SSIM_COLUMN = "psnr_luma", "ssim_luma", "ssim_column0"
PSNR_RGB, SSIM_RGB, UIQM = "psnr_rgb", "ssim_rgb", "uiqm"
NAMES = (PSNR_LUMA, SSIM_LUMA, SSIM_COLUMN, PSNR_RGB, SSIM_RGB, UIQM)
# What a result is computed from.
RAW, STRETCHED = "raw", "stretched"
# How a result becomes bytes: stretched to 0..255, rounded down, or to the nearest.
STRETCH, TRUNCATE, ROUND = "stretch", "truncate", "round"


class Protocol(NamedTuple):
    """How a result is made and stored.

    Attributes:
      source: what the network is given, RAW or STRETCHED.
      store: STRETCH, TRUNCATE or ROUND.
      jpeg: whether the file is a JPEG.
      compared: PSNR and SSIM of its tables, of `NAMES`.
      words: all this, for people.
    """

    source: str
    store: str
    jpeg: bool
    compared: Tuple[str, str]
    words: str


PROTOCOLS: Mapping[str, Protocol] = {
    "srdrm2019": Protocol(
        STRETCHED, STRETCH, False, (PSNR_RGB, SSIM_RGB), "LR stretched, result stretched, PNG"
    ),
    "srdrm2020": Protocol(
        STRETCHED,
        STRETCH,
        True,
        (PSNR_LUMA, SSIM_COLUMN),
        "LR stretched, result stretched, JPEG 75",
    ),
    "modelzoo": Protocol(
        RAW, TRUNCATE, True, (PSNR_LUMA, SSIM_COLUMN), "result rounded down, JPEG 75"
    ),
    "plain": Protocol(RAW, ROUND, False, (PSNR_LUMA, SSIM_LUMA), "result rounded, PNG"),
}


def figure(protocol: str, name: str, of_bicubic: bool = False) -> str:
    """What a figure of `NAMES` is called under a protocol: srdrm2019_psnr_rgb."""
    return "%s%s_%s" % ("bicubic_" if of_bicubic else "", protocol, name)


def sources_of(protocols: Sequence[str]) -> Tuple[str, ...]:
    """What the network is given for some protocols: RAW, STRETCHED, both, or neither."""
    needed = {PROTOCOLS[protocol].source for protocol in protocols}
    return tuple(source for source in (RAW, STRETCHED) if source in needed)
