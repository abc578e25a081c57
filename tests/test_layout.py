"""The rule of imports and of length, for the sources as they are."""

from tests.support import structure

MOST_LINES = 400


def test_rooms_use_only_rooms_of_a_smaller_number(root):
    rule = structure.read_rule(root / "docs" / "architecture.md")
    assert structure.violations(structure.modules_of(root), rule) == []


def test_no_module_is_too_long(root):
    packages = structure.PACKAGES + ("benchmarks", "scripts")
    modules = structure.modules_of(root, packages)
    assert len({name.split(".")[0] for name in modules}) == len(packages)
    assert structure.too_long(modules, MOST_LINES) == []
