#!/usr/bin/env python3
"""Trains BSRN by the command line that ports in the ModelZoo share, and writes what is looked for.

    modelzoo/test/train_full_1p.sh --data_path=RECORDS --output_path=OUTPUT [-- FLAGS]

The scripts beside it call this with --cards and --kind. FLAGS are those of bsrn_estimator.main, and
come after everything that is set here; `-- --device=cpu` tries it out without a card. Written to
OUTPUT: the model folder `model`, the log `train_CASE.log`, the losses `train_CASE_loss.txt`, and
`CASE.log` with what the run came to.
"""

import argparse
import glob
import os
import subprocess
import sys
import time
from typing import Dict, List, Optional, Sequence, Tuple

_ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [_ROOT, os.path.join(_ROOT, "scripts")]

import final_lines  # noqa: E402
import modelarts_entry  # noqa: E402

from bsrn_estimator.compat import tf  # noqa: E402
from bsrn_estimator.errors import UserError  # noqa: E402

_NETWORK = "BSRN_for_TensorFlow"
# Long enough for a steady rate, short enough for a look.
_PERFORMANCE_STEPS = 300


def command(given: argparse.Namespace, further: List[str], records: Tuple) -> List[str]:
    """What trains: one process, or the launcher of several."""
    training, evaluation = records
    is_full = given.kind == "full"
    with_evaluation = evaluation and is_full
    flags = ["--flagfile=" + os.path.join(_ROOT, "configs", "npu.flags")]
    if any(flag.startswith("--device=") for flag in further):
        flags.append("--nouse_npu")
        # Those of npu.flags that are for Ascend alone are refused elsewhere.
        flags[:1] = _portable(flags[0].partition("=")[2])
    flags += ["--mode=" + ("train_and_evaluate" if with_evaluation else "train")]
    flags += ["--data_dir=" + training, "--model_dir=" + os.path.join(given.output_path, "model")]
    flags += ["--eval_data_dir=" + evaluation] if with_evaluation else []
    steps = given.train_steps or (0 if is_full else _PERFORMANCE_STEPS)
    flags += ["--train_steps=%d" % steps] if steps else []
    flags += [] if is_full else ["--summary_steps=10"]
    flags += _diagnosis(given) + further
    if given.cards == 1:
        return [sys.executable, "-m", "bsrn_estimator.main"] + flags
    logs = os.path.join(given.output_path, "logs")
    launcher = [sys.executable, "-m", "bsrn_estimator.platforms.npu.launch"]
    return launcher + ["--ranks=%d" % given.cards, "--log_dir=" + logs, "--"] + flags


def _portable(path: str) -> List[str]:
    """The flags of a file but for those of Ascend."""
    of_ascend = ("--use_npu", "--precision_mode", "--loss_scale")
    with open(path) as file:
        lines = [line.strip() for line in file]
    return [line for line in lines if line.startswith("--") and not line.startswith(of_ascend)]


def _diagnosis(given: argparse.Namespace) -> List[str]:
    """The flags behind the switches of the ModelZoo."""

    def folder(name: str) -> str:
        return os.path.join(given.output_path, name)

    flags = ["--precision_mode=" + given.precision_mode] if given.precision_mode else []
    if given.over_dump == "True":
        flags.append("--overflow_dump_dir=" + folder("overflow_dump"))
    if given.data_dump_flag == "True":
        flags.append("--data_dump_dir=" + folder("data_dump"))
        flags.append("--data_dump_steps=" + given.data_dump_step)
    if given.profiling == "True":
        flags.append("--profiling_dir=" + folder("profiling"))
    if given.autotune == "True":
        flags += ["--auto_tune=RL,GA", "--tuning_dir=" + folder("tuning")]
    return flags


def losses(model_dir: str) -> List[Tuple[int, float]]:
    """(step, loss) of each point of the curve of the loss."""
    found = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(model_dir), "events.out.*"))):
        for event in tf.train.summary_iterator(path):
            for value in event.summary.value:
                if value.tag == "loss/total":
                    found[event.step] = value.simple_value
    return sorted(found.items())


def figures(given: argparse.Namespace, batch_size: str, seconds: float) -> Dict[str, str]:
    """What the run came to, by the names of the ModelZoo; what is not known is left out."""
    model_dir = os.path.join(given.output_path, "model")
    found = {
        "Network": _NETWORK,
        "RankSize": str(given.cards),
        "BatchSize": batch_size,
        "DeviceType": os.uname().machine,
        "CaseName": case_name(given, batch_size),
    }
    lines = dict(line.split(" : ") for line in final_lines.lines(model_dir))
    if "Final Performance images/sec" in lines:
        found["ActualFPS"] = lines["Final Performance images/sec"]
        milliseconds = 1000 * float(lines["Final Performance sec/step"])
        found["TrainingTime"] = "%.2f" % milliseconds
    points = losses(model_dir)
    if points:
        found["ActualLoss"] = "%.6f" % points[-1][1]
    found["E2ETrainingTime"] = "%d" % seconds
    measured = [float(value) for name, value in lines.items() if name.startswith("Final PSNR")]
    if measured:
        found["TrainAccuracy"] = "%.4f" % (sum(measured) / len(measured))
    return found


def case_name(given: argparse.Namespace, batch_size: str) -> str:
    """The name of a run, as the scripts of the ModelZoo make it."""
    kind = "acc" if given.kind == "full" else "perf"
    return "%s_bs%s_%dp_%s" % (_NETWORK, batch_size, given.cards, kind)


def report(given: argparse.Namespace, found: Dict[str, str]) -> None:
    """Writes CASE.log and the file of losses, and prints the final lines."""
    case = os.path.join(given.output_path, found["CaseName"])
    with open(case + ".log", "w") as file:
        file.writelines("%s = %s\n" % pair for pair in found.items())
    place, name = os.path.split(case)
    with open(os.path.join(place, "train_%s_loss.txt" % name), "w") as file:
        points = losses(os.path.join(given.output_path, "model"))
        file.writelines("step %d loss %.6f\n" % point for point in points)
    if "ActualFPS" in found:
        print("Final Performance images/sec : " + found["ActualFPS"])
        print("Final Performance sec/step : %.5f" % (float(found["TrainingTime"]) / 1000))
    if "TrainAccuracy" in found:
        print("Final Train Accuracy : " + found["TrainAccuracy"])
    print("E2E Training Duration sec : " + found["E2ETrainingTime"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cards", type=int, default=1, help="how many cards train together")
    parser.add_argument("--kind", choices=("full", "performance"), default="full")
    parser.add_argument("--data_path", required=True, help="folder of the converted records")
    parser.add_argument("--output_path", default="output", help="folder for all that is written")
    parser.add_argument("--train_steps", type=int, help="the step at which training ends")
    parser.add_argument("--precision_mode", help="see docs/ascend.md")
    switches = {"choices": ("True", "False"), "default": "False"}
    parser.add_argument("--over_dump", help="dumps operators that overflow", **switches)
    parser.add_argument("--data_dump_flag", help="dumps inputs and outputs", **switches)
    parser.add_argument("--data_dump_step", default="10", help="which steps, such as 0|5|10-20")
    parser.add_argument("--profiling", help="profiles training", **switches)
    parser.add_argument("--autotune", help="tunes operators (builds up to 2022)", **switches)
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns the exit status of the training."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    cut = words.index("--") if "--" in words else len(words)
    given, further = _parser().parse_args(words[:cut]), words[cut + 1 :]
    given.output_path = os.path.abspath(given.output_path)
    try:
        records = modelarts_entry.find_records(given.data_path)
        os.makedirs(given.output_path, exist_ok=True)
    except (UserError, OSError) as error:
        print("error: %s" % str(error).replace("--data_url", "--data_path"), file=sys.stderr)
        return 2
    sizes = [flag.split("=")[1] for flag in further if flag.startswith("--batch_size=")]
    batch_size = (sizes or ["8"])[-1]
    log = os.path.join(given.output_path, "train_%s.log" % case_name(given, batch_size))
    started = time.time()
    status = _follow(command(given, further, records), log)
    if status == 0:
        report(given, figures(given, batch_size, time.time() - started))
    return status


def _follow(words: List[str], log: str) -> int:
    """Runs a command whose output goes to the terminal and to a file; returns its exit status."""
    environ = dict(os.environ, PYTHONUNBUFFERED="1")
    path = [_ROOT] + [p for p in [environ.get("PYTHONPATH")] if p]
    environ["PYTHONPATH"] = os.pathsep.join(path)
    with open(log, "wb") as file:
        process = subprocess.Popen(
            words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for line in process.stdout:
            file.write(line)
            sys.stdout.write(line.decode("utf-8", "replace"))
            sys.stdout.flush()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
