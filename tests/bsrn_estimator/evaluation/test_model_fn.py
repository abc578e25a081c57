"""The block EVAL: a mean for each figure."""

import numpy as np

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import model_fn
from bsrn_estimator.evaluation.options import EvaluationOptions
from tests.support import tiny


def test_evaluation_has_a_mean_for_each_scale_and_metric():
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        lr = {scale: np.zeros([1, 30 // scale, 36 // scale, 3], np.uint8) for scale in (2, 3)}
        features = {"key": tf.constant(["one"])}
        for scale in (2, 3):
            features["lr_x%d" % scale] = tf.constant(lr[scale])
            features["bicubic_x%d" % scale] = tf.zeros([1, 30, 36, 3], tf.uint8)
        labels = {"hr": tf.zeros([1, 30, 36, 3], tf.uint8)}
        options = EvaluationOptions(single_outputs=True)
        spec = model_fn.spec(features, labels, tiny.NETWORK, options=options)
        assert {"psnr_y/x2", "ssim_y/x3", "recursion_02_psnr_y/x3", "psnr_y/mean"} <= set(
            spec.eval_metric_ops
        )
        assert len(spec.evaluation_hooks) == 1


def test_the_loss_is_the_distance_of_the_result_from_hr():
    def results(lr, scale):
        # As many rows and columns as fit the HR picture of 31 by 37.
        size = [1, 31 // scale * scale, 37 // scale * scale, 3]
        return {"ensemble": tf.fill(size, 7.0 - 3 * scale), "recursion_01": tf.fill(size, 99.0)}

    with tf.Graph().as_default(), tf.Session() as session:
        features = {"key": tf.constant(["one"])}
        for scale in (2, 3):
            size = [1, 31 // scale * scale, 37 // scale * scale, 3]
            features["bicubic_x%d" % scale] = tf.zeros(size, tf.uint8)
            features["lr_x%d" % scale] = tf.zeros([1, 31 // scale, 37 // scale, 3], tf.uint8)
        labels = {"hr": tf.fill([1, 31, 37, 3], tf.constant(4, tf.uint8))}
        spec = model_fn.spec(features, labels, tiny.NETWORK, results=results)
        # At x3 it is -2, which no picture holds.
        assert session.run(spec.loss) == (3 + 4) / 2
