"""CPUs and GPUs of several machines: a process on each, all of which train one network."""

import contextlib
import glob
import os
import uuid
from typing import Any, Callable, Dict, Iterator, List, Optional

from bsrn_estimator import failures
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import RunFailed, UserError
from bsrn_estimator.interruption import Interrupted, Interruption
from bsrn_estimator.networks.precision import FLOAT32
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.cluster import strategy, votes
from bsrn_estimator.platforms.cluster.meeting import Meeting
from bsrn_estimator.platforms.cluster.options import NCCL, ClusterOptions
from bsrn_estimator.platforms.cluster.tf_config import Cluster
from bsrn_estimator.platforms.cluster.watch import STOPPED, Watch
from bsrn_estimator.platforms.cpu import CpuPlatform
from bsrn_estimator.platforms.gpu import GpuPlatform
from bsrn_estimator.platforms.options import RunOptions

# A file that the chief makes in the model folder, and that all have to see.
_SIGN = ".company-"
_UNKNOWN = "look at the end of its log"


class _Workers(Platform):
    """What a family of devices answers where several processes train together.

    Args:
      cluster: the processes.
      options: how they go about it.
      devices: the arguments of the family of devices.
    """

    def __init__(self, cluster: Cluster, options: ClusterOptions, *devices: Any) -> None:
        super().__init__(*devices)
        self.rank, self.rank_size = cluster.rank, cluster.rank_size
        self._cluster, self._options = cluster, options
        self._watch: Any = None
        self._session_config: Any = None
        self._show_devices()
        # Before there is a graph, a session or a list of devices.
        self._strategy = strategy.make(options.communication)

    def _show_devices(self) -> None:
        """Lets TensorFlow see the devices that train, and no others: the strategy takes all."""

    @contextlib.contextmanager
    def together(
        self,
        run: RunOptions,
        facts: Callable[[], Dict[str, Any]],
        interruption: Interruption,
        stopped_status: Callable[[], int],
    ) -> Iterator[None]:
        """A context in which this process trains with the others; see `Platform`."""
        meeting = Meeting(self._cluster, self._options.peer_timeout, interruption)
        peers = self._meet(meeting, run.model_dir, facts())
        self._watch = Watch(
            self._cluster, peers, self._options.peer_timeout, interruption, stopped_status
        )
        self._watch.start()
        reason: Optional[str] = STOPPED
        try:
            self._session_config = self.session_config(run)
            with strategy.joined(self._strategy, self._cluster, self._session_config):
                self._watch.wait_for_all("servers")
                meeting.reach_all()
                self._watch.wait_for_all("reached")
                yield
            reason = STOPPED if interruption.received else None
        except Interrupted:
            raise
        except BaseException as error:
            reason = _reason(error, run.model_dir)
            if reason == _UNKNOWN:
                self._watch.let_end()
            raise
        finally:
            self._watch.leave(reason)

    def _meet(self, meeting: Meeting, model_dir: str, facts: Dict[str, Any]) -> Dict:
        """The links to the others, once all fit."""
        if self.rank:

            def answer(welcome: Dict[str, Any]) -> Dict[str, Any]:
                sign = os.path.join(model_dir, os.path.basename(str(welcome.get("sign"))))
                return {"facts": facts, "sees_folder": os.path.exists(sign)}

            return meeting.attend(answer)
        for old in glob.glob(os.path.join(glob.escape(model_dir), _SIGN + "*")):
            os.remove(old)
        sign = os.path.join(model_dir, _SIGN + uuid.uuid4().hex)
        with open(sign, "w"):
            pass
        try:
            return meeting.hold(
                {"sign": os.path.basename(sign)},
                lambda answer: _fault(answer, facts, model_dir),
            )
        finally:
            os.remove(sign)

    def training_estimator(self, model_fn, options: RunOptions) -> "tf.estimator.Estimator":
        """The Estimator that trains; to be called and used within `together`."""
        config = self.run_config(options).replace(
            train_distribute=self._strategy,
            session_config=self._session_config,
            # Our own saver does, in one process.
            save_checkpoints_steps=None,
            save_checkpoints_secs=None,
        )
        return tf.estimator.Estimator(model_fn, config=config)

    def hooks(self) -> List["tf.train.SessionRunHook"]:
        """A hook that lets no process go on before all have read the checkpoint."""
        return [_SessionTogether(self._watch)]

    def shared_values(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """The losses as means over all, and a vote on stopping; see `votes`."""
        return votes.shared(values)

    def votes(self) -> List[votes.Vote]:
        """Those of the default graph."""
        return votes.in_graph()


class _SessionTogether(tf.train.SessionRunHook):
    """Waits at the first session, and refuses a second.

    A monitored session whose connection broke would begin anew from the newest checkpoint, alone.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._sessions = 0

    def after_create_session(self, _session, _coordinator) -> None:
        self._sessions += 1
        if self._sessions > 1:
            self._watch.let_end()
            raise RunFailed(
                "the connection to the other processes broke; the same commands go on from the "
                "newest checkpoint"
            )
        self._watch.wait_for_all("sessions")


class CpuWorkers(_Workers, CpuPlatform):
    """CPUs of several machines. Args: see `_Workers` and `CpuPlatform`."""

    def _show_devices(self) -> None:
        if self._options.communication == NCCL:
            raise UserError("--communication=nccl is between GPUs; on CPUs give ring, or leave it")
        tf.config.experimental.set_visible_devices([], "GPU")

    def session_config(self, options: RunOptions) -> "tf.ConfigProto":
        """As `CpuPlatform.session_config`; a server fuses no convolutions in bfloat16, which it
        then takes for ones that it does not know."""
        config = super().session_config(options)
        if self._precision != FLOAT32:
            rewriting = config.graph_options.rewrite_options
            rewriting.remapping = rewriting.OFF
        return config


class GpuWorkers(_Workers, GpuPlatform):
    """GPUs of several machines, as many on each. Args: see `_Workers` and `GpuPlatform`."""

    def _show_devices(self) -> None:
        gpus = tf.config.experimental.list_physical_devices("GPU")[: self.batches_per_step]
        tf.config.experimental.set_visible_devices(gpus, "GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)

    def session_config(self, options: RunOptions) -> "tf.ConfigProto":
        """As `GpuPlatform.session_config`, of the GPUs that train alone."""
        config = super().session_config(options)
        config.gpu_options.visible_device_list = ",".join(map(str, range(self.batches_per_step)))
        return config


def _fault(answer: Dict[str, Any], facts: Dict[str, Any], model_dir: str) -> Optional[str]:
    """What is wrong with a worker, by its answer to the chief; None where nothing is."""
    theirs = answer.get("facts")
    if not isinstance(theirs, dict):
        return "is not a process of this project"
    for name, value in facts.items():
        if theirs.get(name) == value:
            continue
        if isinstance(value, dict):
            return "has other %s than the chief; give all processes the same" % name
        differing = (name, theirs.get(name), value)
        return "has %s %s, and the chief %s; give all processes the same" % differing
    if not answer.get("sees_folder"):
        return (
            "does not see the chief's --model_dir=%s; name a folder on a file system that all "
            "machines share" % model_dir
        )
    return None


def _reason(error: BaseException, model_dir: str) -> str:
    """What the others are told of an error of this process."""
    if isinstance(error, (tf.errors.OpError, RuntimeError, OSError)):
        return failures.unwritable(error, model_dir) or failures.sentence_of(error) or _UNKNOWN
    return " ".join(str(error).split()) or type(error).__name__
