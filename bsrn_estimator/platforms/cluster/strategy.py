"""TensorFlow's own distribution over processes: its server, its strategy, its worker context.

The Estimator would take all three from TF_CONFIG in `train_and_evaluate` alone, which knows nothing
of our saver and our evaluation. What that does is done here: the strategy is told the cluster, a
server stands at the address of this process, and a worker context tells the monitored session of
`Estimator.train` to go through that server and to initialise variables, as every process has to.
"""

import contextlib
from typing import Any, Iterator

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.cluster import links
from bsrn_estimator.platforms.cluster.tf_config import Cluster


def make(communication: str) -> Any:
    """The strategy, which knows this process alone as yet.

    Args:
      communication: "auto", "ring" or "nccl".
    """
    kinds = tf.distribute.experimental.CollectiveCommunication
    kind = getattr(kinds, communication.upper())
    return tf.distribute.experimental.MultiWorkerMirroredStrategy(communication=kind)


@contextlib.contextmanager
def joined(strategy, cluster: Cluster, session_config: "tf.ConfigProto") -> Iterator[None]:
    """A context in which the training sessions of this thread are those of one of the cluster.

    Args:
      strategy: that of `make`; told the cluster.
      cluster: the processes.
      session_config: the options of sessions; completed in place.

    Raises:
      UserError: the address of this process is taken.
    """
    from tensorflow.python.distribute import distribute_coordinator

    spec = tf.train.ClusterSpec(cluster.jobs)
    task = dict(task_type=cluster.task_type, task_id=cluster.task_index)
    strategy.configure(session_config=session_config, cluster_spec=spec, **task)
    server_config = tf.ConfigProto()
    server_config.CopyFrom(session_config)
    # They are for sessions, not for what the server may reach.
    del server_config.device_filters[:]
    try:
        server = tf.distribute.Server(
            spec,
            job_name=cluster.task_type,
            task_index=cluster.task_index,
            protocol="grpc",
            config=server_config,
        )
    except tf.errors.UnknownError:
        raise UserError(links.taken_sentence(cluster.name(cluster.rank))) from None
    context = distribute_coordinator._WorkerContext(
        strategy, spec, session_config=session_config, rpc_layer="grpc", **task
    )
    with context:
        yield
    # Here and not when Python ends, where the destructor of TensorFlow 1.15 finds no modules left.
    del server
