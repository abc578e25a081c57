#!/usr/bin/env bash
# Converts a frozen graph to an offline model (.om) with ATC, or prints the command that would.
#
# Usage: scripts/atc.sh --frozen=FILE.pb [--soc=Ascend310] [--precision=force_fp16] [--output=NAME]
#                       [--run] [further flags of atc]
#
# The frozen graph has to be of a fixed shape; the shape is read from its name:
#   python -m bsrn_estimator.main --mode=export --export_format=frozen --export_size=120,120 \
#       --model_dir=runs/npu8 --scales=4 --export_dir=export     writes export/bsrn_x4_120x120.pb
# Its input is "lr", float32 [1, height, width, 3], its output "hr", float32 [1, 4 * height,
# 4 * width, 3], RGB in 0..255.
#
# --soc: the chip, as `npu-smi info` names it (Ascend310, Ascend310P3, Ascend910A, ...).
# --precision: force_fp16 is what ATC itself would choose; allow_fp32_to_fp16 and
#   must_keep_origin_dtype keep more.
# --output: name of the .om without its ending; by default that of the frozen graph.
# --run: runs atc. Without it the command is printed, to be run where CANN is.
#
# Example:
#   scripts/atc.sh --frozen=export/bsrn_x4_120x120.pb --soc=Ascend310P3 --run
set -euo pipefail

fail() {
  echo "error: $1" >&2
  exit 2
}

soc=Ascend310 precision=force_fp16 frozen="" output="" run="" further=()
for argument in "$@"; do
  case "$argument" in
    --help | -h)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    --frozen=*) frozen=${argument#*=} ;;
    --soc=*) soc=${argument#*=} ;;
    --precision=*) precision=${argument#*=} ;;
    --output=*) output=${argument#*=} ;;
    --run) run=yes ;;
    --*=*) further+=("$argument") ;;
    *) fail "$argument is not a flag of this script; see --help" ;;
  esac
done
[[ -n "$frozen" ]] || fail "--frozen=FILE.pb is missing; see --help"
[[ -f "$frozen" ]] || fail "--frozen=$frozen is not there; --mode=export --export_format=frozen writes one"
[[ "$(basename "$frozen")" =~ _([0-9]+)x([0-9]+)\.pb$ ]] ||
  fail "--frozen=$frozen does not end in _HEIGHTxWIDTH.pb; export it with --export_size=HEIGHT,WIDTH"

command=(
  atc --framework=3 --model="$frozen" --output="${output:-${frozen%.pb}}" --soc_version="$soc"
  --input_format=NHWC --input_shape="lr:1,${BASH_REMATCH[1]},${BASH_REMATCH[2]},3" --out_nodes="hr:0"
  --precision_mode="$precision" ${further[@]+"${further[@]}"}
)
printf '%q ' "${command[@]}"
echo
[[ -n "$run" ]] || exit 0
command -v atc >/dev/null || fail "atc is not on the path; source set_env.sh of CANN first"
exec "${command[@]}"
