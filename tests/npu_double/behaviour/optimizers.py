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
            raise ValueError("loss scale must be at least 1.")
        self._scale = tf.convert_to_tensor(arguments["loss_scale"], tf.float32)

    def get_loss_scale(self):
        return self._scale

    def update_loss_scale(self, finite_grads):
        return tf.no_op()


class ExponentialUpdateLossScaleManager:
    """Keeps its state in variables of the graph, so a checkpoint holds it.

    The first value of the scale is a tensor, as in the real one: it is under whatever control
    dependencies the manager is made under, and so is the initializer that reads it.
    """

    def __init__(self, arguments):
        self._given = arguments
        first = tf.convert_to_tensor(arguments["init_loss_scale"], tf.float32)
        self._scale = self._variable("loss_scale", first)
        self._good = self._variable("good_steps", 0)
        self._bad = self._variable("bad_steps", 0)

    @staticmethod
    def _variable(name, value):
        # A name that is taken is made another, without a word.
        return tf.Variable(value, name=name, trainable=False)

    def get_loss_scale(self):
        return self._scale

    def update_loss_scale(self, finite_grads):
        given = self._given

        def scaled(scale):
            with tf.control_dependencies([tf.convert_to_tensor(scale)]):
                return tf.group(
                    tf.assign(self._scale, scale), tf.assign(self._good, 0), tf.assign(self._bad, 0)
                )

        def raised():
            fits = tf.less(self._scale, 3.4e38 / given["incr_ratio"])
            return scaled(tf.where(fits, self._scale * float(given["incr_ratio"]), self._scale * 1))

        def lowered():
            return scaled(tf.maximum(1.0, self._scale * float(given["decr_ratio"])))

        def counted_bad():
            return tf.group(tf.assign_add(self._bad, 1), tf.assign(self._good, 0))

        return tf.cond(
            finite_grads,
            lambda: tf.cond(
                self._good + 1 >= given["incr_every_n_steps"],
                raised,
                lambda: tf.group(tf.assign_add(self._good, 1)),
            ),
            lambda: tf.cond(
                self._bad + 1 >= given["decr_every_n_nan_or_inf"], lowered, counted_bad
            ),
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

    def compute_gradients(
        self,
        loss,
        var_list=None,
        gate_gradients=tf.train.Optimizer.GATE_OP,
        aggregation_method=None,
        colocate_gradients_with_ops=False,
        grad_loss=None,
    ):
        scale = self._manager.get_loss_scale()
        pairs = self._opt.compute_gradients(
            loss * tf.cast(scale, loss.dtype.base_dtype),
            var_list=var_list,
            gate_gradients=gate_gradients,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
            grad_loss=grad_loss,
        )
        inverse = tf.reciprocal(scale)
        return [
            (None if gradient is None else gradient * inverse, variable)
            for gradient, variable in pairs
        ]

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        gradients = [gradient for gradient, _ in grads_and_vars if gradient is not None]
        if os.environ.get("NPU_DOUBLE_INF_NAN") and BUILD == "master":
            # The mode of later cards: arithmetic gives infinities, and no flag is raised.
            finite = tf.reduce_all([tf.reduce_all(tf.is_finite(g)) for g in gradients])
        else:
            with tf.control_dependencies(gradients):
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
