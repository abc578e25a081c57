"""Converts pictures to TFRecords for training and evaluation.

    python data_tools/to_tfrecord.py --dataset=div2k --input_dir=DIR
    python data_tools/to_tfrecord.py --dataset=bsd100 --input_dir=DIR
    python data_tools/to_tfrecord.py --dataset=usr248 --input_dir=DIR
    python data_tools/to_tfrecord.py --dataset=folder --input_dir=DIR --output_dir=DIR
    python data_tools/to_tfrecord.py --verify --output_dir=DIR

Exit status: 0 done, also with --skip_bad where pictures were left out; 2 refused; 130 or 143
stopped by SIGINT or SIGTERM.
"""

import os
import sys
from typing import List, Optional

from absl import flags

if __package__ in (None, ""):
    # Run as a script: the root of the project stands in for its folder on the path.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from bsrn_estimator import scales  # noqa: E402
from bsrn_estimator.errors import UserError  # noqa: E402
from bsrn_estimator.pictures.decoding import MAX_PIXELS  # noqa: E402
from data_tools.options import DATASETS, STRETCHES, ConversionOptions, default_scales  # noqa: E402

_STRING, _NUMBER, _SWITCH = flags.DEFINE_string, flags.DEFINE_integer, flags.DEFINE_boolean
_REPEATED = flags.DEFINE_multi_string
_FLAGS = (
    (_STRING, "dataset", None, "Layout of the input: %s." % ", ".join(DATASETS)),
    (_STRING, "input_dir", None, "Folder to read."),
    (
        _STRING,
        "output_dir",
        None,
        "Folder to write. Default: tfrecords/div2k_train, tfrecords/div2k_valid, "
        "tfrecords/bsd100, tfrecords/usr248_train, tfrecords/usr248_test, or tfrecords/ and the "
        "name of the input folder.",
    ),
    (
        _STRING,
        "name",
        None,
        "What the set is called in tables and curves. Default: as the output folder.",
    ),
    (
        _STRING,
        "scales",
        None,
        "Scales of the LR pictures, of %s. Default: 2,3,4; for usr248 2,4,8." % scales.NAMES,
    ),
    (
        _STRING,
        "split",
        None,
        "train, valid or test: the part of DIV2K or, but for valid, of USR-248, and the first part "
        "of the shards' names. "
        "Default: train; for bsd100 and benchmark test.",
    ),
    (
        _STRING,
        "kind",
        None,
        "training: cut into tiles; evaluation: whole pictures. Default: training for the split "
        "train and for folders, else evaluation.",
    ),
    (
        _NUMBER,
        "tile_size",
        None,
        "Height and width of a training tile in HR pixels. Default: 480, for usr248 640, or two "
        "and a half patches where that is more.",
    ),
    (
        _NUMBER,
        "patch_size",
        48,
        "Largest LR patch that training will cut; it fixes how much tiles overlap.",
    ),
    (_STRING, "encoding", "png", "png; or raw: more bytes, but nothing to decode."),
    (
        _REPEATED,
        "degrade",
        [],
        "What is done to the LR pictures: jpeg:QUALITY, noise:SIGMA, blur:SIGMA, or several.",
    ),
    (
        _STRING,
        "stretch",
        "",
        "Stretches the contrast as SRDRM's loader does: %s for LR and HR." % " or ".join(STRETCHES),
    ),
    (_NUMBER, "shard_bytes", 10**8, "About how large a shard becomes."),
    (_NUMBER, "workers", 0, "Processes; 0 is one for each core."),
    (_NUMBER, "max_pixels", MAX_PIXELS, "Most pixels that a picture may have."),
    (_SWITCH, "skip_bad", False, "Leave bad pictures out instead of refusing."),
    (_SWITCH, "overwrite", False, "Convert again where finished output is."),
    (_SWITCH, "follow_links", False, "Follow symbolic links out of the input folder."),
    (_STRING, "tfds_data_dir", None, "Data folder of tensorflow-datasets."),
    (_SWITCH, "verify", False, "Re-read --output_dir against its manifest, and no more."),
    (_SWITCH, "help", False, "Show this text."),
)


def define_flags() -> flags.FlagValues:
    """The flags of this command, apart from those of other commands in the same process."""
    values = flags.FlagValues()
    for define, name, default, text in _FLAGS:
        define(name, default, text, flag_values=values)
    return values


def options_of(values: flags.FlagValues) -> ConversionOptions:
    """The complete options of parsed flags.

    Raises:
      UserError: a flag is missing, out of range, or contradicts another.
    """
    if values.dataset is None:
        raise UserError("--dataset is needed: %s" % " or ".join(DATASETS))
    others = {
        name: values[name].value
        for name in ConversionOptions.__dataclass_fields__
        if name not in ("scales", "degrade")
    }
    listed = ",".join(values.degrade)
    wanted = scales.parsed(values.scales) if values.scales else default_scales(values.dataset)
    return ConversionOptions(scales=wanted, degrade=listed, **others).complete()


def main(argv: Optional[List[str]] = None) -> int:
    """Runs the command with `argv` (the program's name first) and returns its exit status."""
    values = define_flags()
    try:
        rest = values(list(sys.argv if argv is None else argv))[1:]
        if values.help:
            print(__doc__ + values.get_help())
            return 0
        if rest:
            raise UserError("%s is not a flag; flags begin with --" % rest[0])
        return _verify(values) if values.verify else _convert(options_of(values))
    except flags.Error as error:
        message = str(error)
    except UserError as error:
        message = str(error)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    print("error: " + message, file=sys.stderr)
    return 2


def run() -> None:
    """The installed command."""
    sys.exit(main())


def _convert(options: ConversionOptions) -> int:
    from data_tools.convert import Stopped, convert

    try:
        result = convert(options)
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return 128 + stopped.number
    for _, problem in result.skipped:
        print("skipped: " + problem)
    if result.passed_over:
        print(result.passed_over)
    print(result.summary())
    return 0


def _verify(values: flags.FlagValues) -> int:
    from data_tools.convert import size_in_words
    from data_tools.verify import verify

    if not values.output_dir:
        raise UserError("--verify needs --output_dir, the folder to re-read")
    manifest = verify(values.output_dir)
    print(
        "%s is whole: %d records in %d shards, %s"
        % (values.output_dir, manifest.records, len(manifest.shards), size_in_words(manifest.bytes))
    )
    return 0


if __name__ == "__main__":
    run()
