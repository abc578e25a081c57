"""The flags of a run on Ascend, checked in Python: the native layer ends the process instead."""

import dataclasses
import json
import os
import re
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.npu import bridge, further_options
from bsrn_estimator.settings import EVALUATION, Settings, setting

PRECISION_MODES = (
    "allow_mix_precision",
    "must_keep_origin_dtype",
    "allow_fp32_to_fp16",
    "force_fp16",
    "force_fp32",
    "cube_fp16in_fp32out",
    "allow_mix_precision_fp16",
    "allow_mix_precision_bf16",
    "allow_fp32_to_bf16",
)
# What the mode needs is in later builds only; these came with `modify_mixlist` or after it.
_LATER_MODES = {
    "force_fp32": "op_precision_mode",
    "cube_fp16in_fp32out": "op_precision_mode",
    "allow_mix_precision_fp16": "precision_mode_v2",
    "allow_mix_precision_bf16": "precision_mode_v2",
    "allow_fp32_to_bf16": "precision_mode_v2",
}
EVALUATE_ON = ("host", "npu")
_AUTO_TUNE = ("RL,GA", "GA,RL", "RL", "GA")
_AOE_MODES = ("1", "2", "4", "mdat")
_DUMP_STEPS = re.compile(r"\d+(-\d+)?(\|\d+(-\d+)?){0,99}")


def refuse_given(flags) -> None:
    """Raises UserError where a flag of this file is given without --use_npu."""
    for field in dataclasses.fields(NpuOptions):
        if flags[field.name].present:
            raise UserError("--%s is for --use_npu; add that, or leave it out" % field.name)


@dataclasses.dataclass(frozen=True)
class NpuOptions(Settings):
    """How a run uses the NPU.

    Raises:
      UserError: a value is not one that the flag takes, or two flags exclude each other.
    """

    precision_mode: str = setting(
        "allow_mix_precision",
        "how GE chooses between float16 and float32; later builds know more of them",
        choices=PRECISION_MODES,
    )
    loss_scale: str = setting(
        "dynamic",
        "dynamic, from 2^16 up by doubles and down by halves on overflow; fixed:N, the loss times "
        "N; or none",
    )
    max_skipped_steps: int = setting(
        100, "ends training once so many steps in a row were skipped for overflow", least=1
    )
    iterations_per_loop: int = setting(
        1, "steps made on the device in one run of the session", least=1
    )
    device_id: Optional[int] = setting(
        None, "which card to use", kind=int, least=0, shown="DEVICE_ID of the environment, or 0"
    )
    evaluate_on: str = setting(
        "host",
        "evaluates on the host's CPU, or on the card in tiles of a few fixed shapes",
        choices=EVALUATE_ON,
        modes=EVALUATION,
    )
    auto_tune: Optional[str] = setting(
        None, "builds up to 2022: RL,GA, RL or GA, tunes operators while training", kind=str
    )
    aoe_mode: Optional[str] = setting(
        None, "builds from 2022 on: 1, 2, 4 or mdat, tunes graph and operators", kind=str
    )
    tuning_dir: Optional[str] = setting(
        None, "folder for what --auto_tune or --aoe_mode finds; made if missing", kind=str
    )
    profiling_dir: Optional[str] = setting(None, "profiles training into this folder", kind=str)
    overflow_dump_dir: Optional[str] = setting(
        None, "writes operators that overflow into this folder", kind=str
    )
    data_dump_dir: Optional[str] = setting(
        None, "writes inputs and outputs of all operators into this folder", kind=str
    )
    data_dump_steps: str = setting("0", "which steps --data_dump_dir writes, such as 0|5|10-20")
    npu_option: Tuple[str, ...] = setting(
        (), "a further option of NPURunConfig; may be repeated", kind=list
    )

    def _rules(self) -> Iterator[Tuple[bool, str]]:
        yield (
            bool(re.fullmatch(r"none|dynamic|fixed:[1-9][0-9]*", self.loss_scale)),
            "--loss_scale takes none, dynamic or fixed:N with N at least 1, not %s"
            % self.loss_scale,
        )
        yield (
            self.auto_tune in (None,) + _AUTO_TUNE,
            "--auto_tune takes %s, not %s" % (" or ".join(_AUTO_TUNE), self.auto_tune),
        )
        yield (
            self.aoe_mode in (None,) + _AOE_MODES,
            "--aoe_mode takes %s, not %s" % (" or ".join(_AOE_MODES), self.aoe_mode),
        )
        yield (
            not (self.auto_tune and self.aoe_mode),
            "--auto_tune and --aoe_mode exclude each other; give the one that your build has",
        )
        yield (
            not (self.aoe_mode and self.iterations_per_loop > 1),
            "--aoe_mode makes one step in each run of the session, whatever is asked for; leave "
            "--iterations_per_loop out",
        )
        yield (
            bool(self.tuning_dir) == bool(self.auto_tune or self.aoe_mode),
            "--tuning_dir goes with --auto_tune or --aoe_mode, which need it; give both or neither",
        )
        yield (
            not (self.overflow_dump_dir and self.data_dump_dir),
            "--overflow_dump_dir and --data_dump_dir exclude each other; give one a run",
        )
        yield (
            bool(_DUMP_STEPS.fullmatch(self.data_dump_steps)),
            "--data_dump_steps takes steps such as 0|5|10-20, at most 100 of them, not %s"
            % self.data_dump_steps,
        )

    @property
    def fixed_loss_scale(self) -> Optional[int]:
        """N of `--loss_scale=fixed:N`, or None."""
        kind, _, number = self.loss_scale.partition(":")
        return int(number) if kind == "fixed" else None

    def run_config_arguments(self, accepts: Callable[[str], bool]) -> Dict[str, Any]:
        """What these options say to NPURunConfig; makes the folders that they name.

        Args:
          accepts: whether the constructor of this build takes an argument of that name.

        Raises:
          UserError: the build cannot serve a flag, or a folder cannot be written.
        """
        arguments = {
            "iterations_per_loop": self.iterations_per_loop,
            "precision_mode": self._precision_mode(accepts),
            "hcom_parallel": True,
            # The pipeline feeds a queue of the device; its own steps all stay on the host, since
            # it ends in a prefetch.
            "enable_data_pre_proc": True,
        }
        if self.device_id is not None:
            arguments["session_device_id"] = self.device_id
        arguments.update(self._tuning(accepts))
        arguments.update(self._diagnosis())
        further = further_options.parsed(self.npu_option, accepts, self.precision_mode)
        if "precision_mode_v2" in further:
            # npu_bridge takes one of the two.
            del arguments["precision_mode"]
        return dict(arguments, **further)

    def _precision_mode(self, accepts) -> str:
        needed = _LATER_MODES.get(self.precision_mode)
        if needed and not accepts(needed):
            raise UserError(
                "this build of npu_bridge does not know --precision_mode=%s; use "
                "allow_mix_precision, must_keep_origin_dtype, allow_fp32_to_fp16 or force_fp16"
                % self.precision_mode
            )
        return self.precision_mode

    def _tuning(self, accepts) -> Dict[str, Any]:
        if not self.tuning_dir:
            return {}
        flag, argument, value, other = (
            ("auto_tune", "auto_tune_mode", self.auto_tune, "aoe_mode=2")
            if self.auto_tune
            else ("aoe_mode", "aoe_mode", self.aoe_mode, "auto_tune=RL,GA")
        )
        if not accepts(argument):
            raise UserError(
                "this build of npu_bridge has no %s, which --%s needs; try --%s"
                % (argument, flag, other)
            )
        # Builds before the one with this argument end the process on it.
        if self.aoe_mode == "mdat" and not accepts("aoe_config_file"):
            raise UserError(
                "this build of npu_bridge does not know --aoe_mode=mdat; give 1, 2 or 4, or use a "
                "build of 2023 or later"
            )
        folder = further_options.writable_folder("tuning_dir", self.tuning_dir)
        if flag == "auto_tune":
            # Where the tuner of these builds looks for its knowledge and leaves it.
            os.environ["TUNE_BANK_PATH"] = folder
            return {argument: value}
        return {argument: value, "work_path": folder}

    def _diagnosis(self) -> Dict[str, Any]:
        arguments = {}
        if self.profiling_dir:
            folder = further_options.writable_folder("profiling_dir", self.profiling_dir)
            wanted = {"output": folder, "training_trace": "on", "task_trace": "on"}
            wanted.update(fp_point="", bp_point="")
            profiling = bridge.symbol("ProfilingConfig")
            arguments["profiling_config"] = profiling(
                enable_profiling=True, profiling_options=json.dumps(wanted)
            )
        dump = bridge.symbol("DumpConfig") if self._dump_dir() else None
        if self.overflow_dump_dir:
            folder = further_options.writable_folder("overflow_dump_dir", self.overflow_dump_dir)
            arguments["dump_config"] = dump(
                enable_dump_debug=True, dump_path=folder, dump_debug_mode="all"
            )
        elif self.data_dump_dir:
            folder = further_options.writable_folder("data_dump_dir", self.data_dump_dir)
            arguments["dump_config"] = dump(
                enable_dump=True,
                dump_path=folder,
                dump_step=self.data_dump_steps,
                dump_mode="all",
            )
        return arguments

    def _dump_dir(self) -> Optional[str]:
        return self.overflow_dump_dir or self.data_dump_dir
