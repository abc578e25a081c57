#!/usr/bin/env bash
# Lays out the last commit as a submission to the ModelZoo: what reviewers look for in the root.
#
# Usage: modelzoo/lay_out.sh TARGET        (a folder that does not exist yet)
set -euo pipefail

if [[ $# -ne 1 || "$1" == --help || "$1" == -h ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"
  [[ $# -eq 1 ]] && exit 0 || exit 2
fi
fail() {
  echo "error: $1" >&2
  exit 2
}
[[ ! -e "$1" ]] || fail "$1 exists already; name another folder"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# A folder that lies in a repository of something else is not the root of this one.
[[ "$(git -C "$root" rev-parse --show-toplevel 2>/dev/null)" -ef "$root" ]] ||
  fail "$root is not a clone with git, whose last commit would be laid out; clone the project"
incomplete=$1.incomplete
rm -rf "$incomplete"
mkdir -p "$incomplete"
git -C "$root" archive HEAD | tar -x -C "$incomplete"
cp -r "$incomplete"/modelzoo/{test,modelzoo_level.txt,requirements.txt} "$incomplete"
mv "$incomplete" "$1"
echo "$1 holds test/, modelzoo_level.txt and requirements.txt beside the project"
