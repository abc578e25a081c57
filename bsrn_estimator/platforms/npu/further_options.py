"""`--npu_option=NAME=VALUE`: options of NPURunConfig that have no flag of their own, checked here.

A wrong name is a TypeError of Python there; a wrong value is found out by the native layer, which
in many builds ends the process.
"""

import os
from typing import Any, Callable, Dict, Iterable, Tuple

from bsrn_estimator import files
from bsrn_estimator.errors import UserError

# Those that a flag sets, and the flag.
_FLAGS = {
    "precision_mode": "--precision_mode",
    "iterations_per_loop": "--iterations_per_loop",
    "session_device_id": "--device_id",
    "auto_tune_mode": "--auto_tune",
    "aoe_mode": "--aoe_mode",
    "work_path": "--tuning_dir",
    "profiling_config": "--profiling_dir",
    "dump_config": "--overflow_dump_dir or --data_dump_dir",
    "model_dir": "--model_dir",
    "tf_random_seed": "--seed",
    "save_checkpoints_steps": "--save_checkpoints_steps",
    "save_summary_steps": "--summary_steps",
    "keep_checkpoint_max": "--keep_checkpoint_max",
    "log_step_count_steps": "--log_steps",
}
# What the training graph and the pipeline are made for, and what no text can say.
_FIXED = {
    "session_config", "save_checkpoints_secs", "keep_checkpoint_every_n_hours", "distribute",
    "train_distribute", "eval_distribute", "enable_data_pre_proc", "mix_compile_mode",
    "hcom_parallel", "horovod_mode", "graph_run_mode", "dynamic_input", "dynamic_input_config",
    "dynamic_graph_execute_mode", "dynamic_inputs_shape_range", "memory_config",
    "experimental_config", "local_rank_id", "local_device_list", "mstune_mode", "insert_op_file",
    "compress_weight_conf",
}  # fmt: skip
_NUMBERS = {
    "op_debug_level", "enable_exception_dump", "enable_small_channel", "deterministic",
    "hccl_timeout", "op_wait_timeout", "op_execute_timeout", "topo_sorting_mode",
    "stream_sync_timeout", "event_sync_timeout",
}  # fmt: skip
_SWITCHES = {
    "enable_reduce_precision", "variable_format_optimize", "is_tailing_optimization",
    "enable_compress_weight", "hcom_multi_mode", "external_weight", "frozen_variable",
}  # fmt: skip
_FILES = {
    "modify_mixlist", "op_precision_mode", "fusion_switch_file", "customize_dtypes",
    "aoe_config_file", "distribute_config", "soc_config", "es_cluster_config", "op_debug_config",
}  # fmt: skip
_FOLDERS = {"op_compiler_cache_dir", "debug_dir"}
_CHOICES = {
    "op_select_implmode": (
        "high_precision",
        "high_performance",
        "high_precision_for_all",
        "high_performance_for_all",
    ),
    "buffer_optimize": ("l2_optimize", "off_optimize"),
    "op_compiler_cache_mode": ("enable", "disable", "force"),
    "precision_mode_v2": (
        "fp16",
        "origin",
        "cube_fp16in_fp32out",
        "mixed_float16",
        "mixed_bfloat16",
        "cube_hif8",
        "mixed_hif8",
    ),
    "deterministic": ("0", "1"),
    "jit_compile": ("true", "false", "auto"),
    "variable_placement": ("Device", "Host"),
}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def parsed(
    given: Iterable[str], accepts: Callable[[str], bool], precision_mode: str
) -> Dict[str, Any]:
    """The arguments of NPURunConfig that `--npu_option` asks for; makes the folders that it names.

    Args:
      given: the values of the flag, "NAME=VALUE" each.
      accepts: whether the constructor of this build takes an argument of that name.
      precision_mode: that of the run, which a mix list has to fit.

    Raises:
      UserError: a name is not one of this build, is set by a flag of its own or by training itself,
        or is given twice; or a value is none that it takes.
    """
    found: Dict[str, Any] = {}
    for option in given:
        name, value = _split(option)
        if name in found:
            raise UserError("--npu_option=%s is given twice; give it once" % name)
        _check_name(name, accepts)
        found[name] = _value(name, value)
    if "modify_mixlist" in found and not precision_mode.startswith("allow_mix_precision"):
        raise UserError(
            "--npu_option=modify_mixlist goes with --precision_mode=allow_mix_precision, not %s"
            % precision_mode
        )
    if "optypelist_for_implmode" in found and "op_select_implmode" not in found:
        raise UserError(
            "--npu_option=optypelist_for_implmode needs --npu_option=op_select_implmode=... too"
        )
    return found


def _split(option: str) -> Tuple[str, str]:
    name, equals, value = option.partition("=")
    if not (name.isidentifier() and equals and value):
        raise UserError(
            "--npu_option=%s must be NAME=VALUE, such as --npu_option=op_select_implmode="
            "high_precision" % option
        )
    return name, value


def _check_name(name: str, accepts: Callable[[str], bool]) -> None:
    if name in _FLAGS:
        raise UserError("--npu_option=%s has a flag of its own; give %s" % (name, _FLAGS[name]))
    if name in _FIXED:
        raise UserError(
            "--npu_option=%s is set by training itself, or is no text; leave it out" % name
        )
    if not accepts(name):
        raise UserError(
            "this build of npu_bridge has no option %s; leave --npu_option=%s out, or use a build "
            "that has it" % (name, name)
        )


def _value(name: str, text: str) -> Any:
    choices = _CHOICES.get(name)
    if choices and text not in choices:
        raise UserError("--npu_option=%s takes %s, not %s" % (name, " or ".join(choices), text))
    if name in _NUMBERS:
        if not text.lstrip("-").isdigit():
            raise UserError("--npu_option=%s takes a whole number, not %s" % (name, text))
        return int(text)
    if name in _SWITCHES:
        if text.lower() not in _TRUTH:
            raise UserError("--npu_option=%s takes true or false, not %s" % (name, text))
        return _TRUTH[text.lower()]
    if name in _FILES:
        if not os.access(text, os.R_OK) or os.path.isdir(text):
            raise UserError("--npu_option=%s=%s is not a file that can be read" % (name, text))
        return os.path.abspath(text)
    if name in _FOLDERS:
        return writable_folder("npu_option=" + name, text)
    return text


def writable_folder(flag: str, path: str) -> str:
    """The absolute path of the folder that a flag names, made where it is missing.

    Raises:
      UserError: it cannot be made, read or written.
    """
    path = os.path.abspath(path)
    files.make_folder(path, "--%s=%s" % (flag, path))
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise UserError("--%s=%s cannot be read and written; name another folder" % (flag, path))
    return path
