"""An evaluation of small pictures made on the spot, by a network of random weights."""

import dataclasses
import glob

import numpy as np

from bsrn_estimator.compat import from_generator, tf
from bsrn_estimator.evaluation import model_fn
from bsrn_estimator.evaluation.options import Destination, EvaluationOptions
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.pictures import decoding, imresize

CONFIG = Bsrn(scales=(2, 3), conv_features=3, state_features=2, recursions=4, recursion_frequency=2)
SMALL = Bsrn(scales=(2, 3), conv_features=3, state_features=2, recursions=1, recursion_frequency=1)
STEP = 70
FOLDER = "evaluation/step-%d/blocks" % STEP


def photo_like(height, width, seed=0, channels=3):
    """Smooth random uint8 pictures, so that SSIM is not near 0, with a flat part."""
    state = np.random.RandomState(seed)
    coarse = state.rand(height // 4 + 2, width // 4 + 2, channels)
    fine = coarse.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
    picture = np.clip(300 * fine - 20, 0, 255)
    picture[: height // 3] = 251
    return picture.astype(np.uint8)


def noisy(picture, amount, seed=1):
    """A uint8 picture with up to `amount` grey levels more or less."""
    noise = np.random.RandomState(seed).randint(-amount, amount + 1, picture.shape)
    return np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)


def example(name, height, width, seed, scales=CONFIG.scales):
    """(features, labels) of one picture without the batch axis; blocks, so SSIM is not near 0."""
    coarse = np.random.RandomState(seed).randint(0, 256, [height // 5 + 1, width // 5 + 1, 3])
    hr = coarse.repeat(5, axis=0).repeat(5, axis=1)[:height, :width].astype(np.uint8)
    features = {"key": name.encode("utf-8")}
    for scale in scales:
        lr = imresize.shrink(hr, scale)
        features["lr_x%d" % scale] = lr
        features["bicubic_x%d" % scale] = imresize.enlarge(lr, scale)
    return features, {"hr": hr}


def input_of(examples):
    """An input function of whole pictures, in the form of `input_fn.evaluation_input_fn`."""
    key, picture = tf.TensorSpec([], tf.string), tf.TensorSpec([None, None, 3], tf.uint8)
    signature = tuple(
        {name: key if name == "key" else picture for name in part} for part in examples[0]
    )
    return lambda: from_generator(lambda: examples, signature).batch(1)


class Asked:
    """An evaluation that is asked for: its options, where its results go, and what it gave."""

    def __init__(self, folder, **values):
        named = {name: values.pop(name) for name in list(values) if name in _DESTINATION}
        self.options = EvaluationOptions(**values)
        self.taken = []
        self.destination = Destination(
            folder=str(folder / FOLDER),
            summary_dir=str(folder / "eval"),
            take=self.taken.append,
            **named,
        )


_DESTINATION = [field.name for field in dataclasses.fields(Destination)]


def evaluate(checkpoint, examples, asked, folder, hooks=()):
    def build(features, labels, mode):
        return model_fn.spec(
            features,
            labels,
            CONFIG,
            options=asked.options,
            destination=asked.destination,
        )

    estimator = tf.estimator.Estimator(build, model_dir=str(folder))
    return estimator.evaluate(input_of(examples), checkpoint_path=checkpoint, hooks=list(hooks))


NAMES = ["plain", "../up/and away", "s p\u00e4ce", "UP", "up"]
SIZES = [(41, 60), (36, 42), (12, 13), (30, 37), (19, 18)]
# Names that some file system takes for one, stay two.
FILES = dict(zip(NAMES, ["plain", "___up_and away", "s p\u00e4ce", "UP", "up_"]))


def saved(folder, output, scale, name):
    path = folder / FOLDER / "pictures" / output / ("x%d" % scale)
    return decoding.read_rgb(path / (FILES[name] + ".png"))


def events_of(folder):
    """{tag: [(step, value)]} of all event files in a folder."""
    events = {}
    for path in glob.glob(str(folder / "*tfevents*")):
        for event in tf.train.summary_iterator(path):
            for value in event.summary.value:
                events.setdefault(value.tag, []).append((event.step, value))
    return events


def write_checkpoint(folder, step, seed):
    """A checkpoint of random weights in a model folder; returns its path prefix."""
    folder.mkdir(exist_ok=True)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(seed)
        made = tf.train.get_or_create_global_step()
        for scale in SMALL.scales:
            SMALL.results(tf.zeros([1, 4, 4, 3]), scale, False)
        session.run([tf.global_variables_initializer(), made.initializer])
        session.run(made.assign(step))
        return tf.train.Saver().save(session, str(folder / "model.ckpt"), global_step=step)
