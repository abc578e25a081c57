#!/usr/bin/env python3
"""Prints what a training came to: speed, and PSNR and SSIM of every scale.

    scripts/final_lines.py MODEL_DIR

Speed is the median over the points of the curves that training wrote to MODEL_DIR (the first, which
holds the start, left out); evaluations are not counted in it. Figures are those of the last
evaluation. The lines are of the form that ModelArts and its users look for in a log:

    Final Performance images/sec : 1234.56
    Final Performance sec/step : 0.01234
    Final PSNR x2 : 37.7800
    Final SSIM x2 : 0.9597
"""

import argparse
import glob
import os
import statistics
import sys
from typing import Dict, List, Optional, Sequence

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from bsrn_estimator import files  # noqa: E402
from bsrn_estimator.compat import tf  # noqa: E402
from bsrn_estimator.errors import UserError  # noqa: E402

_IMAGES, _STEPS = "speed/patches_per_second", "speed/steps_per_second"


def speeds(model_dir: str) -> Dict[str, List[float]]:
    """The points of the two curves of speed, in the order in which they were written."""
    found: Dict[str, List[float]] = {_IMAGES: [], _STEPS: []}
    for path in sorted(glob.glob(os.path.join(glob.escape(model_dir), "events.out.*"))):
        try:
            for event in tf.train.summary_iterator(path):
                for value in event.summary.value:
                    if value.tag in found:
                        found[value.tag].append(value.simple_value)
        except tf.errors.DataLossError:
            continue  # A training that was killed leaves half an event at the end.
    return found


def newest_metrics(model_dir: str) -> Optional[Dict]:
    """The metrics.json of the highest step; None without one.

    Of several sets it is that by which the best checkpoint is chosen, else the last.
    """
    best = os.path.join(model_dir, "best", "best.json")
    record = files.read_json(best) if os.path.exists(best) else None
    decisive = record.get("data_set") if isinstance(record, dict) else None
    pattern = os.path.join(glob.escape(model_dir), "evaluation", "step-*", "*", "metrics.json")
    evaluations = []
    for path in glob.glob(pattern):
        evaluations.append((files.read_json(path), os.path.getmtime(path)))
    order = sorted(
        evaluations,
        key=lambda found: (
            found[0]["global_step"] or 0,
            found[0].get("data_set") == decisive,
            found[1],
        ),
    )
    return order[-1][0] if order else None


def lines(model_dir: str) -> List[str]:
    """The lines; none for what is not known."""
    written = []
    found = speeds(model_dir)
    images, steps = (found[tag][1:] or found[tag] for tag in (_IMAGES, _STEPS))
    if images and steps:
        written.append("Final Performance images/sec : %.2f" % statistics.median(images))
        written.append("Final Performance sec/step : %.5f" % (1 / statistics.median(steps)))
    metrics = newest_metrics(model_dir)
    for scale in sorted(metrics["scales"], key=int) if metrics else ():
        figures = metrics["scales"][scale]
        written.append("Final PSNR x%s : %.4f" % (scale, figures["psnr_y"]))
        written.append("Final SSIM x%s : %.4f" % (scale, figures["ssim_y"]))
    return written


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(description="Prints what a training came to.")
    parser.add_argument("model_dir", help="folder that training wrote")
    model_dir = parser.parse_args(arguments).model_dir
    try:
        written = lines(model_dir)
        if not written:
            raise UserError("%s holds neither curves of speed nor evaluations" % model_dir)
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return error.status
    print("\n".join(written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
