# make setup | demo | test | lint, each from a bare clone; see scripts/setup.sh for how the
# environment is chosen and built.
#
#   RUNTIME=tf1|tf2   Python 3.7 with TensorFlow 1.15.0, or Python 3.10 to 3.13 with 2.21.0
#                     (default: tf1 where this machine has a Python 3.7, else tf2)
#   PYTHON=...        the interpreter to use instead of searching for one (REBUILD=1 where the
#                     environment was built with another)
#   WITH="tfds gpu"   add-on locks of requirements/ to install too
#   PYTEST_ARGS=...   passed on to pytest, such as PYTEST_ARGS="tests/data_tools -k resize"
#   MUTANTS=...       passed on by `make mutants`, such as MUTANTS="--sample=100 training"

RUNTIME ?= auto
PYTEST_ARGS ?=
MUTANTS ?=
export PYTHON REBUILD
ifneq ($(origin WITH), undefined)
export WITH
endif

# Every target starts with it: a built environment is found in a second.
ENVIRONMENT = env=$$(scripts/setup.sh $(RUNTIME)) || exit 1

.PHONY: help setup demo test mutants lint format docs clean
.DEFAULT_GOAL := help

help:
	@echo "make setup    build the environment (.venv); every target below does it by itself"
	@echo "make demo     convert real photographs, train a small network, compare it with bicubic"
	@echo "make test     the tests, on the chosen runtime"
	@echo "make mutants  small faults that the tests do not notice (MUTANTS=--sample=100)"
	@echo "make lint     ruff: rules and format; mypy: types"
	@echo "make format   rewrite the sources in the format that lint asks for"
	@echo "make docs     the documents as a site with the reference of the Python names: build/docs"
	@echo "make clean    remove the environments and what the demo wrote"
	@echo "RUNTIME=tf1|tf2 chooses TensorFlow 1.15.0 (Python 3.7) or 2.21.0 (Python 3.10 to 3.13)."

setup:
	@$(ENVIRONMENT); echo "ready: $$env ($$($$env/bin/python -V), TensorFlow" \
	    "$$($$env/bin/python -m pip show tensorflow tensorflow-cpu 2>/dev/null | sed -n 's/^Version: //p'))"

demo:
	@$(ENVIRONMENT); exec $$env/bin/python scripts/demo.py

test:
	@$(ENVIRONMENT); exec $$env/bin/python -m pytest -q --durations=5 $(PYTEST_ARGS)

mutants: RUNTIME = tf2
mutants:
	@$(ENVIRONMENT); exec $$env/bin/python -m tests.support.mutants $(MUTANTS)

lint:
	@$(ENVIRONMENT); $$env/bin/ruff check . && $$env/bin/ruff format --check . && $$env/bin/mypy

format:
	@$(ENVIRONMENT); $$env/bin/ruff check --fix . ; $$env/bin/ruff format .

# The sources are read, not imported: an environment without TensorFlow, of any current Python.
docs: .venv-docs/built
	@PYTHONPATH= .venv-docs/bin/mkdocs build --strict --quiet && echo "build/docs/api.html"

.venv-docs/built: requirements/docs.txt
	@$(or $(PYTHON),python3) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	    { echo "error: make docs needs Python 3.10 or later; name one with PYTHON=..." >&2; exit 1; }
	@$(or $(PYTHON),python3) -m venv --clear .venv-docs
	@.venv-docs/bin/python -m pip --disable-pip-version-check install --quiet -r requirements/docs.txt
	@touch $@

clean:
	rm -rf .venv .venv-tf1 .venv-tf2 .venv-docs build/docs demo_output
