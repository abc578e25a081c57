"""The cores that this process may use, not those of the machine."""

import os

import pytest

from bsrn_estimator import cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="not on this system")
def test_what_a_process_is_kept_from_does_not_count():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cores.usable() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert cores.usable() == len(before)


def test_where_nobody_knows(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores.usable() == 1
