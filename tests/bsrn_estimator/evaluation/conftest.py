"""What tests of several files of this room evaluate."""

import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import report
from bsrn_estimator.networks import bsrn_layers
from tests.bsrn_estimator.evaluation import support
from tests.support import tiny


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A network of random weights, saved at step 70."""
    path = str(tmp_path_factory.mktemp("checkpoint") / "model.ckpt")
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(3)
        step = tf.train.get_or_create_global_step()
        for scale in support.CONFIG.scales:
            bsrn_layers.outputs(tf.zeros([1, 4, 4, 3]), scale, support.CONFIG)
        session.run(tf.global_variables_initializer())
        session.run(step.assign(support.STEP))
        return tf.train.Saver().save(session, path, global_step=support.STEP)


@pytest.fixture(scope="session")
def whole(checkpoint, tmp_path_factory):
    """One evaluation with everything on: (folder, examples, what evaluate returned, JSON)."""
    folder = tmp_path_factory.mktemp("whole")
    options = support.Asked(
        folder,
        single_outputs=True,
        save_pictures=True,
        uiqm=True,
        summary_pictures=2,
        pictures=5,
    )
    examples = [
        support.example(name, height, width, seed)
        for seed, (name, (height, width)) in enumerate(zip(support.NAMES, support.SIZES))
    ]
    # A picture that equals its bicubic at x2: a PSNR that is not finite.
    examples[3][0]["bicubic_x2"] = examples[3][1]["hr"][:30, :36]
    returned = support.evaluate(checkpoint, examples, options, folder)
    (content,) = options.taken
    path = report.save(dict(content, data_set="blocks"), str(folder / support.FOLDER))
    return folder, examples, returned, report.load(path)


@pytest.fixture(scope="session")
def sets(tmp_path_factory):
    """Folders of records: a, b and another one called a, all "tiny" in their manifests."""
    root = tmp_path_factory.mktemp("sets")
    made = {}
    for name, sizes in (("a", [(24, 30)]), ("b", [(36, 25), (19, 31)]), ("other/a", [(30, 31)])):
        (root / name).parent.mkdir(exist_ok=True)
        made[name] = tiny.write_records(root / name, "evaluation", sizes, scales=(2, 3))
    return made


@pytest.fixture
def run(tmp_path):
    """A model folder with a checkpoint of step 10: (folder, path prefix)."""
    return tmp_path / "run", support.write_checkpoint(tmp_path / "run", 10, seed=1)
