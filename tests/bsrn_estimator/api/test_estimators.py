"""Ten lines from records to a trained network: the project's Estimator, and one of the user's."""

import numpy as np
import pytest

import bsrn_estimator as bsrn
from bsrn_estimator.compat import tf

NETWORK = bsrn.Bsrn(
    scales=(2, 3), conv_features=5, state_features=3, recursions=2, recursion_frequency=2
)
RECIPE = bsrn.Recipe(batch_size=2, patch_size=7)


def test_the_estimator_of_the_project_gives_a_folder_like_any_run(sets, tmp_path):
    run = bsrn.RunOptions(model_dir=str(tmp_path / "run"))
    estimator = bsrn.build_estimator(NETWORK, RECIPE, run)
    assert isinstance(estimator, tf.estimator.Estimator)
    read = bsrn.training_input_fn(sets[0].folder, NETWORK.scales, RECIPE)
    estimator.train(read, max_steps=3)
    figures = estimator.evaluate(bsrn.evaluation_input_fn(sets[1].folder, NETWORK.scales))
    assert figures["global_step"] == 3
    protocol = bsrn.EvaluationOptions(eval_data_dir=sets[1].folder)
    found = bsrn.evaluate(run.model_dir, protocol).figures["held"]
    assert found["scales"]["3"]["psnr_y"] == pytest.approx(figures["psnr_y/x3"], abs=1e-4)
    # The run that `train` makes goes on from it.
    training = bsrn.TrainingOptions(data_dir=sets[0].folder, train_steps=5)
    assert bsrn.train(NETWORK, RECIPE, training, run).step == 5
    with pytest.raises(bsrn.UserError, match="recursions was 2, now 4"):
        bsrn.build_estimator(NETWORK.replace(recursions=4), RECIPE, run)


def test_an_estimator_of_the_users_takes_the_same_blocks(sets, tmp_path):
    estimator = tf.estimator.Estimator(
        bsrn.build_model_fn(NETWORK, RECIPE, bsrn.EvaluationOptions(shave=5)),
        str(tmp_path / "mine"),
    )
    estimator.train(bsrn.training_input_fn(sets[0].folder, NETWORK.scales, RECIPE), steps=2)
    figures = estimator.evaluate(bsrn.evaluation_input_fn(sets[1].folder, NETWORK.scales))
    found = bsrn.evaluate(
        str(tmp_path / "mine"),
        bsrn.EvaluationOptions(eval_data_dir=sets[1].folder, shave=5),
        given={"recursions": 2, "recursion_frequency": 2},
    )
    expected = found.figures["held"]["scales"]["2"]["psnr_y"]
    assert figures["psnr_y/x2"] == pytest.approx(expected, abs=1e-4)
    lr = np.zeros([1, 9, 11, 3], np.uint8)
    dataset = lambda: tf.data.Dataset.from_tensors({"lr": lr})  # noqa: E731
    (found,) = estimator.predict(dataset, yield_single_examples=False)
    assert found["hr_x3"].shape == (1, 27, 33, 3)


@pytest.mark.parametrize("run", [None, bsrn.RunOptions()])
def test_an_estimator_needs_a_folder(run):
    with pytest.raises(bsrn.UserError, match="an Estimator needs a folder"):
        bsrn.build_estimator(NETWORK, RECIPE, run)


def test_a_network_that_compares_features_is_for_train(tmp_path):
    run = bsrn.RunOptions(model_dir=str(tmp_path / "run"))
    for build in (bsrn.build_model_fn, lambda network: bsrn.build_estimator(network, run=run)):
        with pytest.raises(bsrn.UserError, match="features of VGG19"):
            build(bsrn.SrdrmGan())
    assert not (tmp_path / "run").exists()
    # Each family has the recipe of its authors where none is given.
    estimator = bsrn.build_estimator(bsrn.SrdrmGan(content_loss="none"), run=run)
    assert isinstance(estimator, tf.estimator.Estimator)
    assert '"adam_beta1": 0.5' in (tmp_path / "run" / "config.json").read_text()
