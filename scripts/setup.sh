#!/usr/bin/env bash
# Builds the Python environment of one runtime, or finds it as it should be and does nothing.
#
#   scripts/setup.sh [tf1|tf2|auto]          build .venv-tf1 or .venv-tf2, print its folder
#   scripts/setup.sh --find [tf1|tf2|auto]   print the runtime and the interpreter that would be
#                                            used for a new environment, build nothing
#
# tf1 is Python 3.7 with TensorFlow 1.15.0, tf2 is Python 3.10 to 3.13 with TensorFlow 2.21.0; auto
# takes tf1 where this machine has a Python 3.7. Progress goes to stderr, the result to stdout.
#
# An environment keeps its interpreter until its lock changes or it is removed (make clean), whatever
# else is installed meanwhile; of two that are started at a time, one builds and the other waits.
# Where no interpreter fits and `uv` is there, uv gets one.
#
# Environment: PYTHON   an interpreter to use instead of searching for one
#              WITH     add-on locks to install too, such as "tfds gpu" (requirements/RUNTIME-NAME.txt);
#                       unset, those that the environment has already; empty, none
#              REBUILD  1: where PYTHON is not the interpreter of the environment, build it anew
set -euo pipefail
shopt -s nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# The versions of Python of a runtime, the best first.
versions_of() {
    case $1 in
        tf1) echo "3.7" ;;
        tf2) echo "3.13 3.12 3.11 3.10" ;;
    esac
}

# The same in words: "3.10 to 3.13".
span_of() {
    local versions
    read -ra versions <<<"$(versions_of "$1")"
    if [ ${#versions[@]} -eq 1 ]; then echo "${versions[0]}"; return; fi
    echo "${versions[${#versions[@]} - 1]} to ${versions[0]}"
}

# Prints "VERSION BITS MODULES" of an interpreter, MODULES saying whether it can make environments.
# A pyenv shim exists for every version that is installed and runs only the selected ones, hence
# the interpreter is started, not looked at. No package is made for those without the global lock.
probe() {
    "$1" -I -c '
import importlib.util, struct, sys, sysconfig
can = all(map(importlib.util.find_spec, ("venv", "ensurepip")))
can = can or importlib.util.find_spec("virtualenv")
free = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
print("%d.%d%s" % (sys.version_info[:2] + (free,)), struct.calcsize("P") * 8, "full" if can else "bare")
' 2>/dev/null </dev/null || true
}

# Prints what tells one interpreter from another, the same for an environment and what made it.
identity() {
    "$1" -I -c 'import sys; print(sys.version.split()[0], sys.base_prefix)' 2>/dev/null </dev/null || true
}

# Prints every interpreter worth a try for one version, one a line: PATH, pyenv, uv, conda, usual
# places.
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
    for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version"* \
        "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}"/cpython-"$version".*; do
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

# Sets `found` to an interpreter of the runtime, or to nothing; remembers one without venv in `bare`,
# and versions that do not fit in `others`.
find_python() {
    local version candidate answer tried=""
    found=""
    for version in $(versions_of "$1"); do
        while IFS= read -r candidate; do
            [ -x "$candidate" ] || continue
            case $tried in
                *"|$candidate="*) answer=${tried#*"|$candidate="} answer=${answer%%|*} ;;
                *) answer=$(probe "$candidate") tried="$tried|$candidate=$answer|" ;;
            esac
            case $answer in
                "$version 64 full") found=$candidate; return ;;
                "$version 64 bare") bare=$candidate; bare_version=$version ;;
                3.*) case " $others " in *" ${answer%% *} "*) ;; *) others="$others ${answer%% *}" ;; esac ;;
            esac
        done < <(candidates "$version")
    done
}

# Sets `found` to an interpreter that uv has fetched, where there is uv and it can.
fetch_python() {
    local version
    found=""
    command -v uv >/dev/null || return 0
    version=$(versions_of "$1")
    version=${version%% *}
    say "no Python $(span_of "$1") here: uv python install $version"
    uv python install "$version" >&2 || return 0
    found=$(uv python find --no-project "$version" 2>/dev/null) || found=""
    [ "$(probe "${found:-false}")" = "$version 64 full" ] || found=""
}

# The runtimes that a wish allows on this machine, the preferred one first.
runtimes_of() {
    case $1 in
        # TensorFlow 1.15.0 has ready packages for x86-64 alone.
        auto) [ "$(uname -m)" != x86_64 ] || echo tf1; echo tf2 ;;
        *) echo "$1" ;;
    esac
}

# Sets `runtime` and `python` from PYTHON.
choose_given() {
    local option version
    option=$(command -v "$PYTHON") || die "PYTHON=$PYTHON is no program on this machine."
    version=$(probe "$option")
    for runtime in tf1 tf2; do
        case "$1" in auto | "$runtime") ;; *) continue ;; esac
        case " $(versions_of $runtime) " in *" ${version%% *} "*) python=$option; return ;; esac
    done
    die "PYTHON=$PYTHON does not fit RUNTIME=$1: tf1 needs Python $(span_of tf1)," \
        "tf2 needs $(span_of tf2)."
}

# Sets `runtime` and `python` from the wish (tf1, tf2, auto), or ends with a sentence on what to do.
choose() {
    local wish=$1 may_fetch=$2 found="" bare="" bare_version="" others=""
    if [ -n "${PYTHON:-}" ]; then choose_given "$wish"; return; fi
    for runtime in $(runtimes_of "$wish"); do
        find_python "$runtime"
        if [ -n "$found" ]; then python=$found; return; fi
    done
    if $may_fetch && [ "$runtime" = tf2 ]; then # uv has no Python 3.7
        fetch_python tf2
        if [ -n "$found" ]; then python=$found; return; fi
    fi
    if [ -n "$bare" ]; then
        die "$bare cannot make environments: install its venv module (Debian and Ubuntu:" \
            "sudo apt-get install python$bare_version-venv) and run this again."
    fi
    nothing_fits "$wish" "$others"
}

# Ends with the sentence for a machine without an interpreter that fits.
nothing_fits() {
    local newest here=""
    newest=$(versions_of tf2)
    newest=${newest%% *}
    [ -z "$2" ] || here=" (there is$2)"
    local remedy="uv python install $newest, or pyenv install $newest, or conda create -n"
    remedy="$remedy py${newest/./} python=$newest"
    case $1 in
        tf1) die "no Python $(span_of tf1) here$here: install it (pyenv install 3.7, or conda create -n" \
            "py37 python=3.7), or use Python $(span_of tf2) with RUNTIME=tf2." ;;
        tf2) die "no Python $(span_of tf2) here$here: install one ($remedy) and run this again." ;;
        *) die "no Python that fits here$here: TensorFlow 2.21 needs Python $(span_of tf2)," \
            "TensorFlow 1.15 needs $(span_of tf1); install one ($remedy) and run this again." ;;
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
    say "building $folder: $("$python" -V 2>&1) ($python), packages of $(locks | tr '\n' ' ')"
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
    # The interpreter itself, for a shim may select another one tomorrow.
    "$python" -I -c 'import os, sys; print(os.path.realpath(sys.executable))' >"$folder/interpreter"
    stamp >"$folder/stamp"
    say "built $folder in $((SECONDS - started)) s"
}

# The files that pin the packages of `runtime` and `with`, one a line.
locks() {
    local extra
    echo "requirements/$runtime.txt"
    for extra in $with; do echo "requirements/$runtime-$extra.txt"; done
}

# The pins of all locks, each once; with the one for GPUs, TensorFlow comes from there alone.
pins() {
    local files
    read -ra files <<<"$(locks | tr '\n' ' ')"
    case " $with " in
        *" gpu "*) grep -vE '^tensorflow(-cpu)?==' "${files[0]}"; cat "${files[@]:1}" ;;
        *) cat "${files[@]}" ;;
    esac | grep '^[A-Za-z]' | LC_ALL=C sort -u
}

# What an environment must have been built from: these pins, in this place.
stamp() { echo "$(pins | cksum) $PWD"; }

# Whether the folder of `runtime` is what its locks ask for, with the add-ons that it has, and runs.
is_built() {
    local with
    [ -f "$folder/stamp" ] && [ -f "$folder/interpreter" ] || return 1
    with=$(cat "$folder/with")
    [ "$(cat "$folder/stamp")" = "$(stamp 2>/dev/null)" ] && [ -n "$(identity "$folder/bin/python")" ]
}

# Sets `runtime` and, to the interpreter that made it, `kept` where an environment is there that its
# locks ask for: then nothing is searched for. auto goes on with a tf2 that was its own choice.
find_environment() {
    kept=""
    for runtime in $(runtimes_of "$1"); do
        folder=.venv-$runtime
        if is_built && { [ "$1" != auto ] || [ "$runtime" = tf1 ] || [ -f "$folder/auto" ]; }; then
            kept=$(cat "$folder/interpreter")
            return
        fi
        [ ! -e "$folder" ] || return 0
    done
}

# Holds the lock of the runtime until this process ends: the file of its pins, so none is added.
hold() {
    command -v flock >/dev/null || return 0 # not part of macOS
    exec 9<"requirements/$runtime.txt"
    flock -w 3 9 || { say "waiting for another make, which builds $folder"; flock 9; }
}

# Sets `kept` to the interpreter of the environment of `runtime` where that can stay, else to nothing.
keep() {
    kept=""
    is_built || return 0
    kept=$(cat "$folder/interpreter")
    [ -n "${PYTHON:-}" ] || return 0
    [ "$(identity "$python")" != "$(identity "$folder/bin/python")" ] || return 0
    [ "${REBUILD:-}" = 1 ] || die "$folder was built with $kept, not with PYTHON=$PYTHON, and may be" \
        "in use; to build it anew, add REBUILD=1."
    kept=""
}

main() {
    local only_find=false
    if [ "${1:-}" = --find ]; then only_find=true; shift; fi
    local wish=${1:-auto} runtime python="" folder with kept project extra
    case $wish in tf1 | tf2 | auto) ;; *) die "RUNTIME=$wish is unknown: use tf1 or tf2." ;; esac
    if $only_find; then choose "$wish" false; echo "$runtime $python"; return; fi

    find_environment "$wish"
    if [ -n "${PYTHON:-}" ] || [ -z "$kept" ]; then choose "$wish" true; fi
    folder=.venv-$runtime
    hold
    keep
    with=${WITH-$(cat "$folder/with" 2>/dev/null || true)}
    for extra in $with; do
        [ -f "requirements/$runtime-$extra.txt" ] ||
            die "WITH=$extra is unknown: there is no requirements/$runtime-$extra.txt."
    done
    if [ -z "$kept" ] || [ "$(cat "$folder/stamp")" != "$(stamp)" ]; then
        if [ -n "$(identity "$kept")" ]; then python=$kept; fi
        [ -n "$python" ] || choose "$runtime" true
        build
    fi
    if [ "$wish" = auto ] && [ -z "${PYTHON:-}" ]; then touch "$folder/auto"; fi
    project="$(cksum <pyproject.toml)"
    if [ "$(cat "$folder/project" 2>/dev/null)" != "$project" ]; then
        install --no-deps --no-build-isolation --editable .
        printf '%s\n' "$project" >"$folder/project"
    fi
    if [ ! -e .venv ] || { [ -L .venv ] && [ "$(readlink .venv)" != "$folder" ]; }; then
        ln -sfn "$folder" .venv
    fi
    echo "$folder"
}

main "$@"
