#!/usr/bin/env bash
# Trains and evaluates on the GPUs of this machine; without one, on the CPU.
#
# Usage: scripts/run_gpu.sh [--replicas=N] [any flag of python -m bsrn_estimator.main]
#
# Without --data_dir and --eval_data_dir, and where tfrecords/ does not hold them yet, the records are
# made from the pictures in dataset/DIV2K and dataset/BSD100 (docs/data.md has the layout).
#
# Examples:
#   bash scripts/run_gpu.sh
#   scripts/run_gpu.sh --model_dir=runs/x4 --scales=4
#   scripts/run_gpu.sh --replicas=4 --batch_size=8
#   scripts/run_gpu.sh --flagfile=configs/paper.flags
#
# PYTHON names the interpreter; by default .venv/bin/python where `make setup` made it, or python3.
set -euo pipefail

# shellcheck source=scripts/common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
convert_training "$@"
convert_evaluation "$@"
exec "$python" -m bsrn_estimator.main --mode=train_and_evaluate "$@"
