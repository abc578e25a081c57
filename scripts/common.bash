# shellcheck shell=bash
# What the scripts here share; each sources it, and it answers --help from the head of that one.
#
# Sets `root`, `python`, which PYTHON names or make setup made, and PYTHONPATH.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-$(command -v "$root/.venv/bin/python" || echo python3)}
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

if [[ "${1:-}" == "--help" || "${1:-}" == "-h" ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"
  exit 0
fi

# Whether a flag is among the arguments, or in a flag file that they name: gives FLAG ARGUMENTS...
gives() {
  local flag=$1 argument
  shift
  for argument in "$@"; do
    case "$argument" in
      --"$flag" | --"$flag"=* | -"$flag" | -"$flag"=*) return 0 ;;
      --flagfile=*) if grep -qsE "^--?$flag(=| |\$)" "${argument#*=}"; then return 0; fi ;;
    esac
  done
  return 1
}

# Converts dataset/DIV2K where training would read tfrecords/div2k_train, and that is not there yet:
# convert_training ARGUMENTS..., those of the command.
convert_training() {
  gives data_dir "$@" ||
    _convert div2k dataset/DIV2K DIV2K_train_LR_bicubic/X tfrecords/div2k_train
}

# The same of dataset/BSD100 and tfrecords/bsd100, for evaluation.
convert_evaluation() {
  gives eval_data_dir "$@" || _convert bsd100 dataset/BSD100 LR/x tfrecords/bsd100
}

# Converts what the tree has of the scales 2, 3 and 4.
_convert() {
  local name=$1 input=$2 lr=$3 records=$4 scale scales=""
  if [[ ! -d "$input" || -f "$records/manifest.json" ]]; then return; fi
  for scale in 2 3 4; do
    if [[ -d "$input/$lr$scale" ]]; then scales+=,$scale; fi
  done
  echo "converting $input to $records"
  "$python" "$root/data_tools/to_tfrecord.py" --dataset="$name" --input_dir="$input" \
    --output_dir="$records" ${scales:+--scales="${scales#,}"}
}
