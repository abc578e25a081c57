"""The hooks and the saver of npu_bridge."""

import os
import signal

import numpy as np
import tensorflow.compat.v1 as tf
from npu_bridge.behaviour import exchange
from npu_bridge.behaviour.build_name import BUILD


class NPUSaver(tf.train.Saver):
    def __init__(self, arguments=None, **keywords):
        super().__init__(**(arguments or keywords))


class NPUCheckpointSaverHook(tf.train.CheckpointSaverHook):
    """Saves as that of TensorFlow, and reads the global step once more after every run."""

    def __init__(self, arguments):
        super().__init__(**arguments)

    def after_run(self, run_context, run_values):
        super().after_run(run_context, run_values)
        run_context.session.run(tf.train.get_global_step())


class NPUBroadcastGlobalVariablesHook(tf.train.SessionRunHook):
    """Gives all ranks the trainable variables of rank 0, and no others."""

    def __init__(self, arguments):
        self._root = arguments["root_rank"]

    def begin(self):
        self._variables = tf.trainable_variables()

    def after_create_session(self, session, coord):
        if exchange.rank_size() <= 1 and BUILD != "development":
            return
        if exchange.rank_size() > 1:
            values = exchange.gather("broadcast", session.run(self._variables))[self._root]
            for variable, value in zip(self._variables, values):
                variable.load(value, session)


class SetIterationsVarHook(tf.train.SessionRunHook):
    """Tells the device, through variables, how many steps to make in one run."""

    def __init__(self, arguments):
        self._loop = arguments["iterations_per_loop"]

    def begin(self):
        names = ("iterations_per_loop", "loop_cond", "const_one", "const_zero")
        with tf.variable_scope("npu_runconfig", reuse=tf.AUTO_REUSE):
            self._variables = [
                tf.get_variable(
                    name,
                    initializer=np.int64(0),
                    trainable=False,
                    collections=[tf.GraphKeys.LOCAL_VARIABLES],
                )
                for name in names
            ]

    def after_create_session(self, session, coord):
        for variable, value in zip(self._variables, (self._loop - 1, 0, 0, 1)):
            variable.load(value, session)
        print("load iterations per loop", self._loop)


class StepsOnDevice(tf.train.SessionRunHook):
    """Stands for the device: makes all but the last step of a loop, seen by no hook."""

    def __init__(self, train_op, loop):
        self._train_op, self._loop = train_op, loop
        self._die_rank, self._die_step = -1, 0
        if os.environ.get("NPU_DOUBLE_DIE"):
            self._die_rank, self._die_step = map(int, os.environ["NPU_DOUBLE_DIE"].split(":"))

    def after_create_session(self, session, coord):
        # Taken before the recorder of fetches puts its own there: these are not runs of the host.
        self._run = session.run

    def before_run(self, run_context):
        for _ in range(self._loop - 1):
            self._run(self._train_op)

    def after_run(self, run_context, run_values):
        if exchange.rank() == self._die_rank:
            self._die_step -= 1
            if self._die_step <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
