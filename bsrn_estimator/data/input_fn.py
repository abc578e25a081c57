"""What training and evaluation read: records to batches, with tf.data.

The elements of training are a pure function of (seed, position), whatever the number of threads:
`sampling` says which record a position reads, `augmentation` which patches are cut from it, and
`degradations` what is done to their LR.
"""

import functools
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import numpy as np

from bsrn_estimator import cores
from bsrn_estimator.compat import (
    choose_from_datasets,
    python_function,
    tf,
    without_autotuning,
)
from bsrn_estimator.config import FLIPS, SORTED, WHOLE, Recipe
from bsrn_estimator.data import augmentation, degradations, parsing, sampling, whole
from bsrn_estimator.data.reader import CorruptRecords, RecordReader
from bsrn_estimator.data.shares import PatchPlaces, Shares, patch_places
from bsrn_estimator.pictures.imresize import enlarge

_FOREVER = np.iinfo(np.int64).max
# The mapped functions have no Python control flow on tensors. AutoGraph would find that out slowly,
# and under TensorFlow 1.15 rewrite what py_func runs as well, which then takes four times as long.
_as_it_stands = tf.autograph.experimental.do_not_convert


def training_input_fn(
    data_dir: str,
    scales: Sequence[int],
    recipe: Recipe,
    start_step: int = 0,
    batches_per_step: int = 1,
    rank: int = 0,
    rank_size: int = 1,
    tiles_in_play: Optional[int] = None,
    with_keys: bool = True,
    parallel_calls: Optional[int] = None,
    corrupt: Optional[CorruptRecords] = None,
) -> Callable[[], tf.data.Dataset]:
    """The input function of training; the data set is checked here, before any work starts.

    The elements depend on the data, `scales`, `recipe`, `rank`, `rank_size` and `tiles_in_play`.
    One that starts at step n goes on as one that started at 0 would have.

    Args:
      data_dir: folder of training records.
      scales: the scales that are trained, ascending.
      recipe: schedule, order, crops and orientations, batch (`step_batch`) and patch size,
        patches for each reading of a tile, degradations, seed.
      start_step: number of the first batch; with several replicas fed from one input function,
        the batches that all of them have taken.
      batches_per_step: successive batches of one step, one for each replica; in the random
        schedule they are of one scale.
      rank: this process, from 0; ranks share out the records.
      rank_size: number of processes.
      tiles_in_play: tiles that take turns in giving patches, rounded up to whole batches; by
        default as `sampling.tiles_in_play` says. What is held in memory grows with it.
      with_keys: leave "key" among the features.
      parallel_calls: tiles decoded at a time at one scale; by default as many as there are cores.
      corrupt: leaves corrupt records out and counts them here; by default they are errors.

    Returns:
      A function of no arguments that returns an endless tf.data.Dataset of (features, labels).
      Pictures are uint8, RGB. In the random schedule features are "lr" [batch, patch, patch, 3],
      "scale" int32 scalar, "key" string [batch]; labels are "hr" [batch, scale * patch,
      scale * patch, 3]. In the joint schedule features are "lr" [scales * batch, patch, patch, 3],
      smallest scale first, "key" string [scales * batch]; labels are "hr_x2" [batch, 2 * patch,
      2 * patch, 3], and likewise for every scale. All shapes are static, but for height and width
      of "hr" in the random schedule of several scales. With `crops` "whole" pictures take the
      place of patches, and their height and width that of both sides.

    Raises:
      UserError: the data set is not whole or does not fit the recipe.
    """
    is_whole = recipe.crops == WHOLE
    patch_size = None if is_whole else recipe.patch_size
    reader = RecordReader(data_dir, scales, "training", patch_size, corrupt)
    size = whole.size_of(reader.manifest, data_dir, scales, recipe) if is_whole else None
    tiles = tiles_in_play or sampling.tiles_in_play(recipe, max(scales))
    places = {
        scale: None if is_whole else patch_places(reader.manifest, scale, recipe.patch_size)
        for scale in scales
    }
    streams = {
        scale: sampling.Stream(
            recipe.seed,
            scale,
            reader.manifest.records,
            recipe.step_batch,
            1 if is_whole else recipe.patches_per_tile,
            -(-tiles // recipe.step_batch),
            rank,
            rank_size,
            _shares(places[scale]),
            recipe.order == SORTED,
        )
        for scale in scales
    }

    def batches(scale: int, first: int) -> tf.data.Dataset:
        stream = streams[scale]
        dataset = _batches(reader, stream, places[scale], first, recipe, parallel_calls, size)
        return dataset if with_keys else dataset.map(_without_key)

    def input_fn() -> tf.data.Dataset:
        if recipe.scale_schedule == "joint":
            dataset = _joint(batches, scales, recipe.seed, start_step)
        else:
            dataset = _random(batches, scales, recipe.seed, start_step, batches_per_step)
        # Last, so that the next step's batch is ready while the device is at work on this one.
        return without_autotuning(dataset.prefetch(2))

    return input_fn


def evaluation_input_fn(data_dir: str, scales: Sequence[int]) -> Callable[[], tf.data.Dataset]:
    """The input function of evaluation: every picture once, whole, in the order of the records.

    Args:
      data_dir: folder of evaluation records, checked here.
      scales: the scales wanted.

    Returns:
      A function of no arguments that returns a tf.data.Dataset of (features, labels), one picture
      each, uint8, RGB: "key" string [1]; "channels" int64 [1], 1 where the HR file has one channel,
      else 3; and for every scale s "lr_xs" [1, height, width, 3] and "bicubic_xs" [1, s * height,
      s * width, 3], the LR picture enlarged as MATLAB does; labels are "hr" [1, height, width, 3],
      as the picture was given.

    Raises:
      UserError: the data set is not whole or lacks a scale.
    """
    reader = RecordReader(data_dir, scales, "evaluation")

    @_as_it_stands
    def picture(number: tf.Tensor) -> Tuple[Dict, Dict]:
        parsed = parsing.parse(parsing.read(reader, number)[1], scales)
        decode = parsing.decoder(reader, parsed)
        features = {name: parsed[name] for name in ("key", "channels")}
        for scale in scales:
            lr = decode("lr_x%d" % scale)
            features["lr_x%d" % scale] = lr
            features["bicubic_x%d" % scale] = _bicubic(lr, scale)
        return features, {"hr": decode("hr")}

    def input_fn() -> tf.data.Dataset:
        dataset = tf.data.Dataset.range(reader.manifest.records)
        # Two at a time: a picture of 3 megapixels takes 50 MB with its enlargements.
        dataset = dataset.map(picture, num_parallel_calls=2)
        # Pictures differ in size.
        dataset = dataset.batch(1)
        return without_autotuning(dataset.prefetch(1))

    return input_fn


def synthetic_input_fn(
    scales: Sequence[int], recipe: Recipe, with_keys: bool = True
) -> Callable[[], tf.data.Dataset]:
    """Constant data of the structure, the shapes and the order of scales of `training_input_fn`.

    It reads and decodes nothing: what training on it costs is what the steps cost.
    """

    def batches(scale: int, _first: int) -> tf.data.Dataset:
        noise = np.random.RandomState(scale)
        lr = [recipe.step_batch, recipe.patch_size, recipe.patch_size, 3]
        hr = [lr[0], scale * lr[1], scale * lr[2], 3]
        batch = {
            "lr": noise.randint(0, 256, lr, np.uint8),
            "hr": noise.randint(0, 256, hr, np.uint8),
            "key": [b"synthetic"] * recipe.step_batch,
        }
        dataset = tf.data.Dataset.from_tensors(batch).repeat()
        return dataset if with_keys else dataset.map(_without_key)

    def input_fn() -> tf.data.Dataset:
        schedule: Any = _joint if recipe.scale_schedule == "joint" else _random
        return without_autotuning(schedule(batches, scales, recipe.seed, 0).prefetch(2))

    return input_fn


def _random(
    batches: Callable,
    scales: Sequence[int],
    seed: int,
    start: int,
    batches_per_step: int = 1,
) -> tf.data.Dataset:
    """Every step the next batches of one scale, from batch number `start` on."""
    firsts = {scales[0]: start}
    if len(scales) > 1:
        step, of_step = divmod(start, batches_per_step)
        before = sampling.batches_before(seed, step, scales)
        firsts = {scale: batches_per_step * count for scale, count in before.items()}
        firsts[sampling.scale_of_step(seed, step, scales)] += of_step

    def labelled(scale: int) -> tf.data.Dataset:
        @_as_it_stands
        def label(batch):
            features = {name: batch[name] for name in batch if name != "hr"}
            return dict(features, scale=tf.constant(scale, tf.int32)), {"hr": batch["hr"]}

        return batches(scale, firsts[scale]).map(label)

    if len(scales) == 1:
        return labelled(scales[0])

    def choose(batch: np.ndarray) -> np.ndarray:
        scale = sampling.scale_of_step(seed, batch // batches_per_step, scales)
        return np.int64(list(scales).index(scale))

    @_as_it_stands
    def choice(batch: tf.Tensor) -> tf.Tensor:
        index = python_function(choose, [batch], tf.int64, stateful=False)
        index.set_shape([])
        return index

    # Batches, not patches, are chosen: within a scale all shapes are static.
    return choose_from_datasets(
        [labelled(scale) for scale in scales],
        tf.data.Dataset.range(start, _FOREVER).map(choice),
    )


def _joint(batches: Callable, scales: Sequence[int], seed: int, start_step: int) -> tf.data.Dataset:
    """Every step the next batch of every scale, their LR patches in one tensor."""

    @_as_it_stands
    def join(*parts):
        features = {
            name: tf.concat([part[name] for part in parts], axis=0)
            for name in parts[0]
            if name != "hr"
        }
        labels = {"hr_x%d" % scale: part["hr"] for scale, part in zip(scales, parts)}
        return features, labels

    streams = tuple(batches(scale, start_step) for scale in scales)
    return tf.data.Dataset.zip(streams).map(join)


def _batches(
    reader: RecordReader,
    stream: sampling.Stream,
    places: Optional[PatchPlaces],
    first: int,
    recipe: Recipe,
    parallel_calls: Optional[int],
    size: Optional[Tuple[int, int]] = None,
) -> tf.data.Dataset:
    """The batches of one stream from number `first` on: "lr", "hr" and "key".

    `size` is that of the HR pictures where whole ones are taken.
    """

    @_as_it_stands
    def visit(number: tf.Tensor) -> Tuple[Dict[str, tf.Tensor], ...]:
        if size:
            return whole.element(reader, stream, number, recipe, size)
        return _visit(reader, stream, places, number, recipe)

    number, surplus = stream.start(first)
    # This rank's visits, by number, without end.
    dataset = tf.data.Dataset.range(number, _FOREVER)
    # The work: read, decode, cut. In order, whatever thread is done first.
    dataset = dataset.map(visit, num_parallel_calls=parallel_calls or cores.usable())
    # A visit is a list of patches, so this makes a list of batches, each of as many tiles as
    # patches: the one copy of the pixels. The data has no end, so nothing is dropped; it makes the
    # shapes static.
    dataset = dataset.batch(stream.batch_size, drop_remainder=True)
    # A block's tiles are all asked for in its first round: they are read during the block before.
    dataset = dataset.prefetch(stream.groups_in_play)
    # One batch of each list of the block in turn; the lists are of one length and end together.
    dataset = dataset.interleave(_listed, cycle_length=stream.groups_in_play, block_length=1)
    # Back to where a run that continues stood within its block.
    return dataset.skip(surplus)


@_as_it_stands
def _listed(*batches: Dict[str, tf.Tensor]) -> tf.data.Dataset:
    """The elements of a list one after the other, which copies no pixel."""
    datasets = [tf.data.Dataset.from_tensors(batch) for batch in batches]
    return functools.reduce(lambda head, tail: head.concatenate(tail), datasets)


def _shares(places: Optional[PatchPlaces]) -> Optional[Shares]:
    return places and Shares(places.weights)


def _visit(
    reader: RecordReader,
    stream: sampling.Stream,
    places: Optional[PatchPlaces],
    number: tf.Tensor,
    recipe: Recipe,
) -> Tuple[Dict[str, tf.Tensor], ...]:
    """The patches of one visit: "lr" and "hr" of each, and "key".

    They lie in the part of the tile that `places` says, anywhere where it is None.
    """
    scale, patches, patch_size = stream.scale, stream.patches_per_tile, recipe.patch_size
    visit = stream.visit(number)
    record, serialized = parsing.read(reader, visit, stream.record)
    parsed = parsing.parse(serialized, [scale])
    decode = parsing.decoder(reader, parsed)
    lr, hr = decode("lr_x%d" % scale), decode("hr")
    lr_shape = tf.shape(lr)
    fits = tf.reduce_all(lr_shape[:2] >= patch_size) & tf.reduce_all(
        tf.equal(lr_shape[:2] * scale, tf.shape(hr)[:2])
    )
    problem = tf.strings.join(
        [
            "the record ",
            parsing.printable_tensor(parsed["key"]),
            " has no LR tile of %d pixels at scale %d, or not the HR tile that belongs to it; "
            "convert the data again" % (patch_size, scale),
        ]
    )
    with tf.control_dependencies([tf.Assert(fits, [problem])]):
        height, width = tf.unstack(_patch_area(record, places, lr_shape[:2]))
    key = stream.key(visit)
    share = recipe.flip_share if recipe.orientations == FLIPS else None
    y, x, orientation = augmentation.draw_patches(key, patches, height, width, patch_size, share)
    lr = augmentation.cut(lr, y, x, patch_size, orientation)
    lr = degradations.degrade(lr, key, recipe)
    hr = augmentation.cut(hr, scale * y, scale * x, scale * patch_size, orientation)
    pairs = zip(tf.unstack(lr), tf.unstack(hr))
    return tuple({"lr": lr, "hr": hr, "key": parsed["key"]} for lr, hr in pairs)


def _patch_area(record: tf.Tensor, places: Optional[PatchPlaces], shape: tf.Tensor) -> tf.Tensor:
    """Height and width of the part of an LR tile of `shape` where its patches lie: int32 [2]."""
    if places is None:
        return shape
    areas = places.areas
    # By a function of Python: a table in the graph would grow with the data.
    area = python_function(lambda record: areas[record], [record], tf.int64, stateful=False)
    area.set_shape([2])
    return tf.minimum(tf.cast(area, tf.int32), shape)


def _bicubic(lr: tf.Tensor, scale: int) -> tf.Tensor:
    """`lr` enlarged as MATLAB does, uint8 [scale * height, scale * width, 3]."""
    enlarged = python_function(lambda lr: enlarge(lr, scale), [lr], tf.uint8, stateful=False)
    enlarged.set_shape([None, None, 3])
    return enlarged


@_as_it_stands
def _without_key(batch: Dict[str, tf.Tensor]) -> Dict[str, tf.Tensor]:
    return {name: batch[name] for name in batch if name != "key"}
