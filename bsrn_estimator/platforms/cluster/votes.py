"""What all processes know of a step: its losses, and whether one of them wants to stop.

A step needs all of them, so all have to stop after the same one; and a loss that is not a number
is everybody's.
"""

from typing import Any, Dict, List, NamedTuple

from bsrn_estimator.compat import tf

_COLLECTION = "bsrn_votes"
_AVERAGED = "loss/"


class Vote(NamedTuple):
    """A wish for each reason to stop: float32 [2], told to, time is up.

    Attributes:
      own: the tensor to feed, 1 for a wish of this process.
      of_all: above 0 where any process has it.
    """

    own: Any
    of_all: Any


def shared(values: Dict[str, Any]) -> Dict[str, Any]:
    """The values of a step with the losses as means over all replicas of all processes.

    To be called for each replica; adds a vote to the graph. One exchange of a few numbers.

    Args:
      values: scalar tensors by name, as `training.model_fn` has them.
    """
    names = [name for name in values if name.startswith(_AVERAGED)]
    own = tf.placeholder_with_default(tf.zeros([2]), [2], name="own_votes")
    vector = tf.concat([tf.stack([values[name] for name in names]), own], axis=0)
    replica = tf.distribute.get_replica_context()
    mean = replica.all_reduce(tf.distribute.ReduceOp.MEAN, vector)
    tf.add_to_collection(_COLLECTION, Vote(own, mean[len(names) :]))
    return dict(values, **dict(zip(names, tf.unstack(mean[: len(names)], num=len(names)))))


def in_graph() -> List[Vote]:
    """The votes of the default graph, one for each replica."""
    return list(tf.get_collection(_COLLECTION))
