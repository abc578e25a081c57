"""The flags of a run on the NPU against the constructors of three builds."""

import inspect
import json
import os

import pytest
from absl import flags

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.npu import bridge
from bsrn_estimator.platforms.npu import options as npu_options
from bsrn_estimator.platforms.npu.options import NpuOptions
from tests import npu_double


def _accepts(build):
    names = {p["name"] for p in npu_double.signatures(build)["NPURunConfig"]["params"]}
    return names.__contains__


@pytest.fixture(autouse=True)
def plain_configurations(monkeypatch):
    """The small configurations as dictionaries, so that no npu_bridge is needed here."""
    monkeypatch.setattr(bridge, "symbol", lambda _name: dict)
    monkeypatch.delenv("TUNE_BANK_PATH", raising=False)


@pytest.mark.parametrize("build", npu_double.BUILDS)
def test_all_builds_take_what_is_given_by_default(build):
    arguments = NpuOptions(device_id=3).run_config_arguments(_accepts(build))
    assert set(filter(_accepts(build), arguments)) == set(arguments)
    assert arguments["precision_mode"] == "allow_mix_precision"
    assert arguments["session_device_id"] == 3


@pytest.mark.parametrize(
    "given, said",
    [
        ({"precision_mode": "fp16"}, "--precision_mode"),
        ({"loss_scale": "fixed"}, "--loss_scale"),
        ({"loss_scale": "fixed:0"}, "--loss_scale"),
        ({"iterations_per_loop": 0}, "--iterations_per_loop"),
        ({"device_id": -1}, "--device_id"),
        ({"auto_tune": "yes"}, "--auto_tune"),
        ({"aoe_mode": "3", "tuning_dir": "t"}, "--aoe_mode"),
        ({"aoe_mode": "2", "auto_tune": "RL,GA", "tuning_dir": "t"}, "exclude each other"),
        ({"aoe_mode": "2"}, "--tuning_dir"),
        ({"tuning_dir": "t"}, "--tuning_dir"),
        ({"overflow_dump_dir": "a", "data_dump_dir": "b"}, "exclude each other"),
        ({"data_dump_dir": "a", "data_dump_steps": "1,2"}, "--data_dump_steps"),
        ({"data_dump_steps": "|".join("1" * 101)}, "--data_dump_steps"),
        ({"max_skipped_steps": 0}, "--max_skipped_steps"),
        ({"aoe_mode": "2", "tuning_dir": "t", "iterations_per_loop": 2}, "--iterations_per_loop"),
    ],
)
def test_a_wrong_value_is_named(given, said):
    with pytest.raises(UserError, match=said):
        NpuOptions(**given)


def test_fixed_loss_scale():
    assert NpuOptions(loss_scale="fixed:1024").fixed_loss_scale == 1024
    assert NpuOptions(loss_scale="dynamic").fixed_loss_scale is None


def test_tuning_is_given_to_the_builds_that_have_it(tmp_path):
    folder = str(tmp_path / "tuned")
    auto_tune = NpuOptions(auto_tune="RL,GA", tuning_dir=folder)
    aoe = NpuOptions(aoe_mode="2", tuning_dir=folder)
    assert auto_tune.run_config_arguments(_accepts("development"))["auto_tune_mode"] == "RL,GA"
    assert os.environ.pop("TUNE_BANK_PATH") == folder and os.path.isdir(folder)
    given = aoe.run_config_arguments(_accepts("r1.8.0"))
    assert (given["aoe_mode"], given["work_path"]) == ("2", folder)
    with pytest.raises(UserError, match="no auto_tune_mode.*--auto_tune.*--aoe_mode"):
        auto_tune.run_config_arguments(_accepts("master"))
    with pytest.raises(UserError, match="no aoe_mode.*--aoe_mode.*--auto_tune"):
        aoe.run_config_arguments(_accepts("development"))


def test_a_tuning_mode_that_ends_the_process_of_older_builds(tmp_path):
    aoe = NpuOptions(aoe_mode="mdat", tuning_dir=str(tmp_path))
    assert aoe.run_config_arguments(_accepts("master"))["aoe_mode"] == "mdat"
    with pytest.raises(UserError, match="--aoe_mode=mdat"):
        aoe.run_config_arguments(_accepts("r1.8.0"))


def test_later_precision_modes_need_a_later_build():
    late = NpuOptions(precision_mode="allow_mix_precision_bf16")
    assert late.run_config_arguments(_accepts("master"))["precision_mode"].endswith("bf16")
    with pytest.raises(UserError, match="--precision_mode=allow_mix_precision_bf16"):
        late.run_config_arguments(_accepts("r1.8.0"))
    with pytest.raises(UserError, match="--precision_mode=force_fp32"):
        NpuOptions(precision_mode="force_fp32").run_config_arguments(_accepts("development"))


def test_diagnosis_goes_into_folders_that_are_made(tmp_path):
    folder = str(tmp_path / "a" / "b")
    given = NpuOptions(profiling_dir=folder).run_config_arguments(_accepts("master"))
    written = json.loads(given["profiling_config"]["profiling_options"])
    assert written["output"] == folder and os.path.isdir(folder)
    dump = NpuOptions(overflow_dump_dir=folder).run_config_arguments(_accepts("master"))
    assert dump["dump_config"]["enable_dump_debug"] and dump["dump_config"]["dump_path"] == folder
    dump = NpuOptions(data_dump_dir=folder, data_dump_steps="0|10-20")
    given = dump.run_config_arguments(_accepts("development"))["dump_config"]
    assert given["enable_dump"] and given["dump_step"] == "0|10-20"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    wrong = NpuOptions(profiling_dir=str(tmp_path / "file" / "in"))
    with pytest.raises(UserError, match="--profiling_dir="):
        wrong.run_config_arguments(_accepts("master"))


def test_the_flags_are_the_fields(monkeypatch):
    values = flags.FlagValues()
    defined = list(NpuOptions.define_flags(values, ("train",)))
    assert [flag.name for flag in defined] == list(inspect.signature(NpuOptions).parameters)
    values(["command", "--loss_scale=fixed:8"])
    assert NpuOptions.from_flags(values) == NpuOptions(loss_scale="fixed:8")
    values(["command", "--loss_scale=fixed:8", "--npu_option=a=1,2", "--npu_option=b=c=d"])
    assert NpuOptions.from_flags(values).npu_option == ("a=1,2", "b=c=d")
    with pytest.raises(UserError, match="--loss_scale is for --use_npu"):
        npu_options.refuse_given(values)
