"""One checkpoint on several sets: each measured once, one table, nothing taken for another."""

import csv
import json

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import report
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.evaluation.sets import SetsEvaluator
from bsrn_estimator.platforms.base import Platform, RunOptions
from tests.bsrn_estimator.evaluation.support import SMALL, write_checkpoint
from tests.support import tiny


def _evaluator(folder, *data, **options):
    options = EvaluationOptions(eval_data_dir=",".join(data), **options)
    return SetsEvaluator(SMALL, Platform(), RunOptions(model_dir=str(folder)), options)


def _table(folder, name="table"):
    path = folder / "evaluation" / "step-10" / (name + ".csv")
    with open(str(path), newline="") as file:
        return {(row["set"], row["scale"]): row for row in csv.DictReader(file)}


def test_figures_and_the_table_of_two_sets(run, sets, capsys):
    folder, checkpoint = run
    found = _evaluator(folder, sets["b"], sets["a"]).evaluate(checkpoint)
    assert list(found) == ["b", "a"]
    rows = _table(folder)
    assert list(rows) == [("b", "2"), ("b", "3"), ("a", "2"), ("a", "3")]
    for (name, scale), row in rows.items():
        path = folder / "evaluation" / "step-10" / name / "metrics.json"
        content = json.loads(path.read_text())
        assert content == found[name] and content["data_set"] == name
        for figure in ("psnr_y", "ssim_y", "bicubic_psnr_y"):
            assert float(row[figure]) == content["scales"][scale][figure]
        assert (row["records"], row["weights"]) == (
            content["records"],
            content["weights"]["digest"],
        )
        assert (row["pictures"], row["network"]) == (str(content["pictures"]), "model.ckpt-10")
    shown = capsys.readouterr().out.split("\n\n")[-2].splitlines()
    assert shown[1].split() == "scale network parameters multiply-adds b (2) a (1)".split()
    lines = (folder / "evaluation" / "step-10" / "table.md").read_text().splitlines()
    # Title, a line without words, the head and its rule; then bicubic and the network at x2 and x3.
    assert [line.split(" | ")[:2] for line in lines[4:]] == [
        ["| x2", "bicubic"],
        ["| x2", "model.ckpt-10"],
        ["| x3", "bicubic"],
        ["| x3", "model.ckpt-10"],
    ]
    three = found["a"]["scales"]["3"]
    assert lines[-1].endswith("| %.2f / %.4f |" % (three["psnr_y"], three["ssim_y"]))


def test_only_the_set_that_is_missing_is_measured(run, sets, capsys):
    """As after a kill between the two."""
    folder, checkpoint = run
    both = _evaluator(folder, sets["a"], sets["b"])
    first = _evaluator(folder, sets["a"]).evaluate(checkpoint)["a"]
    assert list(_table(folder)) == [("a", "2"), ("a", "3")]
    assert not both.is_recorded(checkpoint)
    # Of one set alone there is no second table.
    assert "multiply-adds" not in capsys.readouterr().out
    found = both.evaluate(checkpoint)
    told = capsys.readouterr().out
    assert "step 10, b, 2 pictures" in told and "step 10, a," not in told
    assert found["a"] == first and both.is_recorded(checkpoint)
    assert len(_table(folder)) == 4
    # Nor is the table lost to a kill that came before it.
    (folder / "evaluation" / "step-10" / "table.csv").unlink()
    assert both.evaluate(checkpoint) == found and "step" not in capsys.readouterr().out
    assert len(_table(folder)) == 4
    both.evaluate(checkpoint, again=True)
    assert "step 10, a, 1 picture;" in capsys.readouterr().out


def test_sets_of_one_name_are_refused(run, sets):
    with pytest.raises(UserError, match="two sets called a, .*/a and .*/other/a; leave one out"):
        _evaluator(run[0], sets["a"], sets["b"], sets["other/a"])


def test_the_set_that_decides(run, sets):
    data = [sets["a"], sets["b"]]
    assert _evaluator(run[0], *data).decisive == "a"
    assert _evaluator(run[0], *data, best_by="b").decisive == "b"
    with pytest.raises(UserError, match="--best_by=c is none of the sets .* called a, b"):
        _evaluator(run[0], *data, best_by="c")


def test_the_table_of_a_step_has_figures_of_one_network(run, sets, tmp_path):
    folder, checkpoint = run
    _evaluator(folder, sets["a"], shave=4).evaluate(checkpoint)
    _evaluator(folder, sets["a"]).evaluate(checkpoint)
    own = _table(folder)
    assert list(own) == [(name, scale) for name in ("a", "a-shave4") for scale in ("2", "3")]
    head = (folder / "evaluation" / "step-10" / "table.md").read_text().splitlines()[0]
    assert "shave" not in head  # it is another one in each column
    elsewhere = write_checkpoint(tmp_path / "elsewhere", 10, seed=5)
    other = _evaluator(folder, sets["b"]).evaluate(elsewhere)
    assert _table(folder) == own
    (path,) = (folder / "evaluation" / "step-10").glob("table-*.csv")
    assert list(_table(folder, path.stem)) == [("b", "2"), ("b", "3")]
    assert path.stem == "table-" + other["b"]["weights"]["digest"][:8]


def test_a_folder_with_a_comma_in_its_name(run, sets, tmp_path):
    folder, checkpoint = run
    odd = tiny.write_records(tmp_path / "x,y|z", "evaluation", [(24, 30)], scales=(2, 3))
    assert list(_evaluator(folder, odd, sets["a"]).evaluate(checkpoint)) == ["x,y|z", "a"]
    assert (folder / "evaluation/step-10/x,y_z" / report.FILE_NAME).exists()
    head = (folder / "evaluation/step-10/table.md").read_text().splitlines()[2]
    assert head.count(" | ") == 5 and "x,y_z (1)" in head
    assert ("x,y_z", "3") in _table(folder)
