"""What TensorBoard gets of evaluations: one name for what is compared, few pictures."""

import math

import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation.curves import Curves, pictures_drawn
from tests.reliability.commands import curves, events


def _content(step, *psnr, bicubic=30.0):
    entries = [{"psnr_y": v, "bicubic_psnr_y": bicubic, "bicubic_ssim_y": 0.9} for v in psnr]
    scales = {str(scale): entry for scale, entry in enumerate(entries, 2)}
    return {"global_step": step, "scales": scales}


def test_bicubic_and_the_best_so_far_are_lines_of_the_same_charts(tmp_path):
    drawn = Curves(str(tmp_path / "eval"))
    contents = [_content(10, 31.0, 29.0), _content(20, 33.0, 30.0), _content(30, 32.0, 28.0)]
    for number, content in enumerate(contents):
        drawn.add(content, contents[:number])
    found = curves(tmp_path / "eval" / "bicubic")
    assert set(found) == {"psnr_y/x2", "psnr_y/x3", "ssim_y/x2", "ssim_y/x3"}
    assert found["psnr_y/x3"] == {10: [30.0], 20: [30.0], 30: [30.0]}
    assert found["ssim_y/x2"][20] == [pytest.approx(0.9)]
    assert curves(tmp_path / "eval" / "best") == {
        "psnr_y/mean": {10: [30.0], 20: [31.5], 30: [31.5]}
    }
    drawn.take_back(20)
    drawn.add(_content(20, None, math.inf, bicubic=None), contents[:1])
    assert sorted(curves(tmp_path / "eval" / "bicubic")["psnr_y/x2"]) == [10]
    assert curves(tmp_path / "eval" / "best")["psnr_y/mean"] == {10: [30.0], 20: [30.0]}


@pytest.mark.parametrize("evaluations, shown", [(1, 1), (10, 4), (100, 7), (1000, 10)])
def test_pictures_are_shown_less_and_less_often(evaluations, shown):
    drawn = [pictures_drawn(earlier) for earlier in range(evaluations)]
    assert drawn[0] == 2 and set(drawn) <= {0, 2}
    assert sum(number > 0 for number in drawn) == shown


def test_what_is_of_no_known_step_stands_at_the_start(tmp_path):
    drawn = Curves(str(tmp_path / "eval"), "set5")
    for step in (None, 7):
        drawn.take_back(step)
    drawn.add(dict(_content(None, 31.0), global_step=None), [])
    assert curves(tmp_path / "eval" / "best") == {"psnr_y/set5/mean": {0: [31.0]}}
    for folder in ("eval", "eval/bicubic", "eval/best"):
        found = [event for path in (tmp_path / folder).glob("events*") for event in events(path)]
        logs = [event for event in found if event.session_log.status == tf.SessionLog.START]
        assert [event.step for event in logs] == [0, 7]
