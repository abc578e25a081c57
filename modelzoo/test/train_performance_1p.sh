#!/usr/bin/env bash
# Trains on 1 card: a few hundred steps, for the speed.
#
# Usage: train_performance_1p.sh --data_path=RECORDS [--output_path=OUTPUT] [--train_steps=N]
#          [--precision_mode=MODE] [--over_dump=True] [--data_dump_flag=True] [--data_dump_step=10]
#          [--profiling=True] [--autotune=True] [--help] [-- any flag of bsrn_estimator.main]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
run=$here/../run.py
[[ -f "$run" ]] || run=$here/../modelzoo/run.py
exec "${PYTHON:-python3}" "$run" --cards=1 --kind=performance "$@"
