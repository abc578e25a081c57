"""Features in a unit of sixteen grey levels, which keeps a new network in the range of float16.

At its first weights the network of the paper makes features and pictures of up to some 1e5 grey
levels, and float16 ends at 65504. Its convolutions and ReLUs have no unit: where the first kernel
and every bias but the last are multiplied by u, all features are, and so is what the last
convolution makes, which is then divided by u in float32. With u a power of two float32 computes the
same pictures, and the same gradients but for the order of some sums.
"""

from typing import Callable, Dict

# Measured with `python -m benchmarks.float16`; docs/ascend.md has the figures.
UNIT = 2.0**-4


def scaled(unit: float, is_in_unit: Callable[[str], bool]) -> Callable:
    """A getter for `tf.variable_scope` that hands out weights for features in `unit`.

    `is_in_unit` is that of the network: whether the weight of a name is multiplied.

    The variables themselves, and so checkpoints, stay as they are.
    """
    made: Dict[str, object] = {}

    def get(getter: Callable, name: str, *args, **kwargs):
        variable = getter(name, *args, **kwargs)
        if not is_in_unit(name):
            return variable
        # Once each, as a weight of the block is asked for in every recursion.
        if name not in made:
            made[name] = variable * unit
        return made[name]

    return get
