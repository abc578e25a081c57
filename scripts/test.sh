#!/usr/bin/env bash
# Upscales pictures with a trained network.
#
# Usage: scripts/test.sh [--model_dir=DIR] [--input=PATH] [--output_dir=DIR] [--scales=4]
#                        [any flag of python -m bsrn_estimator.main --mode=predict]
#
# Takes the newest checkpoint where --checkpoint names none. Needs no accelerator.
#
# Without --input, the LR pictures in dataset/BSD100/LR, x2, x3 and x4 each at its scale, go to
# result/result-pictures/ensemble/x2, x3 and x4.
#
# Examples:
#   bash scripts/test.sh
#   scripts/test.sh --model_dir=runs/npu8 --input=pictures --output_dir=upscaled --scales=4
#
# PYTHON names the interpreter; by default .venv/bin/python where `make setup` made it, or python3.
set -euo pipefail

# shellcheck source=scripts/common.bash
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
predict=("$python" -m bsrn_estimator.main --mode=predict)
lr=dataset/BSD100/LR
if gives input "$@" || [[ ! -d "$lr" ]]; then
  exec "${predict[@]}" "$@"
fi
scales=2,3,4
for argument in "$@"; do
  case "$argument" in --scales=*) scales=${argument#*=} ;; esac
done
status=0
for scale in ${scales//,/ }; do
  if [[ "$scales" == 2,3,4 && ! -d "$lr/x$scale" ]]; then continue; fi
  # Status 1: pictures were passed over, and the others upscaled.
  "${predict[@]}" --input="$lr/x$scale" --output_dir=result/result-pictures/ensemble "$@" \
    --scales="$scale" || status=$?
  if [[ $status -gt 1 ]]; then break; fi
done
exit "$status"
