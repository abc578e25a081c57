"""NPUEstimator: the Estimator of TensorFlow with what npu_bridge adds to it and asks of it."""

import json
import os
import re

import tensorflow.compat.v1 as tf
from npu_bridge.behaviour import exchange, hooks
from npu_bridge.behaviour.build_name import BUILD
from npu_bridge.behaviour.config import NativeError, NPURunConfig, check_natively

_PASSES = (
    "pruning function constfold shape arithmetic loop dependency layout "
    + ("memory " if BUILD == "development" else "")
    + "GradFusionOptimizer"
)
_environment = {}


def _generated(module, name):
    """A class of the generated package, with the signature of the build."""
    path = "npu_bridge.estimator.npu." + module
    return getattr(__import__(path, fromlist=[name]), name)


def _read_environment():
    """Reads the variables once a process, and fails as the build does where one is missing."""
    if _environment:
        return
    environ = os.environ
    if not environ.get("RANK_SIZE") and BUILD == "development":
        raise AttributeError("'int' object has no attribute 'isdigit'")
    if BUILD == "master" and environ.get("RANK_SIZE") and environ.get("CM_WORKER_SIZE"):
        raise ValueError("RANK_SIZE and CM_WORKER_SIZE cannot be configured together")
    if not environ.get("JOB_ID"):
        if BUILD == "development":
            raise AttributeError("'NPUEstimator' object has no attribute '_NPUEstimator__job_info'")
        raise ValueError("Load job info failed, please check whether JOB_ID is set")
    _environment.update(JOB_ID=environ["JOB_ID"])


class NPUEstimator(tf.estimator.Estimator):
    def __init__(self, arguments):
        config = arguments["config"]
        if not isinstance(config, NPURunConfig):
            raise ValueError("`config` must be provided with type `NPUConfigs`")
        _read_environment()
        warm_start = arguments["warm_start_from"]
        for name in ("RESTORE_FROM", "LOCAL_CHECKPOINT_DIR"):
            warm_start = warm_start or os.environ.get(name)
        if config.session_config is not None:
            _add_passes(config.session_config)
        super().__init__(
            model_fn=arguments["model_fn"],
            model_dir=arguments["model_dir"],
            config=config,
            params=arguments["params"],
            warm_start_from=warm_start,
        )
        if config.session_config is None:
            _add_passes(self._session_config)
        # Set on the object: the base class refuses a subclass that overrides these.
        self._train_with_estimator_spec = self._train_on_device
        self._evaluate_run_of_base = self._evaluate_run
        self._evaluate_run = self._evaluate_on_device

    def _train_on_device(self, spec, worker_hooks, user_hooks, step, listeners):
        config, given = self._config, self._config.npu
        check_natively(config)
        _log_compilation()
        loop = given["iterations_per_loop"]
        _check_inputs(loop)
        train_op = tf.group(spec.train_op, name="IterationOp") if loop > 1 else spec.train_op
        runs = _RunRecorder(train_op)
        all_hooks = list(worker_hooks) + list(user_hooks)
        all_hooks += [tf.train.NanTensorHook(spec.loss)]
        if config.log_step_count_steps is not None:
            values = {"loss": spec.loss, "step": step}
            all_hooks.append(tf.train.LoggingTensorHook(values, config.log_step_count_steps))
        if exchange.rank_size() > 1 and not given["horovod_mode"]:
            broadcast = _generated("npu_hook", "NPUBroadcastGlobalVariablesHook")
            all_hooks.append(broadcast(0, exchange.rank()))
        all_hooks += self._saver_hooks(spec, listeners)
        if loop > 1:
            all_hooks.append(_generated("npu_hook", "SetIterationsVarHook")(loop))
        all_hooks += list(spec.training_hooks) + list(spec.training_chief_hooks)
        all_hooks += [hooks.StepsOnDevice(train_op, loop), runs]
        loss = None
        try:
            with tf.train.MonitoredTrainingSession(
                checkpoint_dir=self._model_dir,
                scaffold=spec.scaffold,
                hooks=all_hooks,
                save_checkpoint_secs=0,
                save_summaries_steps=config.save_summary_steps,
                config=self._session_config,
                log_step_count_steps=config.log_step_count_steps,
            ) as session:
                while not session.should_stop():
                    _, loss = session.run([train_op, spec.loss])
        finally:
            self._record(
                "train",
                fetch_sets=len(runs.fetch_sets),
                runs=runs.count,
                others=sorted(runs.others),
            )
        return loss

    def _saver_hooks(self, spec, listeners):
        config = self._config
        if not (config.save_checkpoints_steps or config.save_checkpoints_secs):
            if listeners:
                raise ValueError(
                    "There should be a CheckpointSaverHook to use saving_listeners. Please set one "
                    "of the RunConfig.save_checkpoints_steps or RunConfig.save_checkpoints_secs."
                )
            return []
        kept = config.keep_checkpoint_max if BUILD == "master" else 5
        saver = hooks.NPUSaver(sharded=True, max_to_keep=kept, save_relative_paths=True)
        return [
            _generated("npu_hook", "NPUCheckpointSaverHook")(
                self._model_dir,
                config.save_checkpoints_secs,
                config.save_checkpoints_steps,
                saver,
                scaffold=None,
                listeners=list(listeners or ()),
            )
        ]

    def _evaluate_on_device(self, *args, **kwargs):
        check_natively(self._config)
        _check_inputs(self._config.npu["iterations_per_loop"])
        self._record("evaluate")
        return self._evaluate_run_of_base(*args, **kwargs)

    def _record(self, kind, **more):
        path = os.environ.get("NPU_DOUBLE_RECORD")
        if not path:
            return
        rewrite = self._session_config.graph_options.rewrite_options
        given = {name: _plain(value) for name, value in self._config.npu.items()}
        line = dict(
            more,
            kind=kind,
            rank=exchange.rank(),
            custom_optimizers=[custom.name for custom in rewrite.custom_optimizers],
            given=given,
            save_checkpoints_steps=self._config.save_checkpoints_steps,
        )
        with open(path, "a") as file:
            file.write(json.dumps(line) + "\n")


def _plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {name: _plain(inner) for name, inner in getattr(value, "__dict__", {}).items()}


def _add_passes(session_config):
    rewrite = session_config.graph_options.rewrite_options
    rewrite.custom_optimizers.add().name = "NpuOptimizer"
    rewrite.optimizers.extend(_PASSES.split())


def _check_inputs(loop):
    """What the native layer asks of the iterator of the default graph."""
    for operation in tf.get_default_graph().get_operations():
        if operation.type == "OneShotIterator" and loop > 1:
            raise NativeError("iterations_per_loop with a one-shot iterator")
        if operation.type.startswith("IteratorGetNext"):
            for output in operation.outputs:
                if not output.shape.is_fully_defined():
                    raise NativeError("dynamic shape %s from %s" % (output.shape, operation.name))
                if output.dtype == tf.string:
                    raise NativeError("string from %s" % operation.name)


def _log_compilation():
    """What the native layer logs as information once a graph is compiled."""
    if int(os.environ.get("TF_CPP_MIN_LOG_LEVEL") or 0) <= 0:
        line = b"I tf_adapter/kernels/geop_npu.cc] The model has been compiled on the Ascend AI "
        os.write(2, line + b"processor, current graph id is:1\n")


class _RunRecorder(tf.train.SessionRunHook):
    """Counts the distinct sets of fetches, each of which is compiled: those that run the training
    operation, and by their names the others, but for a global step, which npu_bridge reads itself,
    and the operations of savers."""

    def __init__(self, train_op):
        self._name = train_op.name
        self.fetch_sets, self.count, self.others = set(), 0, set()

    def after_create_session(self, session, coord):
        run = session.run

        def recorded(fetches, *args, **kwargs):
            names = _names_of(fetches)
            if self._name in names:
                self.fetch_sets.add(frozenset(names))
                self.count += 1
            elif not all(name.startswith(("global_step", "save")) for name in names):
                self.others.add(" ".join(sorted(names)[:3]))
            return run(fetches, *args, **kwargs)

        session.run = recorded


def _names_of(fetches):
    if fetches is None:
        return []
    if isinstance(fetches, dict):
        fetches = list(fetches.values())
    if isinstance(fetches, (list, tuple)):
        return [name for fetch in fetches for name in _names_of(fetch)]
    return [re.sub(":0$", "", fetches if isinstance(fetches, str) else fetches.name)]
