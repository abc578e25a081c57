"""Huawei Ascend: training through npu_bridge, evaluation on the host.

Importing this module imports nothing of npu_bridge; making an `NpuPlatform` does.
"""

import contextlib
import functools
import logging
from typing import Any, ContextManager, Dict, Iterable, Optional

from bsrn_estimator.checkpoints import contents, literal
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.base import Network
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.early_slots import EarlySlots
from bsrn_estimator.platforms.npu import bridge, graph_check, units
from bsrn_estimator.platforms.npu import environment as npu_environment
from bsrn_estimator.platforms.npu import evaluation as npu_evaluation
from bsrn_estimator.platforms.npu import steps as npu_steps
from bsrn_estimator.platforms.npu.environment import Ranks
from bsrn_estimator.platforms.npu.options import NpuOptions
from bsrn_estimator.platforms.options import RunOptions

# Measured with `python -m benchmarks.float16`: at the first weights of the network the largest
# gradient is a fourteenth of what float16 holds, and none is lost. Published scripts start at 2^32,
# and skip steps to come down.
_DYNAMIC_SCALE = 2**16
_RAISE_AFTER_STEPS = 1000
_LOWER_AFTER_OVERFLOWS = 2
_LOWER_BY = 0.5
# Kept by npu_bridge whatever it is told, until the builds of late 2023.
_CHECKPOINTS_KEPT = 5


class NpuPlatform(Platform):
    """Trains on one Ascend NPU a process, or on several processes that average gradients.

    Args:
      options: how the run uses the NPU.
      ranks: this process among the others.

    Raises:
      UserError: npu_bridge is not installed or does not load.
    """

    default_schedule = "joint"
    strings_in_batches = False
    unit = units.UNIT
    checks_saved_file = True
    reports_health = False

    def __init__(self, options: NpuOptions, ranks: Optional[Ranks] = None) -> None:
        ranks = ranks or Ranks()
        self.rank, self.rank_size = ranks.rank, ranks.rank_size
        self._options = options
        self.steps_per_run = options.iterations_per_loop
        self.may_skip_steps = options.loss_scale != "none"
        self.max_skipped_steps = options.max_skipped_steps
        self._scale: Any = None
        self._run_config_class = bridge.symbol("NPURunConfig")
        self._estimator_class = bridge.symbol("NPUEstimator")

    @classmethod
    def from_flags(cls, flags) -> "NpuPlatform":
        """The platform that the command line and the environment describe.

        Raises:
          UserError: a flag or a variable is wrong, or npu_bridge is not there.
        """
        options = NpuOptions.from_flags(flags)
        return cls(options, npu_environment.prepare(device_id=options.device_id))

    def check_steps(self, start_step: int, train_steps: int, save_steps: int) -> None:
        """Raises UserError where these steps do not fall on the ends of loops on the device."""
        npu_steps.check_loop(self._options.iterations_per_loop, start_step, train_steps, save_steps)

    def check_step(self, fetches: Iterable) -> None:
        """Raises UserError where the graph breaks the rules of what the NPU runs whole."""
        graph_check.check(fetches)

    def training_estimator(self, model_fn, options: RunOptions) -> "tf.estimator.Estimator":
        """The NPUEstimator; rank 0 alone saves.

        Raises:
          UserError: the installed build cannot serve a flag, or the checkpoint that training would
            go on from was made without this loss scaling.
        """
        _check_checkpoint(options.model_dir, self._options.loss_scale == "dynamic")
        if options.keep_checkpoint_max != _CHECKPOINTS_KEPT:
            logging.warning(
                "most builds of npu_bridge keep %d checkpoints and overlook --keep_checkpoint_max",
                _CHECKPOINTS_KEPT,
            )
        arguments = self._options.run_config_arguments(self._accepts)
        config = self._run_config_class(
            model_dir=literal.folder(options.model_dir),
            tf_random_seed=options.seed,
            save_summary_steps=0,
            save_checkpoints_steps=options.save_checkpoints_steps if self.rank == 0 else 0,
            # The newest is looked at once it is written, and may have to go.
            keep_checkpoint_max=max(options.keep_checkpoint_max, 2)
            if options.keep_checkpoint_max
            else 0,
            # Else a line every so many steps fetches a variable of its own: a second compilation.
            log_step_count_steps=None,
            # Made anew for each estimator, since npu_bridge adds its passes to it in place.
            session_config=super().session_config(options),
            **arguments,
        )
        return self._estimator_class(model_fn=model_fn, model_dir=config.model_dir, config=config)

    def saver_hook(self, options: RunOptions) -> None:
        """None: the NPUEstimator has a saver of its own."""

    def evaluation_estimator(self, model_fn, options: RunOptions) -> "tf.estimator.Estimator":
        """A plain Estimator on the host's CPU: whole pictures have any size."""
        return tf.estimator.Estimator(model_fn, config=self.run_config(options))

    @contextlib.contextmanager
    def evaluation_network(self, network, names, run: RunOptions, checkpoint: str, scaffold):
        """The network in the graph on the host, or with --evaluate_on=npu on the card.

        Raises:
          UserError: the card is asked for, and the checkpoint has no step.
        """
        if self._options.evaluate_on == "host":
            yield None
            return
        description = contents.describe(checkpoint)
        if description.global_step is None:
            raise UserError(
                "%s has no global_step, which evaluation on the card needs; give "
                "--evaluate_on=host" % checkpoint
            )
        card = npu_evaluation.CardNetwork(
            lambda model_fn: self._predicting_estimator(model_fn, run),
            network,
            checkpoint,
            scaffold,
            description.family(**description.told).overlap,
        )
        try:
            yield functools.partial(npu_evaluation.in_graph, card, names)
        finally:
            card.close()

    def _predicting_estimator(self, model_fn, options: RunOptions):
        """An NPUEstimator that only predicts: nothing of the flags of training but precision."""
        plain = NpuOptions(
            precision_mode=self._options.precision_mode, device_id=self._options.device_id
        )
        session_config = Platform.session_config(self, options)
        # Waits for tiles, and is waited for: not in the threads that all sessions share.
        session_config.use_per_session_threads = True
        session_config.inter_op_parallelism_threads = 4
        config = self._run_config_class(
            model_dir=literal.folder(options.model_dir),
            save_checkpoints_steps=0,
            session_config=session_config,
            **plain.run_config_arguments(self._accepts),
        )
        return self._estimator_class(model_fn=model_fn, model_dir=config.model_dir, config=config)

    def session_config(self, options: RunOptions) -> "tf.ConfigProto":
        """As `Platform.session_config`, without a GPU."""
        config = super().session_config(options)
        config.device_count["GPU"] = 0
        return config

    def wrap_optimizer(self, optimizer):
        """Averages gradients over the ranks, and around that scales the loss where asked to.

        The gradients that come out are averaged and unscaled, so they can be clipped.
        """
        # State of the run, whatever the step waits for: the manager's variables take their first
        # value from a tensor, which would wait with it, for a step that nothing has counted yet.
        with tf.control_dependencies(None):
            averaging = bridge.symbol("NPUDistributedOptimizer")(optimizer)
            manager = self._loss_scale_manager()
            if manager is None:
                return averaging
            self._scale = manager.get_loss_scale()
            scaling = bridge.symbol("NPULossScaleOptimizer")(
                averaging, manager, is_distributed=self.rank_size > 1
            )
        return EarlySlots(scaling, optimizer)

    def scalars(self) -> Dict[str, Any]:
        """The loss scale, where there is one."""
        # A product, as an identity may share the memory of the variable, which is overwritten.
        return {} if self._scale is None else {"loss_scale": self._scale * 1.0}

    def against_overflow(self, scale: float) -> str:
        """What helps against overflows that do not end, such as a smaller scale."""
        too_large = super().against_overflow(scale)
        smaller = "give a smaller --loss_scale=fixed:N, or dynamic in a new --model_dir"
        return "%s, or look for the operations with --overflow_dump_dir" % (
            too_large if scale <= 1 else smaller
        )

    def check_pause(self, seconds: float) -> None:
        if self.rank_size > 1:
            npu_environment.check_pause(seconds)

    def network_scope(self, network: Network) -> ContextManager:
        """A context that hands out weights for features in a unit that float16 has room for."""
        getter = units.scaled(self.unit, network.is_in_unit)
        return tf.variable_scope(tf.get_variable_scope(), custom_getter=getter)

    def loss_scope(self) -> ContextManager:
        """A context in which operations keep float32 under mixed precision."""
        if self._options.precision_mode.startswith("allow_mix_precision"):
            return bridge.symbol("keep_dtype_scope")()
        return contextlib.nullcontext()

    def _loss_scale_manager(self):
        fixed = self._options.fixed_loss_scale
        if fixed is not None:
            return bridge.symbol("FixedLossScaleManager")(loss_scale=fixed)
        if self._options.loss_scale == "dynamic":
            return bridge.symbol("ExponentialUpdateLossScaleManager")(
                init_loss_scale=_DYNAMIC_SCALE,
                incr_every_n_steps=_RAISE_AFTER_STEPS,
                decr_every_n_nan_or_inf=_LOWER_AFTER_OVERFLOWS,
                decr_ratio=_LOWER_BY,
            )
        return None

    def _accepts(self, name: str) -> bool:
        return bridge.accepts(self._run_config_class, name)


def _check_checkpoint(model_dir: str, dynamic: bool) -> None:
    """Refuses to begin dynamic loss scaling in a run that has checkpoints without its state."""
    newest = checkpoint_files.adopted(model_dir)
    if not (newest and dynamic):
        return
    if not literal.reader(newest).has_tensor("loss_scale"):
        raise UserError(
            "%s was trained without --loss_scale=dynamic, whose state its checkpoints lack; go on "
            "with --loss_scale=fixed:65536, or name another --model_dir with --checkpoint=%s"
            % (model_dir, newest)
        )
