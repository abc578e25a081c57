#!/usr/bin/env bash
# Evaluates a trained network: PSNR and SSIM of every scale, as a table and as metrics.json.
#
# Usage: scripts/validate.sh --model_dir=DIR [--checkpoint=PATH] [--eval_data_dir=DIR]
#                            [any flag of python -m bsrn_estimator.main]
#
# Takes the newest checkpoint where --checkpoint names none. Needs no accelerator, and can run beside
# a training that writes to the same folder; --follow evaluates each of its checkpoints as it comes.
#
# Examples:
#   scripts/validate.sh --model_dir=runs/npu8 --eval_data_dir=tfrecords/bsd100
#   scripts/validate.sh --model_dir=runs/x4 --checkpoint=runs/x4/best --save_pictures
#   scripts/validate.sh --model_dir=runs/npu8 --follow --eval_data_dir=tfrecords/set5,tfrecords/bsd100
#
# PYTHON names the interpreter; by default .venv/bin/python where `make setup` made it, or python3.
set -euo pipefail

if [[ "${1:-}" == "--help" || "${1:-}" == "-h" ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"
  exit 0
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-$(command -v "$root/.venv/bin/python" || command -v python3)}
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -m bsrn_estimator.main --mode=evaluate "$@"
