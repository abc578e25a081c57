"""The command that prints the table of builds and modes, on two of its cells."""

import pytest

from tests.npu_double import matrix


def test_cells_say_what_came_out(capsys, monkeypatch, clean_environment):
    wrong = matrix.Mode([["--train_steps=1", "--scale_schedule=random"]])
    monkeypatch.setattr(matrix, "MODES", {"fixed": matrix.MODES["fixed"], "wrong": wrong})
    assert matrix.main(["--builds=r1.8.0", "--modes=fixed,wrong"]) == 1
    said = capsys.readouterr().out
    assert "| fixed | ok |" in said and "| wrong | failed |" in said
    assert "r1.8.0, wrong: status 2: error: --scale_schedule=random" in said


def test_every_row_of_the_contract_is_there():
    for name in ("dynamic", "dynamic resumed", "overflow", "loops", "EMA", "INF/NaN mode"):
        assert name in matrix.MODES
    with pytest.raises(SystemExit):
        matrix.main(["--help"])
