"""What a run reads, told by the keys of its batches: the flags, the order, where it goes on."""

import json

import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.data import sampling
from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training import data_identity, reading
from bsrn_estimator.training.options import TrainingOptions
from tests.support import in_process, tiny

PICTURES = 101


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "records"
    return tiny.write_records(folder, "training", [(25, 27)] * PICTURES, scales=(2,))


def keys(read, batches):
    """The keys of the first batches of an input function, a list for each."""
    with tf.Graph().as_default(), tf.Session() as session:
        iterator = tf.data.make_initializable_iterator(read())
        features, _ = iterator.get_next()
        session.run(iterator.initializer)
        return [session.run(features["key"]).tolist() for _ in range(batches)]


def expected(stream, batches):
    """The keys of the first batches: groups of visits take turns, then new ones come."""
    found, block = [], 0
    while len(found) < batches:
        visits = range(block * stream.groups_in_play, (block + 1) * stream.groups_in_play)
        groups = [
            [
                b"picture%d" % stream.record(group * stream.batch_size + place)
                for place in range(stream.batch_size)
            ]
            for group in visits
        ]
        found += groups * stream.patches_per_tile
        block += 1
    return found[:batches]


@pytest.fixture
def reads(data, monkeypatch):
    """Runs a training command in this process; returns the keys of the batches that it reads."""
    made = []
    real = reading.input_fn.training_input_fn

    def spy(*arguments, **given):
        made.append(real(*arguments, **given))
        return made[-1]

    monkeypatch.setattr(reading.input_fn, "training_input_fn", spy)

    def run(folder, batches, *more):
        given = ["--mode=train", "--device=cpu", "--scales=2", "--data_dir=" + data]
        given += ["--model_dir=%s" % folder] + tiny.NETWORK_FLAGS + list(more)
        assert in_process.run(given) == 0
        return keys(made[-1], batches)

    yield run
    in_process.reset()


@pytest.mark.parametrize("batch_size, patches, groups", [(3, 2, 11), (11, 3, 8), (2, 8, 16)])
def test_the_flags_decide_how_tiles_take_turns(reads, tmp_path, batch_size, patches, groups):
    flags = ["--batch_size=%d" % batch_size, "--patches_per_tile=%d" % patches]
    found = reads(tmp_path / "run", groups * patches + 3, "--train_steps=1", *flags)
    stream = sampling.Stream(1, 2, PICTURES, batch_size, patches, groups)
    assert found == expected(stream, len(found))
    # A tile comes again when all groups have had their turn, not before.
    assert len({key for batch in found[:groups] for key in batch}) == groups * batch_size


def test_a_run_keeps_the_order_in_which_it_was_begun(reads, tmp_path):
    run = tmp_path / "run"
    flags = ["--batch_size=7", "--patches_per_tile=2"]
    newest = reads(run, 20, "--train_steps=1", *flags)
    values = json.loads((run / "data.json").read_text())
    assert values.pop("order") == sampling.NEWEST_ORDER == 2
    # As the program before wrote it: 32 tiles, 5 groups of 7, took turns.
    (run / "data.json").write_text(json.dumps(values))
    for steps in (2, 3):
        former = reads(run, 18, "--train_steps=%d" % steps, *flags)
        stream = sampling.Stream(1, 2, PICTURES, 7, 2, 5)
        assert former == expected(stream, 20)[steps - 1 : steps + 17]
        assert json.loads((run / "data.json").read_text())["order"] == 1
    assert newest == expected(sampling.Stream(1, 2, PICTURES, 7, 2, 8), 20)


@pytest.mark.parametrize("order", [0, 3, "2", [2], None])
def test_an_order_of_another_program_is_refused(tmp_path, order):
    data_identity.save(str(tmp_path), {"order": order})
    with pytest.raises(UserError, match="data.json asks for the data in order"):
        data_identity.order_of(str(tmp_path))


class TwoBatches(Platform):
    """Takes two batches in every step, as two replicas do."""

    batches_per_step = 2


@pytest.mark.parametrize("platform", [Platform(), TwoBatches()])
def test_goes_on_where_the_steps_before_it_ended(data, tmp_path, platform):
    config = tiny.config(scales=[2], batch_size=3, patch_size=7)
    read = reading.Reading.of(
        config, platform, str(tmp_path), TrainingOptions(data_dir=data, train_steps=9)
    )
    whole = keys(read.after(0, 0), 20)
    taken = 5 * platform.batches_per_step
    assert keys(read.after(5, 0), 10) == whole[taken : taken + 10]
    assert keys(read.after(5, 3), 7) == whole[taken + 3 : taken + 10]
    assert read.identity()["batches_per_step"] == platform.batches_per_step
