"""What trains under which build of npu_bridge, as a table.

    python -m tests.npu_double.matrix                       the doubles of all builds
    python -m tests.npu_double.matrix --builds=master --modes=dynamic,overflow
    python -m tests.npu_double.matrix --packages=DIR --prelude=STUBS

With --packages, DIR/BUILD holds the Python package `npu_bridge` of each build, brought from
elsewhere, and --prelude what stands in for its native parts; these take NPU_STUB_OVERFLOW for what
the doubles take NPU_DOUBLE_OVERFLOW_EVERY for, and NPU_STUB_SAT_MODE=1 for NPU_DOUBLE_INF_NAN.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from typing import Dict, List, NamedTuple, Optional, Sequence

from tests import npu_double
from tests.support import tiny

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Mode(NamedTuple):
    """A row: the commands that follow one another in one folder.

    Attributes:
      runs: the flags of each, beside those that all share.
      overflow: every so many reads of the flag find an overflow; 0 for none.
      infinite: the card has no flag, and its arithmetic makes infinities.
      status: the exit status that the last one has to have.
    """

    runs: Sequence[Sequence[str]]
    overflow: int = 0
    infinite: bool = False
    status: int = 0


def _to(step: int, *flags: str) -> List[str]:
    return ["--train_steps=%d" % step] + list(flags)


MODES: Dict[str, Mode] = {
    "train": Mode([_to(2, "--loss_scale=none")]),
    "resume": Mode([_to(2, "--loss_scale=none"), _to(4, "--loss_scale=none")]),
    "evaluate beside": Mode([_to(2, "--mode=train_and_evaluate")]),
    "evaluate on the card": Mode([_to(2, "--mode=train_and_evaluate", "--evaluate_on=npu")]),
    "dynamic": Mode([_to(2)]),
    "dynamic resumed": Mode([_to(2), _to(4)]),
    "overflow": Mode([_to(4)], overflow=3),
    "overflow without end": Mode([_to(4, "--max_skipped_steps=12")], overflow=1, status=1),
    "INF/NaN mode": Mode([_to(2), _to(4)], infinite=True),
    "fixed": Mode([_to(2, "--loss_scale=fixed:1024")]),
    "loops": Mode([_to(4, "--iterations_per_loop=2")]),
    "loops with overflow": Mode([_to(4, "--iterations_per_loop=2")], overflow=5),
    "EMA": Mode([_to(2, "--ema_decay=0.9")]),
    "card 3": Mode([_to(2, "--device_id=3")]),
}


def cell(mode: Mode, data: Sequence[str], environ: Dict[str, str], folder: str) -> Optional[str]:
    """Runs a mode; None where it came out as it has to, else the last line that was said."""
    command = [sys.executable, "-m", "bsrn_estimator.main", "--use_npu", "--mode=train"]
    command += list(data) + ["--model_dir=" + os.path.join(folder, "run")]
    if mode.overflow:
        environ = dict(environ, NPU_DOUBLE_OVERFLOW_EVERY=str(mode.overflow))
        environ["NPU_STUB_OVERFLOW"] = str(mode.overflow)
    if mode.infinite:
        environ = dict(environ, NPU_DOUBLE_INF_NAN="1", NPU_STUB_SAT_MODE="1")
    for number, flags in enumerate(mode.runs, 1):
        done = subprocess.run(
            command + list(flags), env=environ, cwd=_ROOT, capture_output=True, text=True
        )
        wanted = mode.status if number == len(mode.runs) else 0
        if done.returncode != wanted or "Traceback" in done.stderr:
            said = (done.stderr.strip() or "nothing").splitlines()[-1]
            return "status %d: %s" % (done.returncode, said[:160])
    return None


def _environment(path: Sequence[str], folder: str) -> Dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NPU_")}
    for name in ("JOB_ID", "RANK_SIZE", "RANK_ID", "DEVICE_ID", "ASCEND_DEVICE_ID"):
        environ.pop(name, None)
    return dict(environ, PYTHONPATH=os.pathsep.join(path), NPU_STUB_RECORD=folder)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Prints the table; returns 1 where a cell came out otherwise than it has to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--builds", default=",".join(npu_double.BUILDS), help="which")
    parser.add_argument("--modes", default=",".join(MODES), help="which")
    parser.add_argument("--packages", help="folder of real packages, instead of the doubles")
    parser.add_argument("--prelude", default="", help="what comes before them on the path")
    given = parser.parse_args(arguments)
    builds = given.builds.split(",")
    modes = [name for name in MODES if name in given.modes.split(",")]
    print("| | %s |\n|%s" % (" | ".join(builds), "---|" * (len(builds) + 1)), flush=True)
    faults = []
    with tempfile.TemporaryDirectory(prefix="npu-matrix-") as folder:
        data = list(tiny.NETWORK_FLAGS) + ["--recursions=2", "--patch_size=5", "--scales=2,3"]
        for kind, flag in (("training", "--data_dir="), ("evaluation", "--eval_data_dir=")):
            place = os.path.join(folder, kind)
            data.append(flag + tiny.write_records(place, kind, [(25, 31), (37, 45)]))
        data += ["--save_checkpoints_steps=2", "--evaluation_steps=2"]
        if given.packages:
            path = {build: [os.path.join(given.packages, build)] for build in builds}
        else:
            path = {b: [npu_double.build(b, os.path.join(folder, "d", b))] for b in builds}
        for name in modes:
            row = []
            for build in builds:
                own = tempfile.mkdtemp(dir=folder)
                before = [given.prelude] if given.prelude else []
                environ = _environment(before + path[build], own)
                fault = cell(MODES[name], data, environ, own)
                row.append("failed" if fault else "ok")
                faults += ["%s, %s: %s" % (build, name, fault)] if fault else []
            print("| %s | %s |" % (name, " | ".join(row)), flush=True)
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
