"""A stand-in for npu_bridge on a machine without one, made from the signatures of a real build.

`build("master", folder)` writes a package `npu_bridge` into `folder`; with that on the path, the
training code imports it as it would the real one. Names, modules and parameters come from the JSON
files in tests/data/npu_api, so an argument that a build does not take is a TypeError here too; what
the classes do, and what they refuse, is in `behaviour/`. Training runs on the CPU.

The environment steers it:
  NPU_DOUBLE_RECORD: a file that gets one line of JSON for every training, evaluation or prediction.
  NPU_DOUBLE_EXCHANGE: a folder through which the ranks of a run exchange gradients and weights.
  NPU_DOUBLE_OVERFLOW_EVERY: every so many reads, the overflow flag is found raised.
  NPU_DOUBLE_INF_NAN: the card has no flag, overflows are infinities in gradients (master alone).
  NPU_DOUBLE_DIE: "RANK:STEP", the process of that rank is killed when it has made that step.
"""

import json
import os
import shutil
from typing import Any, Dict, List

BUILDS = ("development", "r1.8.0", "master")

_HERE = os.path.dirname(os.path.abspath(__file__))
_SIGNATURES = os.path.join(os.path.dirname(_HERE), "data", "npu_api")


def signatures(build_name: str) -> Dict[str, Any]:
    """The classes and functions of a build: {name: {module, kind, params, methods}}."""
    with open(os.path.join(_SIGNATURES, build_name + ".json")) as file:
        return json.load(file)


def build(build_name: str, folder: str) -> str:
    """Writes the package of a build into `folder`, which is to be put on the path; returns it."""
    package = os.path.join(folder, "npu_bridge")
    shutil.copytree(os.path.join(_HERE, "behaviour"), os.path.join(package, "behaviour"))
    _write(os.path.join(package, "behaviour", "build_name.py"), "BUILD = %r\n" % build_name)
    modules: Dict[str, List[str]] = {}
    for entry in signatures(build_name).values():
        source = _class_source(entry) if entry["kind"] == "class" else _function_source(entry)
        modules.setdefault(entry["module"], []).append(source)
    modules.setdefault("npu_bridge.estimator.npu.npu_scope", []).append(
        "keep_dtype_scope = behaviour.keep_dtype_scope\n"
    )
    for module, sources in modules.items():
        path = os.path.join(folder, *module.split(".")) + ".py"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(path, "from npu_bridge import behaviour\n\n\n" + "\n\n".join(sources))
    for parent, _, files in os.walk(package):
        if "__init__.py" not in files:
            _write(os.path.join(parent, "__init__.py"), "")
    hccl = os.path.join(folder, "hccl")
    os.makedirs(hccl)
    _write(os.path.join(hccl, "__init__.py"), "")
    if build_name != "development":
        # Later builds import this package of CANN, which lies in a folder of its own there.
        with open(os.path.join(package, "__init__.py"), "a") as file:
            file.write("import hccl\n")
    return folder


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _parameters(entry: Dict[str, Any]) -> List[str]:
    """The parameters as they stand in a `def`."""
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}
    written = []
    for parameter in entry["params"] or []:
        text = stars.get(parameter["kind"], "") + parameter["name"]
        if not parameter["required"] and not text.startswith("*"):
            default = parameter["default"]
            text += "=%r" % (None if isinstance(default, dict) else default)
        written.append(text)
    return written


def _class_source(entry: Dict[str, Any]) -> str:
    name = entry["name"]
    header = "class %s(behaviour.of(%r)):\n" % (name, name)
    if not entry["params"]:
        return header + "    pass\n"
    return header + (
        "    def __init__(self, %s):\n"
        "        arguments = dict(locals())\n"
        "        del arguments['self']\n"
        "        arguments.pop('__class__', None)\n"
        "        super().__init__(arguments)\n"
    ) % ", ".join(_parameters(entry))


def _function_source(entry: Dict[str, Any]) -> str:
    return ("def %s(%s):\n    raise NotImplementedError('%s is not part of the test double')\n") % (
        entry["name"].split(".")[-1],
        ", ".join(_parameters(entry)),
        entry["name"],
    )
