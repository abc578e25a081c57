"""Whether a training graph keeps to what an Ascend NPU runs whole: static shapes, no control flow.

The NPU compiles everything that a training step fetches into one graph. What it cannot take over
stays on the host without a word, or fails when it is compiled; so it is looked for here, in the
graph, before a session starts.
"""

import collections
import importlib.util
import os
import sys
from typing import Any, Iterable, List, Set

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError

Violation = collections.namedtuple("Violation", "operation kind reason")

_CONTROL_FLOW = {
    "Switch", "Merge", "RefSwitch", "RefMerge", "Enter", "RefEnter", "Exit", "RefExit",
    "NextIteration", "RefNextIteration", "LoopCond", "If", "StatelessIf", "While",
    "StatelessWhile", "Case", "StatelessCase",
}  # fmt: skip
_HOST_ONLY_PREFIXES = (
    "Decode", "Encode", "PyFunc", "EagerPyFunc", "ReadFile", "WriteFile", "LookupTable",
    "HashTable", "MutableHashTable", "Placeholder", "QueueDequeue", "QueueEnqueue",
    "ExtractJpegShape", "ImageSummary", "ScalarSummary", "HistogramSummary", "MergeSummary",
    "WriteSummary", "WriteScalarSummary", "WriteImageSummary", "DrawBoundingBoxes",
)  # fmt: skip
_WIDE_FLOATS = ("float64", "complex64", "complex128")
_ITERATORS = ("IteratorGetNext", "IteratorGetNextSync")
# The device runs these itself where they are next to the iterator.
_PULLED_DATASETS = ("MapDataset", "ParallelMapDataset", "BatchDataset", "MapAndBatchDataset")
_WRAPPING_DATASETS = ("ModelDataset", "OptimizeDataset", "OptionsDataset", "FinalizeDataset")

_STATIC = "its shape %s is not fixed; train with --scale_schedule=joint, as configs/npu.flags"


def check(fetches: Iterable) -> None:
    """Looks at all that a training step computes.

    Args:
      fetches: the operations and tensors that the session runs in every step; those of them that
        npu_bridge made are its own affair, as far as control flow and host operations go.

    Raises:
      UserError: an operation breaks the rules of a static graph; the sentence names the first one,
        and the number of others.
    """
    found = violations(fetches)
    if not found:
        return
    first = found[0]
    others = "" if len(found) == 1 else " (and %d more)" % (len(found) - 1)
    raise UserError(
        "operation %s (%s) cannot be trained on the NPU: %s%s"
        % (first.operation.name, first.operation.type, first.reason, others)
    )


def violations(fetches: Iterable) -> List[Violation]:
    """All operations that break the rules, those nearest to the input first.

    See `check`. `kind` is one of "shape", "control flow", "float64", "string", "host", "pipeline".
    """
    found = []
    for operation in reversed(_reached(fetches)):
        if operation.type in _ITERATORS:
            found.extend(_of_iterator(operation))
        else:
            found.extend(_of_operation(operation))
    return found


def _reached(fetches: Iterable) -> List:
    """The operations that the fetches depend on, not looking behind the iterator."""
    waiting = [getattr(fetch, "op", fetch) for fetch in fetches]
    seen, order = set(), []
    while waiting:
        operation = waiting.pop(0)
        if operation in seen:
            continue
        seen.add(operation)
        order.append(operation)
        if operation.type not in _ITERATORS:
            waiting.extend(tensor.op for tensor in operation.inputs)
        waiting.extend(operation.control_inputs)
    return order


def _of_operation(operation) -> Iterable[Violation]:
    if operation.type in _CONTROL_FLOW and not _from_npu_bridge(operation):
        reason = (
            "control flow has no place in a static graph; use --scale_schedule=joint, as "
            "configs/npu.flags does"
        )
        yield Violation(operation, "control flow", reason)
    elif operation.type.startswith(_HOST_ONLY_PREFIXES) and not _from_npu_bridge(operation):
        yield Violation(operation, "host", "it runs on the host only; move it to the input_fn")
    # The axes along which a gradient was broadcast: integers that are constants once compiled.
    elif operation.type != "BroadcastGradientArgs":
        yield from _of_outputs(operation)


def _of_outputs(operation) -> Iterable[Violation]:
    for tensor in operation.outputs:
        kind = tensor.dtype.base_dtype
        if kind == tf.string:
            yield Violation(operation, "string", "strings have no place on the device")
        elif kind.name in _WIDE_FLOATS:
            reason = "%s is not supported on the device; use float32" % kind.name
            yield Violation(operation, "float64", reason)
        elif kind not in (tf.resource, tf.variant) and not tensor.shape.is_fully_defined():
            yield Violation(operation, "shape", _STATIC % tensor.shape)
        else:
            continue
        return


def _of_iterator(operation) -> Iterable[Violation]:
    yield from _of_outputs(operation)
    last = _last_dataset(operation)
    if last is not None and last.type.startswith(_PULLED_DATASETS):
        reason = "as the last step of the input pipeline it would move to the device; prefetch last"
        yield Violation(last, "pipeline", reason)


def _last_dataset(get_next) -> Any:
    """The operation of the dataset that `get_next` takes from, without what TensorFlow adds."""
    iterator = get_next.inputs[0].op
    for consumer in iterator.outputs[0].consumers():
        if consumer.type == "MakeIterator":
            dataset = consumer.inputs[0].op
            while dataset.type in _WRAPPING_DATASETS:
                dataset = dataset.inputs[0].op
            return dataset
    return None


def _from_npu_bridge(operation) -> bool:
    """Whether npu_bridge called for the operation: its loss scaling has a condition, for one."""
    home = getattr(sys.modules.get("npu_bridge"), "__file__", None)
    if not home:
        return False
    for frame in reversed(list(operation.traceback or ())):
        if not _inside(frame[0], _TENSORFLOW):
            return _inside(frame[0], {_folder(home)})
    return False


def _inside(path: str, folders: Iterable[str]) -> bool:
    return any(os.path.realpath(path).startswith(folder) for folder in folders)


def _folder(file: str) -> str:
    return os.path.dirname(os.path.realpath(file)) + os.sep


def _tensorflow_folders() -> Set[str]:
    """The folders of TensorFlow's own packages: in 1.15 most of it is in tensorflow_core."""
    found = set()
    for name in ("tensorflow", "tensorflow_core", "tensorflow_estimator"):
        try:
            specification = importlib.util.find_spec(name)
        except ValueError:  # a module without one, as the estimator's stand-in
            continue
        if specification and specification.origin:
            found.add(_folder(specification.origin))
    return found


_TENSORFLOW = _tensorflow_folders()
