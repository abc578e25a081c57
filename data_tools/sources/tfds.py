"""DIV2K as tensorflow-datasets prepares it.

There one builder configuration holds one scale, shuffled in its own way, and no names. The file of
an HR picture is the same in all of them, byte for byte, so its SHA-256 joins them and names the
picture. The library prepares the data and says where its files are; the records are then read by
position, so that worker processes need neither the library nor TensorFlow.
"""

import hashlib
import os
from typing import Any, Dict, Iterator, List, Tuple

from bsrn_estimator.data.tfrecord import index_shard
from bsrn_estimator.errors import UserError, install_command, printable
from bsrn_estimator.pictures.files import PassedOver
from bsrn_estimator.progress import progress
from data_tools.options import ConversionOptions
from data_tools.sources.picture import Found, SourcePicture, Stored, StoredFeature

_SPLITS = {"train": "train", "valid": "validation"}


def find_tfds(options: ConversionOptions) -> Found:
    """The pictures of DIV2K at all scales asked for; downloaded and prepared where it is not there.

    Raises:
      UserError: the library is not installed, the data is neither there nor to be had, or it is
        not stored as TFRecords.
    """
    if options.split not in _SPLITS:
        raise UserError("--dataset=tfds has the splits train and valid, not %s" % options.split)
    hr: Dict[str, StoredFeature] = {}
    lr: Dict[str, Dict[int, Stored]] = {}
    problems: List[Tuple[str, str]] = []
    for scale in options.scales:
        for name, hr_picture, lr_picture in _pictures(options, scale):
            hr.setdefault(name, hr_picture)
            if scale in lr.setdefault(name, {}):
                problems.append((name, "%s is there twice" % hr_picture.label))
            lr[name][scale] = lr_picture
    bad = {name for name, _ in problems}
    for name in sorted(hr):
        missing = [scale for scale in options.scales if scale not in lr[name]]
        if missing:
            problems.append(
                (name, "%s has no LR picture of scale %d" % (hr[name].label, missing[0]))
            )
            bad.add(name)
    pictures = [SourcePicture(name, hr[name], lr[name]) for name in sorted(hr) if name not in bad]
    return Found(pictures, problems, PassedOver())


def _pictures(
    options: ConversionOptions, scale: int
) -> Iterator[Tuple[str, StoredFeature, StoredFeature]]:
    """Name, HR and LR of every picture of one configuration."""
    paths = _record_files(_builder(options, scale), _SPLITS[options.split])
    places = [
        (path, record, int(offset), int(length))
        for path in paths
        for record, (offset, length) in enumerate(zip(*index_shard(path)))
    ]
    if not places:
        raise UserError("%s holds no picture" % printable(os.path.dirname(paths[0])))
    for path, record, offset, length in progress(
        places, description="Joining x%d" % scale, unit="pictures"
    ):
        hr, lr = (StoredFeature(path, record, offset, length, name) for name in ("hr", "lr"))
        yield hashlib.sha256(hr.content()).hexdigest()[:16], hr, lr


def _builder(options: ConversionOptions, scale: int) -> Any:
    """The builder of one scale, its data prepared."""
    try:
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.utils import gcs_utils
    except ImportError as error:
        raise UserError(
            "--dataset=tfds needs the package tensorflow-datasets (%s); get it with %s"
            % (error, install_command("tfds"))
        ) from None
    # Without this, release 3 asks a bucket for metadata whenever the data is not there yet; where
    # there is no network that takes minutes and ends in a TypeError. DIV2K comes from elsewhere.
    gcs_utils.is_gcs_disabled = lambda: True
    gcs_utils._is_gcs_disabled = True
    name = "div2k/bicubic_x%d" % scale
    try:
        builder = tfds.builder(name, data_dir=options.tfds_data_dir)
        if not os.path.isdir(str(builder._data_dir)):
            builder.download_and_prepare()
    except Exception as error:  # offline, the library fails in many ways
        raise UserError(
            "%s is not in %s, and tensorflow-datasets cannot fetch it (%s: %s); give the folder "
            "that holds it as --tfds_data_dir, or connect to the network"
            % (
                name,
                printable(options.tfds_data_dir or "its default folder"),
                type(error).__name__,
                (str(error).splitlines() or [""])[0][:150],
            )
        ) from None
    return builder


def _record_files(builder: Any, split: str) -> List[str]:
    folder = str(builder._data_dir)
    if split not in builder.info.splits:
        raise UserError("%s has no split %s" % (printable(folder), split))
    names = sorted(os.path.basename(str(name)) for name in builder.info.splits[split].filenames)
    if not names or not all(".tfrecord" in name for name in names):
        raise UserError(
            "%s is not stored as TFRecords; prepare it with file_format=tfrecord"
            % printable(folder)
        )
    return [os.path.join(folder, name) for name in names]
