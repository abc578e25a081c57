"""What every family of devices has to answer."""

import contextlib
from typing import Any, Callable, ContextManager, Dict, Iterable, List, Optional, Sequence

from bsrn_estimator.checkpoints import literal
from bsrn_estimator.compat import SAVER_OPTIONS, tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.interruption import Interruption
from bsrn_estimator.networks.base import Network
from bsrn_estimator.networks.precision import FLOAT32
from bsrn_estimator.platforms.options import RunOptions


class Platform:
    """A family of devices; this base class is the plain one, one process on whatever is there.

    Attributes:
      rank: index of this process among those that train together.
      rank_size: how many processes train together.
      batches_per_step: batches that one step of this process takes from its input function.
      default_schedule: the scale schedule where the user names none.
      strings_in_batches: whether the batches of training may carry the names of pictures.
      steps_per_run: steps that one run of the session makes.
      may_skip_steps: whether a run may leave the weights as they are, for an overflow.
      max_skipped_steps: skipped steps in a row that end training.
      unit: what `network_scope` multiplies all features of a training step with.
      checks_saved_file: whether checkpoints are looked at for numbers that are not finite once they
        are written, rather than by a graph of its own before.
      reports_health: whether a run of the session may fetch what others do not.
    """

    rank = 0
    rank_size = 1
    batches_per_step = 1
    default_schedule = "random"
    strings_in_batches = True
    steps_per_run = 1
    may_skip_steps = False
    max_skipped_steps = 0
    unit = 1.0
    checks_saved_file = False
    reports_health = True

    def check_steps(self, start_step: int, train_steps: int, save_steps: int) -> None:
        """Raises UserError where training cannot start, end or save at such steps."""

    def check_step(self, fetches: Iterable) -> None:
        """Raises UserError where the devices cannot run the graph of a training step.

        Args:
          fetches: the operations and tensors that the session runs in every step.
        """

    def together(
        self,
        run: RunOptions,
        facts: Callable[[], Dict[str, Any]],
        interruption: Interruption,
        stopped_status: Callable[[], int],
    ) -> ContextManager:
        """A context in which this process trains with the others of `rank_size`.

        Args:
          run: how the run is carried out.
          facts: gives what must be the same in all of them, by name, as JSON has it.
          interruption: told where another process was told to stop.
          stopped_status: the exit status after that.

        Raises:
          UserError: the others do not come, or do not fit.
          Interrupted: this process was told to stop before training began.
        """
        return contextlib.nullcontext()

    def session_config(self, options: RunOptions) -> "tf.ConfigProto":
        """The session options of training and evaluation."""
        return tf.ConfigProto(
            allow_soft_placement=True,
            intra_op_parallelism_threads=options.threads,
            # One thread must mean one order of additions, for runs that are equal to the bit.
            inter_op_parallelism_threads=options.threads,
        )

    def run_config(self, options: RunOptions) -> "tf.estimator.RunConfig":
        """The run configuration of a plain Estimator; summaries and log lines are our hooks'."""
        return tf.estimator.RunConfig(
            model_dir=literal.folder(options.model_dir),
            tf_random_seed=options.seed,
            save_summary_steps=0,
            save_checkpoints_steps=options.save_checkpoints_steps,
            keep_checkpoint_max=options.keep_checkpoint_max,
            log_step_count_steps=None,
            session_config=self.session_config(options),
        )

    def training_estimator(self, model_fn, options: RunOptions) -> "tf.estimator.Estimator":
        """The Estimator that trains."""
        return tf.estimator.Estimator(model_fn, config=self.run_config(options))

    def saver_hook(self, options: RunOptions) -> Optional["tf.train.CheckpointSaverHook"]:
        """The hook that saves; None leaves it to the Estimator, which puts it before all others."""
        return tf.train.CheckpointSaverHook(
            literal.folder(options.model_dir),
            save_steps=options.save_checkpoints_steps,
            **SAVER_OPTIONS,
        )

    def evaluation_estimator(self, model_fn, options: RunOptions) -> "tf.estimator.Estimator":
        """The Estimator that evaluates whole pictures, beside a training session or alone."""
        return tf.estimator.Estimator(model_fn, config=self.run_config(options))

    def evaluation_network(
        self, network: Callable, names: Sequence[str], run: RunOptions, checkpoint: str, scaffold
    ) -> ContextManager:
        """A context that gives what takes the place of the network in the graph of an evaluation.

        Args:
          network: (lr, scale) to {name: tensor}, the network in a graph of the devices.
          names: the names of its results.
          run: how the run is carried out.
          checkpoint: path prefix of the checkpoint.
          scaffold: makes the tf.train.Scaffold that reads it.

        Returns:
          A context manager; what it gives is called as `network` is, with whole pictures. Or it
          gives None, and the graph of the evaluation holds the network itself.
        """
        return contextlib.nullcontext()

    def check_pause(self, seconds: float) -> None:
        """Told after an evaluation how long training waited for it."""

    def scalars(self) -> Dict[str, Any]:
        """Scalar tensors of a step that is built, by name, which become curves.

        To be called after `wrap_optimizer`, in the same graph.
        """
        return {}

    def hooks(self) -> List["tf.train.SessionRunHook"]:
        """Hooks of training that come before all others."""
        return []

    def shared_values(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """The values of a step that is built, by name, as all processes that train together see
        them; each its own here."""
        return values

    def votes(self) -> Sequence[Any]:
        """Tensors of the default graph by which processes agree to stop, if they have to: pairs of
        what is fed and what is fetched (`cluster.votes.Vote`)."""
        return ()

    def against_overflow(self, scale: float) -> str:
        """What a user can do where every step overflows and is skipped.

        Args:
          scale: what the loss is multiplied with by then.
        """
        del scale
        return (
            "the values of the network itself are too large: go on with a lower --learning_rate "
            "and --allow_change from the last checkpoint"
        )

    def wrap_optimizer(self, optimizer):
        """The optimizer as this platform distributes it or scales its loss."""
        return optimizer

    def network_scope(self, network: Network) -> ContextManager:
        """A context in which the network of a training step is built; it may hand out weights of
        another type than float32, in which the network then convolves."""
        return contextlib.nullcontext()

    def precision_of_pictures(self, mixed: Optional[bool]) -> str:
        """The precision in which a trained network is computed, one of `networks.precision`.

        Args:
          mixed: what the user wants; None for the faster one that this platform has.

        Raises:
          UserError: it cannot mix precisions.
        """
        if mixed:
            raise UserError(
                "--mixed_precision computes the pictures of a trained network on CPUs alone; leave "
                "it out, or give --device=cpu"
            )
        return FLOAT32

    def loss_scope(self) -> ContextManager:
        """A context for what has to be computed in float32, where the platform mixes precisions."""
        return contextlib.nullcontext()
