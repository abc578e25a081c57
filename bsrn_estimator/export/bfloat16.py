"""An exported graph with its convolutions in bfloat16, for processors that have it.

What `networks.precision.scope` does while a network is built is done here to the nodes of one that
stands: an export was written in float32 and runs everywhere.
"""

from typing import Dict, Set

from bsrn_estimator.compat import tf
from bsrn_estimator.networks.precision import stays_float32

# Which inputs of what may follow a convolution are data of its type.
_DATA_INPUTS = {"Conv2D": 2, "BiasAdd": 2, "Relu": 1, "DepthToSpace": 1}
# What a weight passes on its way from its constant.
_PASSES = ("Identity", "Cast", "ReadVariableOp", "StopGradient")


def in_bfloat16(definition: tf.GraphDef) -> tf.GraphDef:
    """The graph with its convolutions, and what follows them alone, in bfloat16.

    Args:
      definition: a graph whose weights are constants that bear the names of the variables.

    Returns:
      A graph of the same nodes, whose results have the same types; casts are added.
    """
    nodes = {node.name: node for node in definition.node}
    half = _half(definition, nodes)
    result = tf.GraphDef(versions=definition.versions, library=definition.library)
    added: Set[str] = set()
    for node in definition.node:
        copy = result.node.add()
        copy.CopyFrom(node)
        data = _DATA_INPUTS.get(node.op, 0) if node.name in half else 0
        if data:
            copy.attr["T"].type = tf.bfloat16.as_datatype_enum
        for index, source in enumerate(node.input):
            wanted = tf.bfloat16 if index < data else tf.float32
            given = tf.bfloat16 if _name(source) in half else tf.float32
            if not source.startswith("^") and wanted != given:
                copy.input[index] = _cast(result, added, source, wanted, given)
    return result


def _half(definition, nodes: Dict) -> Set[str]:
    """The names of the nodes whose results are in bfloat16."""
    half: Set[str] = set()
    known = -1
    while known != len(half):  # nodes may come in any order
        known = len(half)
        for node in definition.node:
            if node.op == "Conv2D":
                if node.attr["T"].type == tf.float32.as_datatype_enum:
                    weight = _origin(node.input[1], nodes)
                    if weight.op == "Const" and not stays_float32(weight.name):
                        half.add(node.name)
            elif node.op in _DATA_INPUTS and _name(node.input[0]) in half:
                half.add(node.name)
    return half


def _origin(source: str, nodes: Dict):
    node = nodes[_name(source)]
    while node.op in _PASSES:
        node = nodes[_name(node.input[0])]
    return node


def _name(source: str) -> str:
    return source.lstrip("^").split(":")[0]


def _cast(result, added: Set[str], source: str, wanted, given) -> str:
    """The name of the node that casts `source`; made where it is not there."""
    name = "%s/to_%s" % (_name(source), wanted.name)
    if name not in added:
        added.add(name)
        node = result.node.add(name=name, op="Cast", input=[source])
        node.attr["SrcT"].type = given.as_datatype_enum
        node.attr["DstT"].type = wanted.as_datatype_enum
        node.attr["Truncate"].b = False
    return name
