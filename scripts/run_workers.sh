#!/usr/bin/env bash
# Trains with several processes on this machine, to try out what several machines do.
#
# Usage: scripts/run_workers.sh [--workers=2] [--log_dir=logs]
#                               [-- any flag of python -m bsrn_estimator.main]
#
# Each process gets a TF_CONFIG with free ports of this machine and writes to its own log; that of
# worker 0, which saves, is shown here too. When one dies, all are stopped and its last lines are
# shown. Ctrl-C lets worker 0 save a checkpoint first.
#
# Example:
#   scripts/run_workers.sh --workers=2 -- --mode=train --model_dir=runs/two --batch_size=4
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
exec "$python" -m bsrn_estimator.platforms.cluster.launch "$@"
