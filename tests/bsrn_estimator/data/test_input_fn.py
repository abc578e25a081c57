"""The elements that training and evaluation see, value by value."""

import hashlib
import itertools
from typing import NamedTuple, Tuple

import numpy as np
import pytest

from bsrn_estimator import failures
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.data import degradations, input_fn, sampling
from bsrn_estimator.data.reader import CorruptRecords
from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures.imresize import enlarge
from tests.support import tiles, tiny

PATCH = 5
DEGRADED = ("blur", "noise", "jpeg")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiles.write_coordinates(tmp_path_factory.mktemp("tiles"), patch_size=6)


class Settings(NamedTuple):
    scales: Tuple[int, ...]
    recipe: Recipe


def config(
    scales=(2, 3, 4), schedule="random", batch_size=3, patch_size=PATCH, seed=1, degraded=()
):
    recipe = Recipe(
        scale_schedule=schedule,
        batch_size=batch_size,
        patch_size=patch_size,
        seed=seed,
        degradations=degraded,
    )
    return Settings(scales, recipe)


def taken(read, batches):
    """The first `batches` elements of an input function, as numpy arrays; fewer at its end."""
    elements = []
    with tf.Graph().as_default():
        iterator = tf.data.make_initializable_iterator(read())
        element = iterator.get_next()
        with tf.Session() as session:
            session.run(iterator.initializer)
            try:
                for _ in range(batches):
                    elements.append(session.run(element))
            except tf.errors.OutOfRangeError:
                pass
    return elements


def training(data_dir, batches, settings, **options):
    options = dict(dict(tiles_in_play=6), **options)
    recipe = settings.recipe.replace(patches_per_tile=options.pop("patches_per_tile", 4))
    return taken(input_fn.training_input_fn(data_dir, settings.scales, recipe, **options), batches)


def same(first, second):
    one, other = (tf.nest.flatten(elements) for elements in (first, second))
    return len(one) == len(other) and all(np.array_equal(*pair) for pair in zip(one, other))


def shapes(read):
    with tf.Graph().as_default():
        dataset = read()
        kinds = tf.data.get_output_types(dataset), tf.data.get_output_shapes(dataset)
        features, labels = (
            {name: (kind[name].name, shape[name].as_list()) for name in kind}
            for kind, shape in zip(*kinds)
        )
        return dict(features, **labels)


def keys_of_patches(lr):
    """Record, first row and first column of each LR patch, read from its pixels."""
    return [(int(p[0, 0, 2]), int(p[:, :, 0].min()), int(p[:, :, 1].min())) for p in lr]


def check_registered(lr, hr, scale):
    """Every HR patch shows what its LR patch shows, pixel for pixel, each a square of its tile."""
    np.testing.assert_array_equal(
        hr[..., :2] // scale, lr.repeat(scale, axis=1).repeat(scale, axis=2)[..., :2]
    )
    for patch in itertools.chain(lr, hr):
        number, size = patch[0, 0, 2], len(patch)
        height, width = np.array(tiles.SIZES[number]) // (1 if size > PATCH else scale)
        assert patch[..., 0].max() < height and patch[..., 1].max() < width
        places = {(y, x) for y, x, n in patch.reshape(-1, 3).tolist() if n == number}
        assert len(places) == size * size
        y, x = patch[..., 0].min(), patch[..., 1].min()
        assert max(places) == (y + size - 1, x + size - 1)


def test_patches_register_and_come_from_the_records_in_their_order(data_dir):
    settings = config(scales=(3,))
    stream = sampling.Stream(1, 3, len(tiles.SIZES), 3, 4, 2)
    elements = training(data_dir, 20, settings)
    for number, (features, labels) in enumerate(elements):
        check_registered(features["lr"], labels["hr"], 3)
        # A block is 2 groups of 3 visits: the groups take turns, four times, then come new visits.
        group = number // 8 * 2 + number % 2
        expected = [stream.record(visit) for visit in range(3 * group, 3 * group + 3)]
        assert [key[0] for key in keys_of_patches(features["lr"])] == expected
        assert [int(key) for key in features["key"]] == expected
        assert features["scale"] == 3


def test_patches_of_a_tile_differ(data_dir):
    elements = training(data_dir, 60, config(scales=(2,)), patches_per_tile=10)
    patches = {features["lr"][0].tobytes() for features, _ in elements}
    assert len(patches) > 50


def test_every_position_comes_up(data_dir):
    elements = training(data_dir, 300, config(scales=(4,)))
    places = {key for features, _ in elements for key in keys_of_patches(features["lr"])}
    expected = {
        (number, y, x)
        for number, (height, width) in enumerate(tiles.SIZES)
        for y in range(height // 4 - PATCH + 1)
        for x in range(width // 4 - PATCH + 1)
    }
    assert places <= expected
    assert len(places) > 0.85 * len(expected)
    # The first and the last row and column of the largest tile.
    rows, columns = zip(*(place[1:] for place in places if place[0] == 2))
    assert (min(rows), max(rows), min(columns), max(columns)) == (0, 10, 0, 4)


def test_random_schedule(data_dir):
    settings = config(scales=(2, 4), seed=5)
    elements = training(data_dir, 25, settings)
    for step, (features, labels) in enumerate(elements):
        scale = sampling.scale_of_step(5, step, (2, 4))
        assert features["scale"] == scale
        assert labels["hr"].shape == (3, scale * PATCH, scale * PATCH, 3)
        check_registered(features["lr"], labels["hr"], scale)
    assert {int(features["scale"]) for features, _ in elements} == {2, 4}


def test_joint_schedule(data_dir):
    for features, labels in training(data_dir, 8, config(schedule="joint")):
        assert sorted(labels) == ["hr_x2", "hr_x3", "hr_x4"]
        parts = np.split(features["lr"], 3)
        for lr, scale in zip(parts, (2, 3, 4)):
            check_registered(lr, labels["hr_x%d" % scale], scale)
        numbers = [key[0] for key in keys_of_patches(features["lr"])]
        assert [int(key) for key in features["key"]] == numbers


def test_a_scale_sees_the_same_in_either_schedule_and_beside_other_scales(data_dir):
    alone = training(data_dir, 12, config(scales=(3,)))
    joint = training(data_dir, 12, config(schedule="joint"))
    mixed = training(data_dir, 30, config())
    mixed = [labels["hr"] for features, labels in mixed if features["scale"] == 3]
    for number, (_, labels) in enumerate(alone):
        np.testing.assert_array_equal(labels["hr"], joint[number][1]["hr_x3"])
        if number < len(mixed):
            np.testing.assert_array_equal(labels["hr"], mixed[number])


def test_degradations_change_the_lr_patches_alone(data_dir):
    clean = training(data_dir, 8, config(scales=(2,)), rank=1, rank_size=3)
    settings = config(scales=(2,), degraded=DEGRADED)
    degraded = training(data_dir, 8, settings, rank=1, rank_size=3)
    for (features, labels), (degraded_features, degraded_labels) in zip(clean, degraded):
        assert same(labels, degraded_labels)
        assert same(features["key"], degraded_features["key"])
    # The first batch of a block: the first patches of the visits of this rank.
    for number in range(3):
        visit = number * 3 + 1
        lr = clean[0][0]["lr"][number : number + 1]
        with tf.Graph().as_default(), tf.Session() as session:
            key = 1, 16 * visit + 2
            expected = degradations.degrade(tf.constant(lr), key, settings.recipe)
            np.testing.assert_array_equal(
                session.run(expected), degraded[0][0]["lr"][number : number + 1]
            )
    changed = [
        not np.array_equal(*pair)
        for (one, _), (other, _) in zip(clean, degraded)
        for pair in zip(one["lr"], other["lr"])
    ]
    assert 12 < sum(changed) < 24  # a share stays clean


@pytest.mark.parametrize("schedule, degraded", [("random", ()), ("joint", ()), ("joint", DEGRADED)])
def test_the_number_of_threads_changes_nothing(data_dir, schedule, degraded):
    settings = config(schedule=schedule, degraded=degraded)
    one = training(data_dir, 20, settings, parallel_calls=1)
    many = training(data_dir, 20, settings, parallel_calls=8)
    assert same(one, many)


@pytest.mark.parametrize(
    "schedule, degraded", [("random", ()), ("joint", ()), ("random", DEGRADED)]
)
def test_resumed_training_goes_on_with_the_same_data(data_dir, schedule, degraded):
    settings = config(scales=(2, 3), schedule=schedule, degraded=degraded)
    options = dict(patches_per_tile=3, rank=1, rank_size=2)
    whole = training(data_dir, 19, settings, **options)
    # A block has 6 batches: within the first, at the end of one, past some.
    for step in (1, 6, 17):
        rest = training(data_dir, 19 - step, settings, start_step=step, **options)
        assert same(whole[step:], rest)


def test_a_late_start_is_as_quick_as_an_early_one(data_dir):
    step = 10**9 + 1
    late = training(data_dir, 2, config(scales=(2,)), start_step=step)
    assert same(late[1:], training(data_dir, 1, config(scales=(2,)), start_step=step + 1))


@pytest.mark.parametrize("degraded", [(), DEGRADED])
def test_ranks_share_out_what_one_process_would_see(data_dir, degraded):
    settings = config(scales=(2,), degraded=degraded)
    # 7 records, 2 groups of 3 visits a rank and block, 7 blocks: whole epochs for either number.
    one = training(data_dir, 2 * 4 * 14, settings)
    ranks = [training(data_dir, 2 * 4 * 7, settings, rank=rank, rank_size=2) for rank in (0, 1)]
    patches = [
        sorted(
            (lr.tobytes(), hr.tobytes())
            for features, labels in elements
            for lr, hr in zip(features["lr"], labels["hr"])
        )
        for elements in (one, ranks[0] + ranks[1])
    ]
    assert patches[0] == patches[1]
    assert not same(ranks[0], ranks[1])
    numbers = [int(key) for features, _ in ranks[0] + ranks[1] for key in features["key"]]
    assert np.bincount(numbers).tolist() == [4 * 12] * 7


def test_another_seed_gives_other_data(data_dir):
    first = training(data_dir, 2, config(scales=(2,)))
    assert not same(first, training(data_dir, 2, config(scales=(2,), seed=2)))


def test_both_encodings_give_the_same(data_dir, tmp_path):
    raw = tiles.write_coordinates(tmp_path / "raw", encoding="raw", shards=1)
    assert same(training(data_dir, 6, config()), training(raw, 6, config()))


def test_the_data_stays_what_it_is(data_dir):
    # On both runtimes, and in later versions: a resumed run relies on it.
    digest = hashlib.sha256()
    for features, labels in training(data_dir, 10, config(), start_step=100):
        digest.update(features["lr"].tobytes() + labels["hr"].tobytes())
    assert digest.hexdigest()[:16] == "00839a7ea0bc72c3"


def test_degraded_data_stays_what_it_is(data_dir):
    digest = hashlib.sha256()
    for features, labels in training(data_dir, 10, config(degraded=DEGRADED), start_step=100):
        digest.update(features["lr"].tobytes() + labels["hr"].tobytes())
    assert digest.hexdigest()[:16] == "dc5bcc65fc07a286"


def test_shapes_are_static(data_dir):
    def of(**options):
        return shapes(input_fn.training_input_fn(data_dir, *config(**options)))

    lr, hr = ("uint8", [3, 5, 5, 3]), ("uint8", [3, 10, 10, 3])
    scale, key = ("int32", []), ("string", [3])
    assert of(scales=(2,)) == {"lr": lr, "hr": hr, "scale": scale, "key": key}
    assert of(scales=(2,), degraded=DEGRADED) == of(scales=(2,))
    dynamic = ("uint8", [3, None, None, 3])
    assert of(scales=(2, 3)) == {"lr": lr, "hr": dynamic, "scale": scale, "key": key}
    assert of(scales=(2, 3), schedule="joint") == {
        "lr": ("uint8", [6, 5, 5, 3]),
        "hr_x2": hr,
        "hr_x3": ("uint8", [3, 15, 15, 3]),
        "key": ("string", [6]),
    }


@pytest.mark.parametrize(
    "options, with_keys",
    [({}, True), ({"scales": (2,)}, False), ({"schedule": "joint"}, False)],
)
def test_synthetic_input_has_the_structure_of_training(data_dir, options, with_keys):
    settings = config(**options)
    synthetic = input_fn.synthetic_input_fn(*settings, with_keys)
    real = input_fn.training_input_fn(data_dir, *settings, with_keys=with_keys)
    assert shapes(synthetic) == shapes(real)
    assert ("key" in shapes(real)) == with_keys


def test_synthetic_input_is_constant_and_follows_the_order_of_scales():
    elements = taken(input_fn.synthetic_input_fn(*config()), 12)
    scales = [int(features["scale"]) for features, _ in elements]
    assert scales == [sampling.scale_of_step(1, step, (2, 3, 4)) for step in range(12)]
    of_scale = {scale: e for scale, e in zip(scales, elements)}
    for (features, labels), scale in zip(elements, scales):
        assert labels["hr"].shape[1] == scale * PATCH
        assert same((features, labels), of_scale[scale])


@pytest.fixture(scope="module")
def evaluation_data(tmp_path_factory):
    random = np.random.RandomState(0)
    hrs = [random.randint(0, 256, size + (3,), "u1") for size in ((25, 31), (24, 18), (13, 40))]
    lrs = [
        {s: random.randint(0, 256, (hr.shape[0] // s, hr.shape[1] // s, 3), "u1") for s in (2, 3)}
        for hr in hrs
    ]
    folder = tmp_path_factory.mktemp("evaluation")
    return tiles.write(folder, hrs, lrs, kind="evaluation"), hrs, lrs


def test_evaluation_sees_every_picture_once_whole_and_in_order(evaluation_data):
    data_dir, hrs, lrs = evaluation_data
    elements = taken(input_fn.evaluation_input_fn(data_dir, (2, 3)), 10)
    assert len(elements) == 3
    for number, (features, labels) in enumerate(elements):
        assert features["key"].tolist() == [b"%04d" % number]
        # As of every record that does not say it.
        assert features["channels"].tolist() == [3]
        np.testing.assert_array_equal(labels["hr"], hrs[number][None])
        for scale in (2, 3):
            lr = lrs[number][scale]
            np.testing.assert_array_equal(features["lr_x%d" % scale], lr[None])
            bicubic = features["bicubic_x%d" % scale]
            np.testing.assert_array_equal(bicubic, enlarge(lr, scale)[None])


def test_evaluation_of_some_scales(evaluation_data):
    kinds = shapes(input_fn.evaluation_input_fn(evaluation_data[0], (3,)))
    picture = ("uint8", [None, None, None, 3])
    assert kinds == {
        "key": ("string", [None]),
        "channels": ("int64", [None]),
        "lr_x3": picture,
        "bicubic_x3": picture,
        "hr": picture,
    }


def error_of(run):
    with pytest.raises(tf.errors.OpError) as caught:
        run()
    return caught.value


def test_a_corrupt_record_ends_training_with_our_sentence(tmp_path):
    data_dir = tiles.write_coordinates(tmp_path)
    path, record = tiles.spoil(data_dir, 4)
    error = error_of(lambda: training(data_dir, 20, config()))
    sentence = failures.sentence_of(error)
    assert sentence.startswith("%s, record %d: its checksum is wrong; " % (path, record))
    assert sentence.endswith("--overwrite")


def test_corrupt_records_are_left_out_on_demand(tmp_path):
    data_dir = tiles.write_coordinates(tmp_path)
    path, _ = tiles.spoil(data_dir, 4)
    counted = CorruptRecords(max_share=0.2)
    options = dict(corrupt=counted)
    elements = training(data_dir, 30, config(scales=(2,)), **options)
    assert counted.by_file == {path: 1}
    numbers = [int(key) for features, _ in elements for key in features["key"]]
    assert set(numbers) == {0, 1, 2, 3, 5, 6}
    assert same(elements, training(data_dir, 30, config(scales=(2,)), parallel_calls=8, **options))
    options = dict(corrupt=CorruptRecords(max_share=0.1))
    error = error_of(lambda: training(data_dir, 30, config(scales=(2,)), **options))
    assert failures.sentence_of(error).startswith("1 of the 7 records of " + data_dir)


def test_corrupt_evaluation_data_ends_evaluation(tmp_path):
    hr = tiles.coordinates(12, 12, 0)
    data_dir = tiles.write(tmp_path, [hr], [{2: hr[::2, ::2]}], kind="evaluation", shards=1)
    path, _ = tiles.spoil(data_dir, 0)
    error = error_of(lambda: taken(input_fn.evaluation_input_fn(data_dir, (2,)), 1))
    assert failures.sentence_of(error).startswith("%s, record 0: " % path)


def test_a_tile_that_is_too_small_or_does_not_register_is_named(tmp_path):
    # A manifest that does not say for what patches the tiles were made.
    data_dir = tiles.write_coordinates(tmp_path / "small")
    error = error_of(lambda: training(data_dir, 20, config(scales=(4,), patch_size=7)))
    assert "has no LR tile of 7 pixels at scale 4" in failures.sentence_of(error)
    hr = tiles.coordinates(24, 24, 0)
    data_dir = tiles.write(tmp_path / "other", [hr], [{2: hr[::2, :22:2]}], shards=1)
    error = error_of(lambda: training(data_dir, 1, config(scales=(2,))))
    assert failures.sentence_of(error).startswith("the record 0000 has no LR tile of 5 pixels")


def test_a_record_that_does_not_decode_says_so(tmp_path):
    hr = tiles.coordinates(24, 24, 0)
    data_dir = tiles.write(tmp_path, [hr], [{2: hr[::2, ::2]}], encoding="raw", shards=1)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"raw"', '"png"'))
    error = error_of(lambda: training(data_dir, 1, config(scales=(2,))))
    assert failures.sentence_of(error).startswith("the record holds a picture of another size")


def test_other_errors_are_not_ours():
    with tf.Graph().as_default(), tf.Session() as session:
        error = error_of(lambda: session.run(tf.check_numerics(np.float32(np.nan), "loss")))
    assert failures.sentence_of(error) is None
    assert failures.sentence_of(ValueError("UserError of another kind")) is None


def test_data_that_cannot_serve_is_refused_before_any_work(data_dir, evaluation_data):
    with pytest.raises(UserError, match="scale 8"):
        input_fn.training_input_fn(data_dir, *config(scales=(2, 8)))
    with pytest.raises(UserError, match="--patch_size=48"):
        input_fn.training_input_fn(data_dir, *config(patch_size=48))
    with pytest.raises(UserError, match="evaluation data, not training data"):
        input_fn.training_input_fn(evaluation_data[0], *config(scales=(2,)))
    with pytest.raises(UserError, match="training data, not evaluation data"):
        input_fn.evaluation_input_fn(data_dir, (2,))
    with pytest.raises(UserError, match="no manifest.json"):
        input_fn.evaluation_input_fn(data_dir + "_", (2,))


def test_nothing_is_tuned_behind_the_code(data_dir, tmp_path):
    """The end of a session waits for what tunes, which sleeps longer the longer it runs."""
    pictures = tiny.write_records(tmp_path / "test", "evaluation", [(20, 24)], scales=(2,))
    recipe = config().recipe
    for read in (
        input_fn.training_input_fn(data_dir, (2, 3), recipe),
        input_fn.evaluation_input_fn(pictures, (2,)),
        input_fn.synthetic_input_fn((2, 3), recipe),
    ):
        with tf.Graph().as_default():
            options = read().options()
        tuning = options.autotune.enabled if TF2 else options.experimental_optimization.autotune
        assert tuning is False


@pytest.mark.parametrize("start", [0, 1, 4, 7])
def test_the_replicas_of_a_step_train_one_scale(data_dir, start):
    settings = config(scales=(2, 3, 4))
    whole = training(data_dir, 14, settings, batches_per_step=2)
    scales = [int(features["scale"]) for features, _ in whole]
    assert (
        scales[0::2]
        == scales[1::2]
        == [
            sampling.scale_of_step(settings.recipe.seed, step, settings.scales) for step in range(7)
        ]
    )
    assert len(set(scales)) == 3
    later = training(data_dir, 14 - start, settings, batches_per_step=2, start_step=start)
    for (features, labels), (expected, truth) in zip(later, whole[start:]):
        np.testing.assert_array_equal(features["lr"], expected["lr"])
        np.testing.assert_array_equal(labels["hr"], truth["hr"])
    # Each scale's batches are those of its own stream, in order.
    alone = {
        scale: training(data_dir, scales.count(scale), config(scales=(scale,))) for scale in (2, 3)
    }
    for scale, batches in alone.items():
        own = [features for features, _ in whole if features["scale"] == scale]
        for features, (expected, _) in zip(own, batches):
            np.testing.assert_array_equal(features["lr"], expected["lr"])
