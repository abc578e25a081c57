#!/usr/bin/env python3
"""Whole pictures of any size through an offline model (.om) of one fixed shape, by way of msame.

    scripts/msame_pictures.py split --input=PICTURES --work_dir=DIR --size=HEIGHT,WIDTH
    msame --model=bsrn_x4_120x120.om --input=DIR/input --output=DIR/output --outfmt=BIN
    scripts/msame_pictures.py join --work_dir=DIR --output_dir=upscaled

`split` cuts pictures into overlapping tiles of the model's shape: DIR/input/*.bin, float32
[1, height, width, 3], RGB in 0..255, and DIR/tiles.json. `join` reads what msame made of them
(NAME_output_0.bin in DIR/output or a folder in it, float32 [1, s * height, s * width, 3]) and
writes the pictures. No picture is resized: a tile inside a picture carries --overlap pixels of
context, which are thrown away, and a tile at its border ends there, so the result is that of the
whole picture. A picture that is smaller than the shape is filled up by mirroring, which changes its
right and lower edge; use a model of a smaller shape for those.

    scripts/msame_pictures.py simulate --frozen=FILE.pb --work_dir=DIR

does on the CPU what msame does on the device, with the frozen graph in the place of the .om.
"""

import argparse
import glob
import os
import sys
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from bsrn_estimator import files, progress  # noqa: E402
from bsrn_estimator.errors import UserError  # noqa: E402
from bsrn_estimator.pictures import files as picture_files  # noqa: E402
from bsrn_estimator.pictures import names, tiling  # noqa: E402
from bsrn_estimator.pictures.decoding import read_rgb  # noqa: E402
from bsrn_estimator.pictures.picture import to_uint8  # noqa: E402
from bsrn_estimator.pictures.tiling import OVERLAP  # noqa: E402

_INDEX = "tiles.json"


class TileFile(NamedTuple):
    """One tile, and the name of its files without their endings."""

    name: str
    tile: tiling.Tile


def tile_files(number: int, height: int, width: int, size: Tuple[int, int], overlap: int):
    """The tiles of picture `number`, from left to right and top to bottom."""
    tiles = tiling.tiles_of(height, width, size, overlap)
    return [TileFile("p%06d_t%05d" % (number, n), tile) for n, tile in enumerate(tiles)]


def cut(picture: np.ndarray, tile: tiling.Tile, size: Tuple[int, int]) -> np.ndarray:
    """The tile of uint8 [height, width, 3] as float32 [1, size[0], size[1], 3]."""
    part = tile.cut(picture)
    missing = [(0, size[0] - part.shape[0]), (0, size[1] - part.shape[1]), (0, 0)]
    return np.pad(part, missing, "symmetric").astype(np.float32)[np.newaxis]


def split(pattern: str, work_dir: str, size: Tuple[int, int], overlap: int) -> int:
    """Writes the tiles of all pictures; returns how many.

    Raises:
      UserError: there are no pictures, one cannot be read, or the overlap leaves nothing of a tile.
    """
    folder = os.path.join(work_dir, "input")
    files.make_folder(folder)
    if os.listdir(folder):
        raise UserError("%s holds tiles already; name another --work_dir" % folder)
    pictures, count = [], 0
    found = picture_files.find(pattern, work_dir).files
    results = names.result_names([file.relative for file in found], ".png")
    for number, file in enumerate(progress.progress(found, len(found), "cutting", "picture")):
        picture = read_rgb(file.path)
        height, width = picture.shape[:2]
        if height < size[0] or width < size[1]:
            print(
                "%s (%d x %d) is smaller than the model's %d x %d: filled up by mirroring"
                % ((file.path, height, width) + size),
                file=sys.stderr,
            )
        tiles = tile_files(number, height, width, size, overlap)
        for tile in tiles:
            cut(picture, tile.tile, size).tofile(os.path.join(folder, tile.name + ".bin"))
        pictures.append({"result": results[number], "height": height, "width": width})
        count += len(tiles)
    _save_index(work_dir, {"size": size, "overlap": overlap, "pictures": pictures})
    return count


def _save_index(work_dir: str, index: Dict[str, Any]) -> None:
    files.write_json(os.path.join(work_dir, _INDEX), index)


def load_index(work_dir: str) -> Dict[str, Any]:
    """What `split` wrote about the tiles.

    Raises:
      UserError: there is none.
    """
    path = os.path.join(work_dir, _INDEX)
    return files.read_json(path, "there is no %s; run split first" % path)


def _indexed(index: Dict[str, Any]) -> Iterator[Tuple[Dict[str, Any], List[TileFile]]]:
    size = tuple(index["size"])
    for number, picture in enumerate(index["pictures"]):
        tiles = tile_files(number, picture["height"], picture["width"], size, index["overlap"])
        yield picture, tiles


class Outputs:
    """What msame wrote: one file a tile, in a folder named after the time.

    Args:
      folder: the folder given to msame as --output.
      size: height and width of a tile in LR pixels.

    Raises:
      UserError: there is nothing in it.
    """

    def __init__(self, folder: str, size: Sequence[int]) -> None:
        pattern = os.path.join(glob.escape(folder), "**", "*_output_0.bin")
        paths = sorted(glob.glob(pattern, recursive=True))
        if not paths:
            raise UserError("%s holds no *_output_0.bin; run msame with --outfmt=BIN" % folder)
        self._folder, self._size = folder, size
        # Folders are named after the time, so that of the last run comes last.
        self._paths = {os.path.basename(path)[: -len("_output_0.bin")]: path for path in paths}
        self.scale = self._scale_of(paths[0])

    def _scale_of(self, path: str) -> int:
        """The scale that the size of a file tells."""
        pixels = os.path.getsize(path) / (4 * 3 * self._size[0] * self._size[1])
        scale = int(round(pixels**0.5))
        if scale < 1 or scale**2 != pixels:
            raise UserError(
                "%s is not a float32 output for tiles of %d x %d; give split the --size of the "
                "model, and atc no --output_type" % (path, self._size[0], self._size[1])
            )
        return scale

    def tile(self, name: str) -> np.ndarray:
        """The upscaled tile: float32 [s * height, s * width, 3].

        Raises:
          UserError: msame wrote none, or a file of another size.
        """
        path = self._paths.get(name)
        if path is None:
            raise UserError("%s has no output for %s.bin; run msame again" % (self._folder, name))
        if self._scale_of(path) != self.scale:
            raise UserError("%s is of another scale than the others" % path)
        shape = [self.scale * self._size[0], self.scale * self._size[1], 3]
        return np.fromfile(path, np.float32).reshape(shape)


def joined(tiles: List[TileFile], height: int, width: int, outputs: Outputs) -> np.ndarray:
    """The upscaled picture: uint8 [s * height, s * width, 3]."""
    scale = outputs.scale
    result = np.empty([scale * height, scale * width, 3], np.uint8)
    for name, tile in tiles:
        tile.place(to_uint8(outputs.tile(name)), result, scale)
    return result


def join(work_dir: str, output_dir: str) -> int:
    """Writes the upscaled pictures; returns how many.

    Raises:
      UserError: `split` has not run here, or an output is missing or of the wrong size.
    """
    index = load_index(work_dir)
    outputs = Outputs(os.path.join(work_dir, "output"), index["size"])
    found = list(_indexed(index))
    for picture, tiles in progress.progress(found, len(found), "joining", "picture"):
        result = joined(tiles, picture["height"], picture["width"], outputs)
        path = os.path.join(output_dir, picture["result"])
        files.make_folder(os.path.dirname(path))
        with files.written_whole(path, "wb", sync=False) as file:
            Image.fromarray(result).save(file, "PNG")
    return len(found)


def simulate(frozen: str, work_dir: str) -> int:
    """Runs the frozen graph over the tiles on the CPU, writing as msame does; returns how many.

    Raises:
      UserError: the graph cannot be read, or is of another shape than the tiles.
    """
    from bsrn_estimator.compat import tf

    index = load_index(work_dir)
    shape = [1] + list(index["size"]) + [3]
    folder = os.path.join(work_dir, "output", "simulated")
    files.make_folder(folder)
    names = [tile.name for _, tiles in _indexed(index) for tile in tiles]
    definition = tf.GraphDef()
    try:
        with open(frozen, "rb") as file:
            definition.ParseFromString(file.read())
    except Exception as error:  # what the parser raises differs between its versions
        raise UserError("--frozen=%s cannot be read: %s" % (frozen, error)) from None
    with tf.Graph().as_default(), tf.Session() as session:
        lr, hr = tf.import_graph_def(definition, return_elements=["lr:0", "hr:0"], name="")
        if lr.shape.as_list() != shape:
            raise UserError(
                "--frozen=%s takes %s, and the tiles are %s" % (frozen, lr.shape.as_list(), shape)
            )
        for name in progress.progress(names, len(names), "upscaling", "tile"):
            tile = np.fromfile(os.path.join(work_dir, "input", name + ".bin"), np.float32)
            made = session.run(hr, {lr: tile.reshape(shape)})
            made.tofile(os.path.join(folder, name + "_output_0.bin"))
    return len(names)


def _size(text: str) -> Tuple[int, int]:
    height, width = (int(number) for number in text.split(","))
    if min(height, width) < 1:
        raise ValueError
    return height, width


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="split|join|simulate")
    commands.required = True
    cutting = commands.add_parser("split", help="cuts pictures into tiles")
    cutting.add_argument("--input", required=True, help="a picture, a folder, or a pattern")
    cutting.add_argument(
        "--size", required=True, type=_size, help="HEIGHT,WIDTH of the model's input in pixels"
    )
    cutting.add_argument(
        "--overlap", type=int, default=OVERLAP, help="pixels of context (%(default)s)"
    )
    joining = commands.add_parser("join", help="makes pictures of what msame wrote")
    joining.add_argument("--output_dir", required=True, help="folder for the upscaled pictures")
    simulating = commands.add_parser("simulate", help="upscales the tiles on the CPU")
    simulating.add_argument("--frozen", required=True, help="the frozen graph of the .om")
    for command in (cutting, joining, simulating):
        command.add_argument("--work_dir", required=True, help="folder of the tiles")
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "split":
            count = split(given.input, given.work_dir, given.size, given.overlap)
            print("%d tiles in %s" % (count, os.path.join(given.work_dir, "input")))
        elif given.command == "join":
            print("%d pictures in %s" % (join(given.work_dir, given.output_dir), given.output_dir))
        else:
            print("%d tiles upscaled" % simulate(given.frozen, given.work_dir))
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
