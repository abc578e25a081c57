"""Where figures are filed: under step, data set, protocol, scales and weights."""

import json
import os
import shutil

import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.best import mean_psnr
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.checkpoints.reference import write_reference
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import report
from bsrn_estimator.evaluation.evaluator import Evaluator
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.interruption import Interrupted
from bsrn_estimator.platforms.base import Platform, RunOptions
from tests.bsrn_estimator.evaluation.support import SMALL, write_checkpoint
from tests.reliability.commands import curves
from tests.support import tiny


def _evaluator(folder, data, scales=None, **options):
    options = EvaluationOptions(eval_data_dir=data, **options)
    return Evaluator(SMALL, Platform(), RunOptions(model_dir=str(folder)), options, scales)


def _filed(folder):
    """{path of a metrics.json below evaluation: content}."""
    root = folder / "evaluation"
    paths = root.glob("*/*/metrics.json")
    return {str(path.parent.relative_to(root)): json.loads(path.read_text()) for path in paths}


def test_two_sets_of_one_step_have_files_and_curves_of_their_own(run, sets):
    folder, checkpoint = run
    given = {name: _evaluator(folder, sets[name]).evaluate(checkpoint) for name in ("a", "b")}
    found = _filed(folder)
    assert found == {"step-10/%s" % name: content for name, content in given.items()}
    for name, content in given.items():
        assert (content["data_set"], content["global_step"]) == (name, 10)
        assert content["weights"]["checkpoint"] == "model.ckpt-10"
        assert "degraded" not in content
        assert content["weights"]["moving_average"] is False
        assert content["shaves"] == {"2": 2, "3": 3}
        points = curves(folder / ("eval_" + name))["psnr_y/%s/x2" % name]
        assert points == {10: [pytest.approx(content["scales"]["2"]["psnr_y"], rel=1e-5)]}
    assert given["a"]["scales"]["2"]["psnr_y"] != given["b"]["scales"]["2"]["psnr_y"]
    assert not (folder / "eval").exists()


def test_figures_of_a_degraded_set_say_so(run, tmp_path, capsys):
    folder, checkpoint = run
    data = tiny.write_records(tmp_path / "jpeg", "evaluation", [(24, 30)], scales=(2, 3))
    path = tmp_path / "jpeg" / "manifest.json"
    path.write_text(json.dumps(dict(json.loads(path.read_text()), degrade="jpeg:75")))
    evaluator = _evaluator(folder, data)
    content = evaluator.evaluate(checkpoint)
    assert content["degraded"] == "jpeg:75"
    assert "step 10, jpeg with LR degraded by jpeg:75, 1 picture; " in capsys.readouterr().out
    assert _filed(folder) == {"step-10/jpeg": content}
    assert evaluator.recorded(checkpoint) == content


def test_protocol_and_chosen_scales_are_in_the_name(run, sets):
    folder, checkpoint = run
    _evaluator(folder, sets["a"]).evaluate(checkpoint)
    _evaluator(folder, sets["a"], shave=4).evaluate(checkpoint)
    _evaluator(folder, sets["a"], scales=(3,)).evaluate(checkpoint)
    _evaluator(folder, sets["a"], shave=4, scales=(2,)).evaluate(checkpoint)
    names = ["a", "a-shave4", "a-shave4-x2", "a-x3"]
    assert sorted(_filed(folder)) == ["step-10/" + name for name in names]
    assert set(curves(folder / "eval_a-x3")) & {"psnr_y/a/x2", "psnr_y/a/x3"} == {"psnr_y/a/x3"}


def test_another_folder_of_the_same_name_is_another_set(run, sets):
    folder, checkpoint = run
    first = _evaluator(folder, sets["a"]).evaluate(checkpoint)
    other = _evaluator(folder, sets["other/a"])
    assert other.recorded(checkpoint) is None
    second = other.evaluate(checkpoint)
    later = write_checkpoint(folder, 20, seed=2)
    third = other.evaluate(later)
    found = _filed(folder)
    assert found.pop("step-10/a") == first
    names = sorted(found)
    assert [name[:10] for name in names] == ["step-10/a-", "step-20/a-"]
    assert names[0].split("/")[1] == names[1].split("/")[1]
    assert [found[name] for name in names] == [second, third]
    # The folder may be moved, or named otherwise by a link.
    assert _evaluator(folder, sets["other/a"]).recorded(later) == third


def test_weights_from_elsewhere_do_not_take_the_place_of_those_of_the_run(run, sets, tmp_path):
    folder, checkpoint = run
    own = _evaluator(folder, sets["a"]).evaluate(checkpoint)
    elsewhere = write_checkpoint(tmp_path / "elsewhere", 10, seed=5)
    other = _evaluator(folder, sets["a"])
    assert other.recorded(elsewhere) is None
    given = other.evaluate(elsewhere)
    assert other.recorded(elsewhere) == given
    assert _evaluator(folder, sets["a"]).recorded(checkpoint) == own
    # A copy of the run's own weights is not another network.
    (tmp_path / "copy").mkdir()
    for path in folder.glob("model.ckpt-10.*"):
        shutil.copy(str(path), str(tmp_path / "copy"))
    assert other.recorded(str(tmp_path / "copy" / "model.ckpt-10")) == own
    assert len(_filed(folder)) == 2


def test_figures_of_other_weights_at_the_same_step_are_not_taken_for_done(run, sets):
    """As after a rollback, or where a run was begun again in its folder."""
    folder, checkpoint = run
    evaluator = _evaluator(folder, sets["a"])
    before = evaluator.evaluate(checkpoint)
    assert evaluator.recorded(checkpoint) == before
    assert write_checkpoint(folder, 10, seed=9) == checkpoint
    assert evaluator.recorded(checkpoint) is None
    after = evaluator.evaluate(checkpoint)
    assert _filed(folder) == {"step-10/a": after}
    assert after["weights"]["digest"] != before["weights"]["digest"]
    # TensorBoard shows the step once.
    psnr = after["scales"]["3"]["psnr_y"]
    assert curves(folder / "eval_a")["psnr_y/a/x3"] == {10: [pytest.approx(psnr, rel=1e-5)]}


@pytest.mark.parametrize("asked", ["single_outputs", "uiqm", "save_pictures"])
def test_what_was_not_measured_is_not_taken_for_done(run, sets, asked):
    folder, checkpoint = run
    _evaluator(folder, sets["a"]).evaluate(checkpoint)
    more = _evaluator(folder, sets["a"], **{asked: True})
    assert more.recorded(checkpoint) is None
    given = more.evaluate(checkpoint)
    assert more.recorded(checkpoint) == given
    assert _evaluator(folder, sets["a"]).recorded(checkpoint) == given


@pytest.mark.parametrize(
    "damage", ["", "{", '{"scales": {"2": 3}}', '{"scales": {}, "weights": 1}']
)
def test_a_damaged_file_is_no_evaluation(run, sets, damage):
    folder, checkpoint = run
    evaluator = _evaluator(folder, sets["a"])
    evaluator.evaluate(checkpoint)
    (folder / "evaluation/step-10/a/metrics.json").write_text(damage)
    assert evaluator.recorded(checkpoint) is None


def test_metrics_json_is_written_when_all_else_is_on_the_disk(run, sets, monkeypatch):
    """A kill just before it: the evaluation is made again, and its step stands in curves once."""
    folder, checkpoint = run
    evaluator = _evaluator(folder, sets["a"])

    def killed(content, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluator.evaluate(checkpoint)
    assert evaluator.recorded(checkpoint) is None
    psnr = curves(folder / "eval_a")["psnr_y/a/x2"][10]
    assert len(psnr) == 1
    monkeypatch.undo()
    evaluator.evaluate(checkpoint)
    assert curves(folder / "eval_a")["psnr_y/a/x2"] == {10: psnr}


def test_figures_by_another_rule_for_grey_pictures_are_not_taken(run, sets):
    folder, checkpoint = run
    by_file = _evaluator(folder, sets["a"])
    given = by_file.evaluate(checkpoint)
    studio = _evaluator(folder, sets["a"], grey="studio")
    assert studio.recorded(checkpoint) is None
    also = studio.evaluate(checkpoint)
    assert _filed(folder) == {"step-10/a": given, "step-10/a-studio": also}
    assert (by_file.recorded(checkpoint), studio.recorded(checkpoint)) == (given, also)
    # That of a version in which grey pictures had a rule of their own.
    path = folder / "evaluation/step-10/a/metrics.json"
    path.write_text(json.dumps({name: given[name] for name in given if name != "grey"}))
    assert by_file.recorded(checkpoint) is None


def test_a_checkpoint_without_a_step(run, sets, tmp_path, capsys):
    """The step is what a configuration beside it says, or is not known."""
    _, checkpoint = run
    folder = tmp_path / "plain"
    plain = str(folder / "model.ckpt")
    write_reference(checkpoint, plain, weights_only=True)
    evaluator = _evaluator(folder, sets["a"])
    content = evaluator.evaluate(plain)
    assert content["global_step"] is None
    assert "step unknown, a, 1 picture;" in capsys.readouterr().out
    assert _filed(folder) == {"step-unknown/a": content}
    assert evaluator.recorded(plain) == content
    another = str(folder / "another.ckpt")
    source = write_checkpoint(tmp_path / "second", 20, seed=2)
    write_reference(source, another, weights_only=True)
    second = evaluator.evaluate(another)
    digest = second["weights"]["digest"]
    filed = {"step-unknown/a": content, "step-unknown/a-" + digest[:8]: second}
    assert _filed(folder) == filed and second["scales"] != content["scales"]
    assert (evaluator.recorded(plain), evaluator.recorded(another)) == (content, second)
    Config(SMALL).save(str(folder))
    path = folder / "config.json"
    path.write_text(json.dumps(dict(json.loads(path.read_text()), global_step=1234)))
    assert Config.load(str(folder)) == Config(SMALL)
    content = evaluator.evaluate(plain)
    assert content["global_step"] == 1234
    assert "step 1234, a, 1 picture;" in capsys.readouterr().out
    assert content == _filed(folder)["step-1234/a"]
    assert sorted(curves(folder / "eval_a")["psnr_y/a/x2"]) == [0, 1234]
    # The configuration is that of both, and so is its step.
    evaluator.evaluate(another)
    assert content == _filed(folder)["step-1234/a"] and evaluator.recorded(plain) == content
    assert _filed(folder)["step-1234/a-" + digest[:8]]["weights"]["digest"] == digest
    path.write_text(path.read_text().replace("1234", '"many"'))
    with pytest.raises(UserError, match="global_step is a number of steps, not 'many'"):
        evaluator.evaluate(plain)


class _BreakOff(tf.train.SessionRunHook):
    def before_run(self, _context):
        raise Interrupted


def test_an_evaluation_that_is_broken_off_leaves_the_former_file(run, sets):
    folder, checkpoint = run
    evaluator = _evaluator(folder, sets["a"])
    given = evaluator.evaluate(checkpoint)
    with pytest.raises(Interrupted):
        evaluator.evaluate(checkpoint, [_BreakOff()])
    assert _filed(folder) == {"step-10/a": given}


def test_a_look_at_an_earlier_step_leaves_the_later_points(run, sets):
    folder, checkpoint = run
    evaluator = _evaluator(folder, sets["a"])
    evaluator.evaluate(checkpoint)
    evaluator.evaluate(write_checkpoint(folder, 20, seed=2))
    evaluator.evaluate(checkpoint)
    assert sorted(curves(folder / "eval_a")["psnr_y/a/x2"]) == [10, 20]


def test_an_odd_model_folder(tmp_path, sets):
    folder = tmp_path / "run[1]"
    checkpoint = write_checkpoint(tmp_path / "plain", 10, seed=1)
    shutil.copytree(str(tmp_path / "plain"), str(folder))
    checkpoint = checkpoint_files.resolve(str(folder))
    given = _evaluator(folder, sets["a"]).evaluate(checkpoint)
    assert _filed(folder) == {"step-10/a": given}
    assert sorted(curves(folder / "eval_a")["psnr_y/a/x2"]) == [10]
    assert sorted(os.listdir(str(tmp_path))) == ["plain", "run[1]"]


def test_an_evaluation_draws_what_it_files(run, sets):
    """Of three evaluations, the first two with pictures, some of which are not the best so far."""
    folder, checkpoint = run
    checkpoints = [checkpoint] + [write_checkpoint(folder, step, seed=step) for step in (20, 30)]
    evaluator = _evaluator(folder, sets["a"])
    contents = [evaluator.evaluate(checkpoint) for checkpoint in checkpoints]
    found = {line: curves(folder / "eval_a" / line) for line in ("", "bicubic", "best")}
    assert not any(name.startswith("bicubic") for name in found[""])
    means = []
    for content in contents:
        step, entry = content["global_step"], content["scales"]["2"]
        means.append(mean_psnr(content))
        expected = {
            ("", "psnr_y/a/x2"): entry["psnr_y"],
            ("", "psnr_y/a/mean"): means[-1],
            ("", "psnr_gain/a/x2"): entry["psnr_y"] - entry["bicubic_psnr_y"],
            ("bicubic", "psnr_y/a/x2"): entry["bicubic_psnr_y"],
            ("best", "psnr_y/a/mean"): max(means),
        }
        drawn = {(line, name): found[line][name][step] for line, name in expected}
        assert drawn == {key: [pytest.approx(value, abs=1e-4)] for key, value in expected.items()}
        assert found[""]["loss"][step][0] > 0
    shown = [steps for name, steps in found[""].items() if name.startswith("LR_bicubic")]
    assert len(shown) == 2 and {tuple(sorted(steps)) for steps in shown} == {(10, 20)}
