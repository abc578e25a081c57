"""The block PREDICT: a picture for each scale."""

from bsrn_estimator.compat import tf
from bsrn_estimator.inference import model_fn
from tests.support import tiny


def test_prediction_has_a_picture_for_each_scale():
    with tf.Graph().as_default():
        lr = tf.zeros([2, 5, 9, 3], tf.uint8)
        spec = model_fn.spec({"lr": lr}, tiny.NETWORK)
        shapes = {name: tensor.shape.as_list() for name, tensor in spec.predictions.items()}
    assert shapes == {"hr_x2": [2, 10, 18, 3], "hr_x3": [2, 15, 27, 3]}
