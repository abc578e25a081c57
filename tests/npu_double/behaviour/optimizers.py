"""The optimizers of npu_bridge and their loss scale managers."""

import contextlib
import itertools
import os

import numpy as np
import tensorflow.compat.v1 as tf
from npu_bridge.behaviour import exchange
from npu_bridge.behaviour.build_name import BUILD

_ALL_REDUCED = {"int8", "int16", "int32", "float16", "float32"}
if BUILD == "master":
    _ALL_REDUCED |= {"int64", "bfloat16"}
_flag_reads = itertools.count(1)


@contextlib.contextmanager
def keep_dtype_scope():
    """Marks operations that keep their type under mixed precision."""
    mark = tf.AttrValue(b=True) if BUILD == "development" else tf.AttrValue(i=1)
    with tf.get_default_graph()._attr_scope({"_keep_dtype": mark}):
        yield


def _mean_over_ranks(tensors):
    """All tensors averaged over ranks, in one exchange a step."""
    for tensor in tensors:
        if tensor.dtype.base_dtype.name not in _ALL_REDUCED:
            raise TypeError(
                "Value passed to parameter 'tensor' has DataType %s not in list of allowed values"
                % tensor.dtype.base_dtype.name
            )

    def exchanged(*arrays):
        gathered = exchange.gather("gradients", arrays)
        return [np.mean(values, axis=0).astype(np.float32) for values in zip(*gathered)]

    averaged = tf.py_func(exchanged, tensors, [tensor.dtype for tensor in tensors])
    for tensor, mean in zip(tensors, averaged):
        mean.set_shape(tensor.shape)
    return averaged


class NPUDistributedOptimizer(tf.train.Optimizer):
    def __init__(self, arguments):
        self._optimizer = arguments["optimizer"]
        name = arguments["name"] or "Distributed" + type(self._optimizer).__name__
        super().__init__(use_locking=False, name=name)

    def compute_gradients(self, *args, **kwargs):
        pairs = self._optimizer.compute_gradients(*args, **kwargs)
        if exchange.rank_size() <= 1:
            return pairs
        present = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
        averaged = _mean_over_ranks([gradient for gradient, _ in present])
        return list(zip(averaged, [variable for _, variable in present])) + [
            (None, variable) for gradient, variable in pairs if gradient is None
        ]

    def apply_gradients(self, *args, **kwargs):
        return self._optimizer.apply_gradients(*args, **kwargs)

    def get_slot(self, *args, **kwargs):
        return self._optimizer.get_slot(*args, **kwargs)

    def get_slot_names(self, *args, **kwargs):
        return self._optimizer.get_slot_names(*args, **kwargs)

    def variables(self, *args, **kwargs):
        return self._optimizer.variables(*args, **kwargs)


class FixedLossScaleManager:
    def __init__(self, arguments):
        if arguments["loss_scale"] < 1:
            raise ValueError("loss scale must be at least 1")
        self._scale = arguments["loss_scale"]

    def get_loss_scale(self):
        return tf.constant(self._scale, tf.float32)

    def update_loss_scale(self, finite_grads):
        return tf.no_op()


class ExponentialUpdateLossScaleManager:
    """Keeps its state in variables of the graph, so a checkpoint holds it."""

    def __init__(self, arguments):
        self._given = arguments
        self._scale = self._variable("loss_scale", np.float32(arguments["init_loss_scale"]))
        self._good = self._variable("good_steps", np.int32(0))
        self._bad = self._variable("bad_steps", np.int32(0))

    @staticmethod
    def _variable(name, value):
        return tf.Variable(
            value, name=name, trainable=False, collections=[tf.GraphKeys.GLOBAL_VARIABLES]
        )

    def get_loss_scale(self):
        return self._scale

    def update_loss_scale(self, finite_grads):
        given = self._given

        def raised():
            enough = tf.greater_equal(self._good + 1, given["incr_every_n_steps"])
            scale = tf.where(enough, self._scale * float(given["incr_ratio"]), self._scale)
            good = tf.where(enough, 0, self._good + 1)
            return self._settle(scale, good, self._bad * 1)

        def lowered():
            enough = tf.greater_equal(self._bad + 1, given["decr_every_n_nan_or_inf"])
            smaller = tf.maximum(1.0, self._scale * float(given["decr_ratio"]))
            scale = tf.where(enough, smaller, self._scale)
            return self._settle(scale, 0, tf.where(enough, 0, self._bad + 1))

        return tf.cond(finite_grads, raised, lowered)

    def _settle(self, scale, good, bad):
        with tf.control_dependencies([tf.convert_to_tensor(v) for v in (scale, good, bad)]):
            return tf.group(
                tf.assign(self._scale, scale),
                tf.assign(self._good, good),
                tf.assign(self._bad, bad),
            )


class NPULossScaleOptimizer(tf.train.Optimizer):
    """Multiplies the loss, divides the gradients; makes no step where the device flag is raised."""

    def __init__(self, arguments):
        self._opt = arguments["opt"]
        if not isinstance(self._opt, tf.train.Optimizer):
            raise ValueError('"opt" must be an instance of Optimizer, but got: %s' % self._opt)
        self._manager = arguments["loss_scale_manager"]
        self._is_distributed = arguments["is_distributed"]
        super().__init__(use_locking=False, name="NPULossScaleOptimizer")

    def compute_gradients(self, loss, var_list=None, **kwargs):
        scale = self._manager.get_loss_scale()
        pairs = self._opt.compute_gradients(loss * scale, var_list, **kwargs)
        return [
            (None if gradient is None else gradient * tf.reciprocal(scale), variable)
            for gradient, variable in pairs
        ]

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        with tf.control_dependencies([gradient for gradient, _ in grads_and_vars]):
            flag = tf.py_func(self._read_flag, [], tf.float32)
        flag.set_shape([])
        finite = tf.equal(flag, 0.0)
        applied = tf.cond(
            finite,
            lambda: self._opt.apply_gradients(grads_and_vars, global_step, name),
            tf.no_op,
        )
        return tf.group(applied, self._manager.update_loss_scale(finite))

    def _read_flag(self):
        every = int(os.environ.get("NPU_DOUBLE_OVERFLOW_EVERY", "0"))
        flag = np.float32(bool(every) and next(_flag_reads) % every == 0)
        if self._is_distributed and exchange.rank_size() > 1:
            return np.float32(sum(values[0] for values in exchange.gather("flag", [flag])))
        return flag
