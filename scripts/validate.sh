#!/usr/bin/env bash
# Evaluates a trained network: PSNR and SSIM of every scale, as a table and as metrics.json.
#
# Usage: scripts/validate.sh [--model_dir=DIR] [--checkpoint=PATH] [--eval_data_dir=DIR]
#                            [any flag of python -m bsrn_estimator.main]
#
# Takes the newest checkpoint where --checkpoint names none. Needs no accelerator, and can run beside
# a training that writes to the same folder; --follow evaluates each of its checkpoints as it comes.
#
# Without --eval_data_dir, and where there is no tfrecords/bsd100 yet, the records are made from the
# pictures in dataset/BSD100 (docs/data.md has the layout).
#
# Examples:
#   bash scripts/validate.sh
#   scripts/validate.sh --model_dir=runs/npu8 --eval_data_dir=tfrecords/bsd100
#   scripts/validate.sh --model_dir=runs/x4 --checkpoint=runs/x4/best --save_pictures
#   scripts/validate.sh --model_dir=runs/npu8 --follow --eval_data_dir=tfrecords/set5,tfrecords/bsd100
#
# PYTHON names the interpreter; by default .venv/bin/python where `make setup` made it, or python3.
set -euo pipefail

# shellcheck source=scripts/common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
convert_evaluation "$@"
exec "$python" -m bsrn_estimator.main --mode=evaluate "$@"
