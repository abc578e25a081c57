"""Exit statuses of refusals, and names in their sentences."""

import os

import pytest

from bsrn_estimator.errors import RunFailed, UserError, printable


def test_a_mistake_and_a_failure_have_their_statuses():
    assert UserError("a").status == 2
    assert RunFailed("a").status == 1 and isinstance(RunFailed("a"), UserError)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("a b-\u00e4\u8d85.png", "a b-\u00e4\u8d85.png"),
        ("a\nb\t", "a\\nb\\t"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        (os.fsdecode(b"caf\xe9"), "caf\\udce9"),
        ("", ""),
    ],
)
def test_any_file_name_stands_in_one_line(name, expected):
    assert printable(name) == expected
    printable(name).encode("utf-8")
