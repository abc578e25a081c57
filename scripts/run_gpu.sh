#!/usr/bin/env bash
# Trains and evaluates on the GPUs of this machine; without one, on the CPU.
#
# Usage: scripts/run_gpu.sh [--replicas=N] [any flag of python -m bsrn_estimator.main]
#
# Examples:
#   scripts/run_gpu.sh --model_dir=runs/x4 --scales=4
#   scripts/run_gpu.sh --replicas=4 --batch_size=8
#   scripts/run_gpu.sh --flagfile=configs/paper.flags
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
exec "$python" -m bsrn_estimator.main --mode=train_and_evaluate "$@"
