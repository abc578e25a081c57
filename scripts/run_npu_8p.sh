#!/usr/bin/env bash
# Trains on the NPUs of this server, one process for each card: eight, or as many as the rank table
# lists.
#
# Usage: scripts/run_npu_8p.sh [--rank_table=FILE] [--ranks=8] [--log_dir=logs] [--server_id=IP]
#                              [-- any flag of python -m bsrn_estimator.main]
#
# Source set_env.sh of CANN first. The rank table (version 1.0, as hccl_tools.py writes it) is by
# default the one that RANK_TABLE_FILE names; it is checked before anything starts. Each rank writes
# to its own log; that of rank 0 is shown here too. When a rank dies, all are stopped and its last
# lines are shown. Ctrl-C lets rank 0 save a checkpoint first.
#
# Without --data_dir and --eval_data_dir, and where tfrecords/ does not hold them yet, the records are
# made from the pictures in dataset/DIV2K and dataset/BSD100 (docs/data.md has the layout).
#
# Examples:
#   scripts/run_npu_8p.sh --rank_table=hccl_8p.json -- --model_dir=runs/npu8 --train_steps=125000
#   scripts/run_npu_8p.sh --rank_table=hccl_2p.json --ranks=2 -- --model_dir=runs/npu2
#
# --ranks is 8 where it is not given. PYTHON names the interpreter, one that has npu_bridge; by
# default python3.
set -euo pipefail

# shellcheck source=scripts/common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
python=${PYTHON:-python3}
convert_training "$@"
convert_evaluation "$@"
exec "$python" -m bsrn_estimator.platforms.npu.launch --ranks=8 "$@"
