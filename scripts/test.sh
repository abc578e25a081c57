#!/usr/bin/env bash
# Upscales pictures with a trained network.
#
# Usage: scripts/test.sh --model_dir=DIR --input=PATH --output_dir=DIR [--scales=4]
#                        [any flag of python -m bsrn_estimator.main --mode=predict]
#
# Takes the newest checkpoint where --checkpoint names none. Needs no accelerator.
#
# Example:
#   scripts/test.sh --model_dir=runs/npu8 --input=pictures --output_dir=upscaled --scales=4
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
exec "$python" -m bsrn_estimator.main --mode=predict "$@"
