"""The checker of the layout, on small made-up packages that break each clause of the rule."""

import pytest

from tests.support import structure

TABLE = """
| level | rooms | for these rooms alone |
|---|---|---|
| 3 | `main`, `serve` | |
| 2 | `training`, `evaluation`, `data_tools` | `data_tools`: none |
| 1 | `errors`, `compat`, `adapter` | `adapter`: `compat`, `serve` ; `errors`: `training` |
"""


@pytest.fixture
def modules(tmp_path):
    """Writes a package in which nothing is imported but what is given as {path: text}; reads it."""

    def write(files):
        names = ["main", "compat", "adapter", "errors", "training/train", "evaluation/hook"]
        whole = {"bsrn_estimator/%s.py" % name: "" for name in names}
        whole["data_tools/convert.py"] = ""
        whole.update(files)
        for path, text in whole.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return structure.modules_of(tmp_path)

    return write


@pytest.fixture
def rule(tmp_path):
    (tmp_path / "rule.md").write_text(TABLE)
    return structure.read_rule(tmp_path / "rule.md")


def test_the_table_of_levels(rule, tmp_path):
    assert rule.levels["serve"] == 3 and rule.levels["adapter"] == 1 and len(rule.levels) == 8
    assert rule.users["data_tools"] == set() and rule.users["errors"] == {"training"}
    assert rule.users["adapter"] == {"compat", "serve"} and len(rule.users) == 3
    for text, words in (
        (TABLE + "| 0 | `main` | |\n", "has the room main twice"),
        ("| a | b |\n", "no table of levels"),
    ):
        (tmp_path / "wrong.md").write_text(text)
        with pytest.raises(ValueError, match=words):
            structure.read_rule(tmp_path / "wrong.md")


def test_what_keeps_the_rule_is_not_named(modules, rule):
    files = {
        "bsrn_estimator/__init__.py": "def __getattr__(name):\n  from bsrn_estimator import main",
        "bsrn_estimator/main.py": "import bsrn_estimator.training.train\nfrom . import compat",
        "bsrn_estimator/training/__init__.py": "",
        "bsrn_estimator/training/train.py": "from bsrn_estimator.errors import Error\nimport os",
        "bsrn_estimator/training/hooks.py": "from . import train\nfrom .train import step",
        "bsrn_estimator/compat.py": "from bsrn_estimator import adapter, __version__",
        "data_tools/convert.py": "from bsrn_estimator import compat\nfrom data_tools import tiles",
        "data_tools/tiles.py": "import numpy",
    }
    assert structure.violations(modules(files), rule) == []


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("compat", "import bsrn_estimator.main", "compat (level 1) imports bsrn_estimator.main"),
        ("compat", "def f():\n  from bsrn_estimator.main import x", "imports bsrn_estimator.main"),
        ("compat", "if True:\n  from . import main", "imports bsrn_estimator.main (level 3)"),
        ("training/train", "from ..main import run", "imports bsrn_estimator.main (level 3)"),
        ("training/train", "from ..evaluation import hook", "(level 2) imports"),
        ("training/a", "import bsrn_estimator.evaluation.hook as h", "evaluation.hook (level 2)"),
        ("evaluation/hook", "from ..training.train import x", "imports bsrn_estimator.training"),
        ("main", "from .. import adapter", None),  # above the package there is nothing
        ("main", "from . import adapter", "adapter, which is for compat and serve alone"),
        ("main", "from bsrn_estimator import errors", "errors, which is for training alone"),
        ("main", "from data_tools.convert import convert", "convert, which is for none alone"),
        ("thicket", "", "bsrn_estimator.thicket is in no room"),
        ("thicket/file", "", "bsrn_estimator.thicket.file is in no room"),
        ("__init__", "from bsrn_estimator import compat", "the top of a package imports nothing"),
        ("__init__", "try:\n  from . import compat\nfinally:\n  pass", "imports nothing"),
        ("training/train", "from . import other", None),
        ("training/other", "from . import train", None),
    ],
)
def test_what_breaks_the_rule_is_named(modules, rule, name, text, words):
    found = structure.violations(modules({"bsrn_estimator/%s.py" % name: text}), rule)
    if words is None:
        assert found == []
    else:
        assert len(found) == 1 and words in found[0]


def test_files_that_import_one_another_are_named(modules, rule):
    files = {
        "bsrn_estimator/training/train.py": "def f():\n  from . import b",
        "bsrn_estimator/training/b.py": "from . import c",
        "bsrn_estimator/training/c.py": "from .train import f",
    }
    (found,) = structure.violations(modules(files), rule)
    names = ["bsrn_estimator.training." + name for name in ("b", "c", "train")]
    assert found == ", ".join(names) + " import one another"


def test_counts():
    graph = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": set()}
    assert structure.circles(graph) == [] and structure.storeys(graph) == 3
    # A circle of three stands on one storey, below a, above e; one that imports itself is one too.
    graph = {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": {"b", "e"}, "e": set(), "f": {"f"}}
    assert structure.circles(graph) == [["b", "c", "d"], ["f"]] and structure.storeys(graph) == 3
    assert structure.storeys({}) == 0 and structure.circles({}) == []


def test_too_long(modules):
    found = modules(
        {"bsrn_estimator/main.py": "x = 1\n" * 7, "data_tools/convert.py": "y = 2\n" * 6}
    )
    assert structure.too_long(found, 6) == ["bsrn_estimator.main has 7 lines, more than 6"]


def test_tests_that_mirror_no_module_are_named():
    modules = ["bsrn_estimator.files", "bsrn_estimator.a.hook", "bsrn_estimator.a.b.__main__"]
    mirrors = [
        "bsrn_estimator.test_files",
        "bsrn_estimator.a.test_hook",
        "bsrn_estimator.a.b.test_main",
    ]
    beside = ["bsrn_estimator.a.support", "bsrn_estimator.a", "data_tools.test_x", "test_setup"]
    tests = ["tests." + name for name in mirrors + beside]
    assert structure.unmirrored(modules, tests, []) == []
    wrong = ["tests.bsrn_estimator.a.test_files", "tests.bsrn_estimator.test_hook"]
    named = [name + " mirrors no module" for name in wrong]
    assert structure.unmirrored(modules, tests + wrong, []) == named
    assert structure.unmirrored(modules, tests + wrong, wrong) == []
    assert structure.unmirrored(modules, tests, [tests[0], "tests.gone"]) == [
        "tests.gone is not there",
        "tests.bsrn_estimator.test_files mirrors a module",
    ]


def test_the_command(modules, tmp_path, capsys):
    modules(
        {
            "bsrn_estimator/__init__.py": "",
            "bsrn_estimator/main.py": "from bsrn_estimator.training import train, hooks",
            "bsrn_estimator/training/hooks.py": "from bsrn_estimator import compat",
            "bsrn_estimator/training/train.py": "from .hooks import a\nfrom .. import errors",
        }
    )
    assert structure.main([str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    # main, compat, adapter, errors, training, evaluation, data_tools; main on training on compat.
    for expected in ("modules 9", "rooms 7", "storeys 3", "arrows 3", "circles among files 0"):
        assert expected.split() in lines
    assert ["bsrn_estimator/training/", "(2)"] in lines and ["train.py", "2", "lines"] in lines
    assert structure.main([str(tmp_path / "none")]) == 2
    assert "there is no" in capsys.readouterr().err
