"""--npu_option against the constructors of three builds: what passes, and each refusal by name."""

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.npu import further_options
from bsrn_estimator.platforms.npu.options import NpuOptions
from tests import npu_double

_MIXED = "allow_mix_precision"


def _accepts(build):
    names = {p["name"] for p in npu_double.signatures(build)["NPURunConfig"]["params"]}
    return names.__contains__


def _parsed(*given, build="master", precision_mode=_MIXED):
    return further_options.parsed(given, _accepts(build), precision_mode)


def test_values_have_the_types_of_the_options(tmp_path):
    mixlist = tmp_path / "mix.json"
    mixlist.write_text("{}")
    assert _parsed(
        "modify_mixlist=%s" % mixlist,
        "op_select_implmode=high_precision",
        "deterministic=1",
        "external_weight=true",
        "graph_memory_max_size=26 * 1024 * 1024 * 1024",
        "op_compiler_cache_dir=%s" % (tmp_path / "cache"),
        "HCCL_algorithm=level0:NA;level1:ring",
    ) == {
        "modify_mixlist": str(mixlist),
        "op_select_implmode": "high_precision",
        "deterministic": 1,
        "external_weight": True,
        "graph_memory_max_size": "26 * 1024 * 1024 * 1024",
        "op_compiler_cache_dir": str(tmp_path / "cache"),
        "HCCL_algorithm": "level0:NA;level1:ring",
    }
    assert (tmp_path / "cache").is_dir()
    assert _parsed() == {}


@pytest.mark.parametrize(
    "build, name, there",
    [
        ("development", "modify_mixlist", False),
        ("r1.8.0", "modify_mixlist", True),
        ("r1.8.0", "precision_mode_v2", False),
        ("r1.8.0", "deterministic", False),
        ("master", "deterministic", True),
        ("development", "fusion_switch_file", True),
    ],
)
def test_a_build_without_the_option_refuses_it_by_name(build, name, there, tmp_path):
    (tmp_path / "file").write_text("")
    value = {"deterministic": "1", "precision_mode_v2": "origin"}.get(name, tmp_path / "file")
    if there:
        assert name in _parsed("%s=%s" % (name, value), build=build)
    else:
        with pytest.raises(UserError, match="no option %s" % name):
            _parsed("%s=%s" % (name, value), build=build)


@pytest.mark.parametrize(
    "given, said",
    [
        (["deterministic"], "NAME=VALUE"),
        (["=1"], "NAME=VALUE"),
        (["deterministic="], "NAME=VALUE"),
        (["de terministic=1"], "NAME=VALUE"),
        (["deterministic=1", "deterministic=0"], "given twice"),
        (["deterministic=yes"], "takes 0 or 1, not yes"),
        (["op_execute_timeout=soon"], "a whole number, not soon"),
        (["external_weight=maybe"], "true or false"),
        (["op_select_implmode=fast"], "high_precision or high_performance"),
        (["modify_mixlist=/nowhere/mix.json"], "not a file that can be read"),
        (["fusion_switch_file=/proc"], "not a file that can be read"),
        (["op_compiler_cache_dir=/proc/none"], "op_compiler_cache_dir=/proc/none"),
        (["precision_mode=force_fp16"], "give --precision_mode"),
        (["session_device_id=1"], "give --device_id"),
        (["mix_compile_mode=true"], "set by training itself"),
        (["no_such_thing=1"], "no option no_such_thing"),
        (["optypelist_for_implmode=Pooling"], "op_select_implmode"),
    ],
)
def test_each_refusal_is_named(given, said):
    with pytest.raises(UserError, match=said):
        _parsed(*given)


def test_a_mix_list_goes_with_mixed_precision(tmp_path):
    (tmp_path / "mix.json").write_text("{}")
    with pytest.raises(UserError, match="--precision_mode=allow_mix_precision, not force_fp16"):
        _parsed("modify_mixlist=%s" % (tmp_path / "mix.json"), precision_mode="force_fp16")


def test_the_newer_precision_mode_takes_the_place_of_the_older():
    given = NpuOptions(npu_option=("precision_mode_v2=mixed_float16",))
    arguments = given.run_config_arguments(_accepts("master"))
    assert arguments["precision_mode_v2"] == "mixed_float16" and "precision_mode" not in arguments


@pytest.mark.parametrize("build", npu_double.BUILDS)
def test_every_option_of_a_build_is_known(build):
    """Else a number or a switch would reach the native layer as text."""
    plain_text = {
        "graph_memory_max_size", "variable_memory_max_size", "stream_max_parallel_num",
        "enable_scope_fusion_passes", "optypelist_for_implmode", "device_type", "HCCL_algorithm",
        "ac_parallel_enable",
    }  # fmt: skip
    lists = [value for name, value in vars(further_options).items() if name[1:].isupper()]
    known = plain_text.union(*(set(each) for each in lists))
    names = {p["name"] for p in npu_double.signatures(build)["NPURunConfig"]["params"]}
    assert names - known == set()
