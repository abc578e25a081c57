"""The parser of documents, and the checker of commands, on made-up ones."""

import argparse
import sys

import pytest
from absl import flags as absl_flags

from tests.support import command_lines, documents
from tests.support.documents import Command

TEXT = """# A title, with: marks
Say `make lint RUNTIME=tf2`, `python -m tool \\| head`, `other --far`, `--near=1` or [that](a.md#b).

```sh
FOLDER=x python tool.py --long=1,2 \\
    'a b' --more   # --not_this
(printf 'x'; curl -d @file "http://host/?a=1&b=2") > out.json | tail && make it
```

```python
print("`make nothing`")
```
## Second one
[web](https://host/page) [here](#second-one)
"""


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(TEXT)
    return path


def test_blocks(document):
    shell, python = documents.blocks(document)
    assert (shell.line, shell.language, python.line) == (5, "sh", 11)
    assert python.text == 'print("`make nothing`")\n'
    document.write_text("```sh\nmake\n")
    with pytest.raises(ValueError, match="page.md:1: the block is not closed"):
        documents.blocks(document)


def test_commands(document):
    found = [(c.where, c.words, c.whole) for c in documents.commands(document)]
    assert found == [
        ("page.md:5", ["python", "tool.py", "--long=1,2", "a b", "--more"], True),
        ("page.md:6", ["printf", "x"], True),
        ("page.md:6", ["curl", "-d", "@file", "http://host/?a=1&b=2"], True),
        ("page.md:6", ["tail"], True),
        ("page.md:6", ["make", "it"], True),
        ("page.md:2", ["make", "lint", "RUNTIME=tf2"], False),
        ("page.md:2", ["python", "-m", "tool"], False),
        ("page.md:2", ["head"], False),
    ]


def test_flags_links_and_anchors(document):
    assert documents.flags_named(document) == {"far", "near"}
    assert documents.links(document) == ["a.md#b", "#second-one"]
    assert documents.anchors(document) == {"a-title-with-marks", "second-one"}


TOOL = """
import argparse
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, choices=(1, 2))
    parser.add_argument("--input", required=True)
    parser.parse_args()
    raise SystemExit("it must not come here")
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def checker(tmp_path, monkeypatch):
    """A checker of a made-up project."""
    files = {
        "Makefile": "RUNTIME ?= auto\nexport WITH\ntest:\n\ttrue\n",
        "pyproject.toml": '[project.scripts]\nmade-up = "made_up.tool:main"\n',
        "requirements/tf2-gpu.txt": "",
        "made_up/tool.py": TOOL,
        "made_up/broken.py": "from argparse import missing\n",
        "made_up/mute.py": "print('nothing')\n",
        "scripts/passes.sh": '#!/bin/sh\nexec python -m made_up.tool --count=1 "$@"\n',
        "scripts/own.sh": "#!/bin/sh\n# Usage: own.sh [--known]\necho --unknown\n",
        "scripts/others.py": TOOL.replace("parse_args", "parse_known_args"),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    values = absl_flags.FlagValues()
    absl_flags.DEFINE_integer("steps", 3, "", flag_values=values)

    def pytest_option(name):
        if name != "kills":
            raise ValueError("no option %s" % name)

    yield command_lines.Checker(tmp_path, values, pytest_option)
    for name in [name for name in sys.modules if name.split(".")[0] == "made_up"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "line, problem",
    [
        ("make test RUNTIME=tf2 WITH=gpu", None),
        ("make tests", "no target tests"),
        ("make test RUN=tf2", "has no RUN"),
        ("make test RUNTIME=tf3", "tf1 or tf2"),
        ("make test WITH='gpu tpu'", "tf?-tpu.txt"),
        ("python -c 'print(1)'", None),
        ("python -m made_up.tool --count=2 --input=x", None),
        ("python made_up/tool.py --input x", None),
        ("python -m made_up.tool --help", None),
        ("python -m made_up.tool --count=2", "--input"),
        ("python -m made_up.tool --count=3 --input=x", "invalid choice"),
        ("python -m made_up.tool --cuont=2 --input=x", "unknown: --cuont=2"),
        ("python -m made_up.tool --input=x more", "unknown: more"),
        ("python -m made_up.other", "no module made_up.other"),
        ("python made_up/other.py", "no file made_up/other.py"),
        ("made-up --input=x", None),
        ("made-up --output=x --input=x", "unknown"),
        ("made-down", "no command made-down"),
        ("curl -d x --what", None),
        ("python -m bsrn_estimator.main --steps=4", None),
        ("python -m bsrn_estimator.main --steps=x", "steps"),
        ("python -m bsrn_estimator.main --stpes=4", "stpes"),
        ("python -m bsrn_estimator.main steps", "steps is not a flag"),
        ("python -m bsrn_estimator.main --flagfile=none", "none"),
        ("bash scripts/own.sh --known", None),
        ("bash scripts/own.sh --unknown", "says nothing of --unknown"),
        ("bash own.sh", "no command own.sh"),
        ("scripts/own.sh --known", None),
        ("scripts/own.sh --unknown", "says nothing of --unknown"),
        ("scripts/passes.sh --input=x", None),
        ("scripts/passes.sh --known --input=x", "unknown: --known"),
        ("scripts/others.py --input=x --steps=5", None),
        ("scripts/others.py --input=x --known", "known"),
        ("python -m pytest -q made_up/tool.py --kills=3", None),
        ("python -m pytest made_up/none.py", "no made_up/none.py"),
        ("python -m pytest --kill=3", "no option kill"),
    ],
)
def test_what_is_wrong_with_a_command(checker, line, problem):
    (words,) = documents.split(line)
    found = checker.problem(Command("page.md:7", words, True))
    if problem is None:
        assert found is None
    else:
        assert found.startswith("page.md:7: ") and problem in found


def test_what_a_sentence_names_need_not_be_complete(checker):
    words = ["python", "-m", "made_up.tool", "--count=2"]
    assert checker.problem(Command("x", words, False)) is None
    assert checker.problem(Command("x", words[:1], False)) is None
    assert "--cuont" in checker.problem(Command("x", words[:3] + ["--cuont=2", "--input=x"], False))


def test_a_module_that_does_not_start_is_found(checker):
    with pytest.raises(ImportError, match="missing"):
        checker.module("made_up.broken")
    with pytest.raises(AssertionError, match="before it looked"):
        checker.module("made_up.mute")
    assert argparse.ArgumentParser.parse_args.__module__ == "argparse"


def test_known_flags(checker):
    assert not {"count", "steps"} <= checker.known_flags()  # nothing was started yet
    checker.module("made_up.tool")
    known = checker.known_flags()
    assert {"count", "input", "steps", "known", "help", "skip_bad", "noskip_bad"} <= known
    assert "unknown" not in known
