#!/usr/bin/env bash
# Trains and evaluates on one Ascend NPU.
#
# Usage: scripts/run_npu.sh [--device_id=N] [any flag of python -m bsrn_estimator.main]
#
# Source set_env.sh of CANN first. DEVICE_ID or ASCEND_DEVICE_ID chooses the card where --device_id
# does not. What several cards left in the environment (RANK_SIZE, RANK_ID, RANK_TABLE_FILE) is not
# looked at; for several cards there is scripts/run_npu_8p.sh.
#
# Without --data_dir and --eval_data_dir, and where tfrecords/ does not hold them yet, the records are
# made from the pictures in dataset/DIV2K and dataset/BSD100 (docs/data.md has the layout).
#
# Examples:
#   bash scripts/run_npu.sh
#   scripts/run_npu.sh --model_dir=runs/npu
#   scripts/run_npu.sh --device_id=3 --loss_scale=dynamic --train_steps=200000
#
# PYTHON names the interpreter, one that has npu_bridge; by default python3.
set -euo pipefail

# shellcheck source=scripts/common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
python=${PYTHON:-python3}
unset RANK_TABLE_FILE POD_NAME
export RANK_SIZE=1 RANK_ID=0
convert_training "$@"
convert_evaluation "$@"
exec "$python" -m bsrn_estimator.main --mode=train_and_evaluate --use_npu "$@"
