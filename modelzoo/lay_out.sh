#!/usr/bin/env bash
# Lays out the last commit as a submission to the ModelZoo: what reviewers look for in the root.
#
# Usage: modelzoo/lay_out.sh TARGET        (a folder that does not exist yet)
set -euo pipefail

if [[ $# -ne 1 || "$1" == --help || "$1" == -h ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"
  [[ $# -eq 1 ]] && exit 0 || exit 2
fi
[[ ! -e "$1" ]] || { echo "error: $1 exists already; name another folder" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1"
git -C "$root" archive HEAD | tar -x -C "$1"
cp -r "$1"/modelzoo/{test,modelzoo_level.txt,requirements.txt} "$1"
echo "$1 holds test/, modelzoo_level.txt and requirements.txt beside the project"
