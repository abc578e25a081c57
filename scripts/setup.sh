#!/usr/bin/env bash
# Builds the Python environment of one runtime, or finds it as it should be and does nothing.
#
#   scripts/setup.sh [tf1|tf2|auto]          build .venv-tf1 or .venv-tf2, print its folder
#   scripts/setup.sh --find [tf1|tf2|auto]   print the runtime and the interpreter, build nothing
#
# tf1 is Python 3.7 with TensorFlow 1.15.0, tf2 is Python 3.9 to 3.11 with TensorFlow 2.15.1; auto
# takes tf1 where this machine has a Python 3.7. Progress goes to stderr, the result to stdout.
#
# Environment: PYTHON  an interpreter to use instead of searching for one
#              WITH    add-on locks to install too, such as "tfds gpu" (requirements/RUNTIME-NAME.txt);
#                      unset, those that the environment has already; empty, none
set -euo pipefail
shopt -s nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# The versions of Python of a runtime, the best first.
versions_of() {
    case $1 in
        tf1) echo "3.7" ;;
        tf2) echo "3.11 3.10 3.9" ;;
    esac
}

# Prints "VERSION BITS MODULES" of an interpreter, MODULES saying whether it can make environments.
# A pyenv shim exists for every version that is installed and runs only the selected ones, hence
# the interpreter is started, not looked at.
probe() {
    "$1" -I -c '
import importlib.util, struct, sys
can = all(map(importlib.util.find_spec, ("venv", "ensurepip")))
can = can or importlib.util.find_spec("virtualenv")
print("%d.%d" % sys.version_info[:2], struct.calcsize("P") * 8, "full" if can else "bare")
' 2>/dev/null </dev/null || true
}

# Prints every interpreter worth a try for one version, one a line: PATH, pyenv, conda, usual places.
candidates() {
    local version=$1 folder prefix
    local names=("python$version" python3 python)
    local IFS=:
    for folder in $PATH; do
        for name in "${names[@]}"; do
            [ -x "$folder/$name" ] && echo "$folder/$name"
        done
    done
    IFS=$' \t\n'
    for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version"*; do
        echo "$folder/bin/python$version"
    done
    for prefix in "${CONDA_PREFIX:-}" "${CONDA_EXE:+${CONDA_EXE%/bin/conda}}" \
        "$HOME"/{mini,ana}conda3 "$HOME"/mini{forge,mamba}3 /opt/{mini,ana,}conda{3,} /opt/miniforge3; do
        [ -n "$prefix" ] || continue
        for folder in "$prefix" "$prefix"/envs/*; do
            echo "$folder/bin/python$version"
        done
    done
    for folder in /usr/local/bin /usr/bin /opt/homebrew/bin /opt/python*/bin /usr/local/python*/bin; do
        echo "$folder/python$version"
    done
}

# Sets `found` to an interpreter of the runtime, or to nothing; remembers one without venv in `bare`.
find_python() {
    local version candidate answer tried=""
    found=""
    for version in $(versions_of "$1"); do
        while IFS= read -r candidate; do
            case $tried in *"|$candidate|"*) continue ;; esac
            [ -x "$candidate" ] || continue
            answer=$(probe "$candidate")
            case $answer in
                "$version 64 full") found=$candidate; return ;;
                "$version 64 bare") bare=$candidate; bare_version=$version ;;
            esac
            tried="$tried|$candidate|"
        done < <(candidates "$version")
    done
}

# Sets `runtime` and `python` from the wish (tf1, tf2, auto), or ends with a sentence on what to do.
choose() {
    local wish=$1 found="" bare="" bare_version="" option
    if [ -n "${PYTHON:-}" ]; then
        option=$(command -v "$PYTHON") || die "PYTHON=$PYTHON is no program on this machine."
        for runtime in tf1 tf2; do
            case "$wish" in auto | "$runtime") ;; *) continue ;; esac
            case " $(versions_of $runtime) " in
                *" $(probe "$option" | cut -d' ' -f1) "*) python=$option; return ;;
            esac
        done
        die "PYTHON=$PYTHON does not fit RUNTIME=$wish: tf1 needs Python 3.7, tf2 needs 3.9 to 3.11."
    fi
    for runtime in tf1 tf2; do
        case "$wish" in auto | "$runtime") ;; *) continue ;; esac
        # TensorFlow 1.15.0 has ready packages for x86-64 alone.
        [ "$wish" = auto ] && [ $runtime = tf1 ] && [ "$(uname -m)" != x86_64 ] && continue
        find_python "$runtime"
        if [ -n "$found" ]; then python=$found; return; fi
    done
    if [ -n "$bare" ]; then
        die "$bare cannot make environments: install its venv module (Debian and Ubuntu:" \
            "sudo apt-get install python$bare_version-venv) and run this again."
    fi
    case "$wish" in
        tf1) die "no Python 3.7 here: install it (pyenv install 3.7, or conda create -n py37" \
            "python=3.7), or use Python 3.9 to 3.11 with RUNTIME=tf2." ;;
        tf2) die "no Python 3.9, 3.10 or 3.11 here: install one (Debian 12: sudo apt-get install" \
            "python3.11-venv; anywhere: pyenv install 3.11, or conda create -n py311 python=3.11)." ;;
        *) die "no Python that fits here: install 3.7 for TensorFlow 1.15.0 (pyenv install 3.7) or" \
            "3.11 for TensorFlow 2.15.1 (sudo apt-get install python3.11-venv, or pyenv install" \
            "3.11), and run this again." ;;
    esac
}

# Runs pip with what it says kept in a log: a line for every tenth package, its message if it fails.
install() {
    local log=$folder/setup.log count=0 line
    {
        "$folder/bin/python" -m pip --disable-pip-version-check --no-input install \
            --progress-bar off "$@" 2>&1 || echo "pip failed"
    } | while IFS= read -r line; do
        printf '%s\n' "$line" >>"$log"
        case $line in
            Collecting\ *)
                count=$((count + 1))
                [ $((count % 10)) -ne 0 ] || say "  $count of ${packages:-?} packages"
                ;;
        esac
    done
    if [ "$(tail -n 1 "$log")" = "pip failed" ]; then
        grep -E '^ *(ERROR|error):?' "$log" >&2 || tail -n 15 "$log" >&2
        die "the packages of $runtime were not installed; pip's whole output is in $log," \
            "and the next make tries again."
    fi
}

# Creates the folder anew and fills it; the stamp is written last, so half an environment has none.
build() {
    local started=$SECONDS packages=""
    say "building $folder: $("$python" -V 2>&1) ($python), packages of ${locks[*]}"
    rm -rf "$folder"
    if "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        "$python" -m venv "$folder" >&2
    else
        "$python" -m virtualenv -q "$folder" >&2
    fi
    pins >"$folder/pins.txt"
    # pip and the build tools first: an older pip knows neither editable projects nor new wheels.
    grep -E '^(pip|setuptools|wheel)==' "$folder/pins.txt" >"$folder/tools.txt"
    install --requirement "$folder/tools.txt"
    packages=$(grep -c '^[A-Za-z]' "$folder/pins.txt")
    install --no-deps --no-build-isolation --requirement "$folder/pins.txt"
    printf '%s\n' "$with" >"$folder/with"
    printf '%s\n' "$stamp" >"$folder/stamp"
    say "built $folder in $((SECONDS - started)) s"
}

# The pins of all locks, each once; with the one for GPUs, TensorFlow comes from there alone.
pins() {
    case " $with " in
        *" gpu "*) grep -vE '^tensorflow(-cpu)?==' "${locks[0]}"; cat "${locks[@]:1}" ;;
        *) cat "${locks[@]}" ;;
    esac | grep '^[A-Za-z]' | LC_ALL=C sort -u
}

main() {
    local only_find=false
    if [ "${1:-}" = --find ]; then only_find=true; shift; fi
    local wish=${1:-auto} runtime python folder with stamp project extra locks
    case $wish in tf1 | tf2 | auto) ;; *) die "RUNTIME=$wish is unknown: use tf1 or tf2." ;; esac
    choose "$wish"
    if $only_find; then echo "$runtime $python"; return; fi

    folder=.venv-$runtime
    with=${WITH-$(cat "$folder/with" 2>/dev/null || true)}
    locks=("requirements/$runtime.txt")
    for extra in $with; do
        [ -f "requirements/$runtime-$extra.txt" ] ||
            die "WITH=$extra is unknown: there is no requirements/$runtime-$extra.txt."
        locks+=("requirements/$runtime-$extra.txt")
    done
    stamp="$(pins | cksum) $("$python" -V 2>&1) $PWD"
    project="$(cksum <pyproject.toml)"
    if [ "$(cat "$folder/stamp" 2>/dev/null)" != "$stamp" ]; then
        build
    fi
    if [ "$(cat "$folder/project" 2>/dev/null)" != "$project" ]; then
        install --no-deps --no-build-isolation --editable .
        printf '%s\n' "$project" >"$folder/project"
    fi
    if [ -L .venv ] || [ ! -e .venv ]; then ln -sfn "$folder" .venv; fi
    echo "$folder"
}

main "$@"
