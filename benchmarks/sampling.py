"""How evenly training sees its pictures, against patches that start anywhere and are drawn alone.

    python -m benchmarks.sampling [--pictures=DIR]

First the chance of a pixel: on a set of mixed sizes, how far the likeliest interior pixel is from
the least likely, in one picture or in two, and what is stored for it. Then how soon pictures come
again: pictures among eight batches in a row, and how much the mean of a figure of patches varies
over some batches, where independent patches would give 1. The figure is the contrast of LR patches
of the photographs given; without any, a made-up one of which half belongs to the picture.

Three forms: the plain one, patches drawn one by one from all that there are; the records of format
version 1, with 32 tiles in play; and the records and the order of today. Nothing is read or
decoded: the order is computed by the code that training uses.
"""

import argparse
import os
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from benchmarks import _report
from bsrn_estimator.config import Recipe
from bsrn_estimator.data import sampling, tiles
from bsrn_estimator.data.shares import Shares, picture_weights

# Height, width, and how many: DIV2K's most frequent size, a photograph, small ones, and one that is
# hardly larger than a tile.
SIZES = (
    (1356, 2040, 12),
    (1300, 2000, 12),
    (768, 1024, 12),
    (512, 512, 12),
    (500, 500, 12),
    (321, 481, 12),
)
SCALES = (2, 3, 4)
PATCH = 48
BATCHES = (8, 16, 32, 64)
# As `data_tools/to_tfrecord.py` has them by default.
_TILE, _OVERLAP = tiles.default_tile_size(PATCH, SCALES), tiles.least_overlap(PATCH, SCALES)
_MULTIPLE = tiles.common_multiple(SCALES)
_FORMS = ("plain", "version 1", "today")
_RECORDS = 800
_OF_PICTURE = 0.5

_Area = Tuple[int, int, int, int]


class Layout(NamedTuple):
    """What is stored of a picture, and where its patches begin.

    Attributes:
      stored: HR pixels in all its tiles.
      areas: y, x, rows and columns, in LR pixels, of the patches' beginnings in each tile.
      weights: in what proportion the tiles are read.
    """

    stored: int
    areas: List[_Area]
    weights: List[int]


def layout(form: str, size: Tuple[int, int], scale: int) -> Layout:
    """The tiles of a picture of `size`, height and width in HR pixels, in one of three forms."""
    sides = [side // _MULTIPLE * _MULTIPLE for side in size]
    if form == "plain":
        rows, columns = (side // scale - PATCH + 1 for side in sides)
        return Layout(size[0] * size[1], [(0, 0, rows, columns)], [rows * columns])
    if form == "today":
        found = list(tiles.tiles_of(size, _TILE, _OVERLAP, SCALES))
        areas = [tiles.patch_area(tile, scale, PATCH) for tile in found]
        weights = picture_weights(areas, size, SCALES, scale, PATCH)
    else:
        found = [
            tiles.TileArea(y, x, min(sides[0], _TILE), min(sides[1], _TILE))
            for y in _pushed_back(sides[0])
            for x in _pushed_back(sides[1])
        ]
        areas = [(tile.height // scale, tile.width // scale) for tile in found]
        weights = [1] * len(found)
    return Layout(
        sum(tile.height * tile.width for tile in found),
        [
            (tile.y // scale, tile.x // scale, area[0] - PATCH + 1, area[1] - PATCH + 1)
            for tile, area in zip(found, areas)
        ],
        weights,
    )


def _pushed_back(length: int) -> List[int]:
    """Where tiles of format version 1 begin: the last one is pushed back to the edge."""
    if length <= _TILE:
        return [0]
    return list(range(0, length - _TILE, _TILE - _OVERLAP)) + [length - _TILE]


def visits(form: str, weights: Sequence[int], scale: int, epochs: int) -> np.ndarray:
    """How often each record is read, in visits an epoch: by the code that training uses."""
    own = np.array(weights)
    if form == "plain":
        return own * len(own) / own.sum()
    shares = Shares(own) if form == "today" else None
    stream = sampling.Stream(1, scale, len(own), 8, 8, 8, shares=shares)
    read = [stream.record(visit) for visit in range(epochs * len(own))]
    return np.bincount(read, minlength=len(own)) / epochs


def densities(form: str, scale: int, epochs: int) -> List[np.ndarray]:
    """For each picture of `SIZES`, the chance of every LR pixel to be in a patch; one unit for all.

    A picture's own is [rows, columns], in LR pixels.
    """
    sizes = [size[:2] for size in SIZES for _ in range(size[2])]
    layouts = [layout(form, size, scale) for size in sizes]
    weights = [weight for one in layouts for weight in one.weights]
    counts = iter(visits(form, weights, scale, epochs))
    found = []
    for size, (_, areas, _) in zip(sizes, layouts):
        chance = np.zeros([side // _MULTIPLE * _MULTIPLE // scale for side in size])
        for y, x, rows, columns in areas:
            part = np.outer(_covered(rows), _covered(columns)) * next(counts) / (rows * columns)
            chance[y : y + part.shape[0], x : x + part.shape[1]] += part
        found.append(chance)
    return found


def _covered(places: int) -> np.ndarray:
    """How many patches that begin at the first `places` pixels of a side cover each pixel."""
    return np.convolve(np.ones(places), np.ones(PATCH))


def interior(chance: np.ndarray) -> np.ndarray:
    """The pixels that a patch can hold at any of its places; a small picture has none."""
    rows, columns = chance.shape
    return chance[PATCH - 1 : rows - PATCH + 1, PATCH - 1 : columns - PATCH + 1]


def middle(chance: np.ndarray) -> np.ndarray:
    """The pixels that the most patches hold: the interior where there is one."""
    inner = [sorted((PATCH - 1, side - PATCH)) for side in chance.shape]
    (top, bottom), (left, right) = inner
    return chance[top : bottom + 1, left : right + 1]


def spread(parts: Sequence[np.ndarray]) -> float:
    """How many times the least likely pixel's chance the likeliest one has."""
    parts = [part for part in parts if part.size]
    if not parts:
        return float("nan")
    return max(part.max() for part in parts) / min(part.min() for part in parts)


def _compare_densities(epochs: int) -> Dict[str, float]:
    """Prints the chances of pixels; returns the spread of interior pixels of each form, x2."""
    rows = []
    for scale in SCALES:
        for form in _FORMS:
            chances = densities(form, scale, epochs)
            within = [spread([interior(chance)]) for chance in chances if interior(chance).size]
            rows.append(
                ("x%d" % scale, form, max(within, default=float("nan")))
                + (spread([interior(c) for c in chances]), spread([middle(c) for c in chances]))
            )
    _report.print_table(("scale", "patches", "in a picture", "in any two", "their middles"), rows)
    print()
    _print_pictures(epochs)
    return {form: max(row[3] for row in rows if row[1] == form) for form in _FORMS}


def _print_pictures(epochs: int) -> None:
    """The mean chance of a picture's pixels, pixels stored, its rows in fifths; the first scale."""
    scale, rows = SCALES[0], []
    kinds = {form: densities(form, scale, epochs) for form in _FORMS}
    number = 0
    for height, width, count in SIZES:
        for form in _FORMS:
            chances = kinds[form][number : number + count]
            unit = sum(map(np.sum, kinds[form])) / sum(chance.size for chance in kinds[form])
            profile = np.mean([chance.mean(axis=1) for chance in chances], axis=0)
            fifths = [part.mean() / profile.mean() for part in np.array_split(profile, 5)]
            stored = layout(form, (height, width), scale).stored / (height * width)
            mean = np.mean([chance.mean() for chance in chances]) / unit
            shown = " ".join("%.2f" % fifth for fifth in fifths)
            rows.append(("%dx%d" % (width, height), form, stored, mean, shown))
        number += count
    _report.print_table(
        ("picture", "patches", "stored a pixel", "chance of its pixels", "its rows in fifths"), rows
    )
    print()


def figures(folder: Optional[str]) -> np.ndarray:
    """A figure of 64 patches of each picture: [pictures, 64]."""
    random = np.random.RandomState(0)
    if folder is None:
        own = random.normal(size=(_RECORDS, 1)) * _OF_PICTURE**0.5
        return own + random.normal(size=(_RECORDS, 64)) * (1 - _OF_PICTURE) ** 0.5
    from bsrn_estimator.pictures.decoding import read_rgb
    from bsrn_estimator.pictures.files import walk

    found = []
    for path in walk(folder).paths:
        grey = read_rgb(os.path.join(folder, path)).mean(axis=2)
        if min(grey.shape) < 2 * PATCH:
            continue
        places = [[random.randint(side - 2 * PATCH + 1) for side in grey.shape] for _ in range(64)]
        found.append([grey[y : y + 2 * PATCH, x : x + 2 * PATCH].std() for y, x in places])
    if len(found) < 2:
        raise SystemExit("error: %s holds no two pictures for patches" % folder)
    return np.array(found)


def _batches(form: str, batch: int, records: int, number: int) -> np.ndarray:
    """The records of the first batches: int [number, batch]."""
    if form == "plain":
        return np.random.RandomState(1).randint(records, size=(number, batch))
    recipe = Recipe(batch_size=batch, patch_size=PATCH)
    former = sampling.FORMER_TILES_IN_PLAY
    in_play = former if form == "version 1" else sampling.tiles_in_play(recipe, max(SCALES))
    groups = -(-in_play // batch)
    stream = sampling.Stream(1, 2, records, batch, recipe.patches_per_tile, groups)
    blocks = -(-number // (groups * recipe.patches_per_tile))
    read = [stream.record(visit) for visit in range(blocks * groups * batch)]
    turns = np.reshape(read, (blocks, 1, groups, batch))
    turns = np.repeat(turns, recipe.patches_per_tile, axis=1)
    return turns.reshape(-1, batch)[:number]


def repeats(form: str, batch: int, values: np.ndarray, number: int) -> Tuple[float, float, float]:
    """What batches in a row have in common.

    Args:
      form: one of the three.
      batch: patches in one batch.
      values: a figure of some patches of each record; [records, patches].
      number: batches to look at.

    Returns:
      Pictures among eight batches, of 100 patches; and the variance of the mean of a figure over 8
      and over 100 batches, in that of as many independent patches.
    """
    read = _batches(form, batch, len(values), number)
    patches = np.random.RandomState(2).randint(values.shape[1], size=read.shape)
    drawn = values[read, patches]

    def windows(length: int) -> np.ndarray:
        return np.arange(number // length * length).reshape(-1, length)

    distinct = [len(np.unique(read[window])) for window in windows(8)]
    variances = [
        drawn[windows(length)].mean(axis=(1, 2)).var(ddof=1) * length * batch / values.var()
        for length in (8, 100)
    ]
    return 100 * float(np.mean(distinct)) / (8 * batch), variances[0], variances[1]


def _compare_repeats(folder: Optional[str], number: int) -> Dict[str, List[float]]:
    values = figures(folder)
    rows, found = [], {}
    for batch in BATCHES:
        for form in _FORMS:
            row = repeats(form, batch, values, number)
            rows.append((batch, form) + row)
            found["%s, batch %d" % (form, batch)] = [float("%.4g" % value) for value in row]
    _report.print_table(
        ("batch", "patches", "pictures in 8, %", "variance, 8", "variance, 100"), rows
    )
    return found


def main() -> None:
    """Parses the command line and computes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", help="folder of photographs whose contrast is looked at")
    parser.add_argument("--epochs", type=int, default=64, help="epochs that visits are counted in")
    parser.add_argument("--batches", type=int, default=20000, help="batches that are looked at")
    arguments = parser.parse_args()
    spreads = _compare_densities(arguments.epochs)
    found = _compare_repeats(arguments.pictures, arguments.batches)
    _report.print_result(
        "likeliest interior pixel",
        spreads["today"],
        "times the least likely",
        spreads["plain"],
        _report.peak_memory_mb(),
        version_1=float("%.4g" % spreads["version 1"]),
        repeats=found,
    )


if __name__ == "__main__":
    main()
