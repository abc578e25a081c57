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
