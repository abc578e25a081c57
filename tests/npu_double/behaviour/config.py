"""NPURunConfig and the small configurations that go into it, with what they check in Python; and
what the native layer finds out about them only when the first session runs."""

import os
import re

import tensorflow.compat.v1 as tf
from npu_bridge.behaviour import exchange
from npu_bridge.behaviour.build_name import BUILD

# Not of the base class, and read by the estimator.
_OWN_TYPES = {"stream_max_parallel_num": str, "insert_op_file": bytes, "jit_compile": str}
_BASE = (
    "model_dir",
    "tf_random_seed",
    "save_summary_steps",
    "session_config",
    "keep_checkpoint_max",
    "keep_checkpoint_every_n_hours",
    "log_step_count_steps",
    "train_distribute",
    "eval_distribute",
)
_PRECISION_MODES = {
    "development": "force_fp16 allow_fp32_to_fp16 must_keep_origin_dtype allow_mix_precision",
    "r1.8.0": "force_fp16 allow_fp32_to_fp16 must_keep_origin_dtype allow_mix_precision force_fp32 "
    "cube_fp16in_fp32out",
    "master": "force_fp16 allow_fp32_to_fp16 must_keep_origin_dtype allow_mix_precision force_fp32 "
    "cube_fp16in_fp32out allow_mix_precision_fp16 allow_mix_precision_bf16 allow_fp32_to_bf16",
}

_AOE_MODES = {
    "development": (),
    "r1.8.0": ("1", "2", "3", "4"),
    "master": ("1", "2", "4", "mdat"),
}
_OF_OPERATORS = ("", "high_precision", "high_performance")
_OF_ALL = _OF_OPERATORS + ("high_precision_for_all", "high_performance_for_all")
_IMPLEMENTATIONS = {"development": _OF_OPERATORS, "r1.8.0": _OF_ALL, "master": _OF_ALL}
_FILES = ("modify_mixlist", "fusion_switch_file", "op_precision_mode", "customize_dtypes")
# The fields of a protocol buffer that the values go into.
_KINDS = {
    "deterministic": int,
    "enable_small_channel": int,
    "op_debug_level": int,
    "hccl_timeout": int,
    "external_weight": bool,
    "enable_reduce_precision": bool,
    "op_select_implmode": str,
    "graph_memory_max_size": str,
    "op_compiler_cache_dir": str,
}


class NativeError(RuntimeError):
    """Where this is raised, the real process writes to its log and ends, or the session fails."""


class _Plain:
    def __init__(self, arguments):
        self.__dict__.update(arguments)


class ProfilingConfig(_Plain):
    pass


class DumpConfig(_Plain):
    pass


class DynamicInputConfig(_Plain):
    pass


class NPURunConfig(tf.estimator.RunConfig):
    def __init__(self, arguments):
        _check(arguments)
        base = {name: arguments[name] for name in _BASE if name in arguments}
        steps, seconds = arguments["save_checkpoints_steps"], arguments["save_checkpoints_secs"]
        if steps is None and seconds is None:
            steps = 100
        if steps is not None:
            base["save_checkpoints_steps"] = steps
        if seconds is not None:
            base["save_checkpoints_secs"] = seconds
        if "cluster" in os.environ.get("TF_CONFIG", "") and arguments["distribute"] is None:
            raise ValueError('"cluster" and "distribute" must all be set in ps mode')
        super().__init__(**base)
        self.npu = {name: value for name, value in arguments.items() if name not in base}


def _check(given):
    loop = given["iterations_per_loop"]
    if not isinstance(loop, int):
        raise TypeError("iterations_per_loop must be int")
    if loop < 1:
        raise ValueError("iterations_per_loop must be positive")
    if not isinstance(given["mix_compile_mode"], bool):
        kind = TypeError if BUILD == "master" else ValueError
        raise kind('"mix_compile_mode" type must be bool')
    if given["mix_compile_mode"] and loop != 1:
        raise ValueError('"iterations_per_loop" must be 1 with "mix_compile_mode"')
    if not isinstance(given["horovod_mode"], bool):
        raise ValueError('"horovod_mode" type must be bool')
    for name, kind in (("dump_config", DumpConfig), ("dynamic_input_config", DynamicInputConfig)):
        if given[name] is not None and not isinstance(given[name], kind):
            raise ValueError("`%s` must be provided with type `%s`" % (name, kind.__name__))
    if given["graph_run_mode"] not in (0, 1):
        raise ValueError('"graph_run_mode" must be 0 or 1')
    for name, kind in _OWN_TYPES.items():
        value = given.get(name)
        if value is not None and not isinstance(value, kind):
            raise TypeError("Expected %s, got %s" % (kind.__name__, type(value).__name__))


def check_natively(config):
    """What the native layer checks when the first session runs."""
    given = config.npu
    mode = given["precision_mode"]
    if mode is not None and mode not in _PRECISION_MODES[BUILD].split():
        raise NativeError("precision_mode %s" % mode)
    if given["op_select_implmode"] not in (None,) + _IMPLEMENTATIONS[BUILD]:
        raise NativeError("op_select_implmode %s" % given["op_select_implmode"])
    if given["session_device_id"] is not None and given["session_device_id"] < 0:
        raise NativeError("session_device_id %s" % given["session_device_id"])
    if given.get("aoe_mode") not in (None,) + _AOE_MODES[BUILD]:
        raise NativeError("aoe_mode %s" % given["aoe_mode"])
    if given.get("precision_mode_v2") is not None and mode is not None:
        raise NativeError("precision_mode and precision_mode_v2 together")
    if given.get("modify_mixlist") is not None and not str(mode).startswith("allow_mix"):
        raise NativeError("modify_mixlist with precision_mode %s" % mode)
    for name in _FILES:
        if given.get(name) is not None and not os.path.isfile(given[name]):
            raise NativeError("%s %s" % (name, given[name]))
    for name, kind in _KINDS.items():
        if given.get(name) is not None and type(given[name]) is not kind:
            raise TypeError("%s has type %s" % (name, type(given[name]).__name__))
    _check_card(given["session_device_id"])
    if given["dump_config"] is not None:
        _check_dump(given["dump_config"])
    profiling = given["profiling_config"]
    if profiling is not None and profiling.enable_profiling and BUILD == "development":
        if not profiling.profiling_options:
            raise ValueError("profiling_options must be set")


def _check_card(session_device_id):
    """The graph waits on one card, and the queue of data feeds one: the same."""
    queue = int(os.environ.get("ASCEND_DEVICE_ID") or os.environ.get("DEVICE_ID") or 0)
    graph = queue if session_device_id is None else session_device_id
    # Of these builds the latest alone tells the queue of the session's card.
    if BUILD != "master" and graph != queue:
        raise NativeError("no data: the queue is that of card %d, not %d" % (queue, graph))
    exchange.claim(graph)


def _check_dump(dump):
    if not (dump.enable_dump or dump.enable_dump_debug):
        return
    if dump.enable_dump and dump.enable_dump_debug:
        raise NativeError("enable_dump and enable_dump_debug together")
    if not (dump.dump_path and os.access(dump.dump_path, os.R_OK | os.W_OK)):
        raise NativeError("dump_path %s" % dump.dump_path)
    if dump.dump_step and not re.match(r"^\d+(-\d+)?(\|\d+(-\d+)?){0,99}$", dump.dump_step):
        raise NativeError("dump_step %s" % dump.dump_step)
    if dump.dump_mode not in ("input", "output", "all"):
        raise NativeError("dump_mode %s" % dump.dump_mode)
    if dump.dump_debug_mode not in ("aicore_overflow", "atomic_overflow", "all"):
        raise NativeError("dump_debug_mode %s" % dump.dump_debug_mode)
