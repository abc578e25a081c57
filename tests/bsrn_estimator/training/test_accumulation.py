"""Gradient accumulation: a step in parts is the step of the whole batch."""

import json

import numpy as np
import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.training import accumulation
from tests.support import in_process, tiny

SHARED = [
    "--mode=train",
    "--device=cpu",
    "--threads=1",
    "--scales=2,3",
    "--conv_features=5",
    "--state_features=3",
    "--recursions=2",
    "--recursion_frequency=1",
    "--patch_size=7",
    "--learning_rate=1e-3",
    "--warmup_steps=3",
    "--summary_steps=1",
    # Less than the gradients are: clipped before they are averaged they would give another mean.
    "--clip_norm=0.5",
    "--ema_decay=0.9",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "records"
    sizes = [(61, 50), (37, 75), (48, 48)]
    return tiny.write_records(folder, "training", sizes, scales=(2, 3))


@pytest.fixture
def command(data):
    def run(folder, *more):
        given = ["--data_dir=" + data, "--model_dir=%s" % folder]
        return in_process.run(SHARED + given + list(more))

    yield run
    in_process.reset()


def contents(folder):
    """All variables of the newest checkpoint by name, and the losses of the run."""
    reader = tf.train.load_checkpoint(checkpoint_files.newest_whole(str(folder)))
    values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    lines = (folder / "log.jsonl").read_text().splitlines()
    losses = [
        {name: value for name, value in json.loads(line).items() if name.startswith("loss/")}
        for line in lines
    ]
    return values, losses


@pytest.mark.parametrize("schedule", ["random", "joint"])
def test_parts_make_the_run_of_the_larger_batch(command, tmp_path, schedule, capsys):
    more = ["--scale_schedule=" + schedule, "--train_steps=5"]
    assert command(tmp_path / "whole", "--batch_size=6", *more) == 0
    assert command(tmp_path / "parts", "--batch_size=2", "--accumulate=3", *more) == 0
    whole, losses = contents(tmp_path / "whole")
    parts, losses_of_parts = contents(tmp_path / "parts")
    assert whole.keys() == parts.keys() and whole["global_step"] == 5
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=2e-4, atol=2e-6, err_msg=name)
    assert [step.keys() for step in losses] == [step.keys() for step in losses_of_parts]
    for step, other in zip(losses, losses_of_parts):
        assert other == pytest.approx(step, rel=1e-5)
    # A batch of another size is another run.
    assert command(tmp_path / "small", "--batch_size=2", *more) == 0
    small, _ = contents(tmp_path / "small")
    assert any(np.abs(small[name] - whole[name]).max() > 1e-4 for name in whole)


def test_a_run_that_goes_on_is_the_run_that_was_not_stopped(command, tmp_path, capsys):
    more = ["--batch_size=2", "--accumulate=3", "--learning_rate_schedule=cosine"]
    more += ["--learning_rate_decay_steps=6"]
    assert command(tmp_path / "whole", "--train_steps=5", *more) == 0
    for steps in (2, 5):
        assert command(tmp_path / "halves", "--train_steps=%d" % steps, *more) == 0
    (whole, losses), (halves, of_halves) = (contents(tmp_path / n) for n in ("whole", "halves"))
    assert all(np.array_equal(whole[name], halves[name]) for name in whole)
    assert losses == of_halves
    # As another batch size: refused, or allowed.
    assert command(tmp_path / "halves", "--train_steps=6", "--batch_size=6") == 2
    error = capsys.readouterr().err
    assert "accumulate was 3, now 1" in error and "--allow_change" in error
    more[1] = "--accumulate=2"
    assert command(tmp_path / "halves", "--train_steps=6", "--allow_change", *more) == 0


def test_parts_wait_for_one_another_and_keep_the_scales_apart():
    """Of a joint batch of three scales and four patches each, in two parts."""
    lr = np.arange(12, dtype=np.float32).reshape(12, 1, 1, 1)
    labels = {"hr_x%d" % scale: scale * lr[:4] for scale in (2, 3, 4)}
    seen = []

    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.get_variable("weight", [], initializer=tf.ones_initializer())

        def loss_of(features, labels):
            seen.append((features["lr"], labels))
            products = weight * features["lr"]
            return tf.reduce_mean(products), {"part": tf.reduce_max(products)}

        loss, named, pairs = accumulation.loss_and_gradients(
            {"lr": tf.constant(lr)},
            {name: tf.constant(label) for name, label in labels.items()},
            2,
            loss_of,
            lambda loss: [(tf.gradients(loss, weight)[0], weight)],
        )
        session.run(tf.global_variables_initializer())
        parts = session.run([features for features, _ in seen])
        hr = session.run([labels["hr_x3"] for _, labels in seen])
        found = session.run([loss, named["part"], pairs[0][0]])
    assert [part.ravel().tolist() for part in parts] == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]
    assert [part.ravel().tolist() for part in hr] == [[0, 3], [6, 9]]
    assert found == [5.5, (9 + 11) / 2, 5.5] and pairs[0][1] is weight
    waits_for = {op.name for op in seen[1][0].op.control_inputs}
    assert any("gradients" in name for name in waits_for), waits_for
