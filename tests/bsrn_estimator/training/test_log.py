"""The log of a run: what a line says, one line an evaluation, nothing past a checkpoint."""

import json

from bsrn_estimator.training import log
from bsrn_estimator.training.log import RunLog


def _lines(folder):
    return [json.loads(line) for line in (folder / log.FILE_NAME).read_text().splitlines()]


def test_a_point(tmp_path):
    RunLog(str(tmp_path)).point(7, {"loss/total": 2.5, "loss/x2": float("inf"), "learning_rate": 1})
    (line,) = _lines(tmp_path)
    assert 1e9 < line.pop("time") < 1e10
    # The tests themselves need some megabytes.
    assert 10**7 < line.pop("memory") < 10**12
    assert line == {
        "kind": "training",
        "step": 7,
        "loss/total": 2.5,
        "loss/x2": None,
        "learning_rate": 1.0,
    }


def test_an_evaluation_stands_there_once(tmp_path):
    of_run = RunLog(str(tmp_path))
    for step, name, psnr in ((5, "a", 30.0), (5, "b", 31.0), (5, "a", 30.0), (10, "a", None)):
        of_run.evaluation(step, name, {"psnr_y/x2": psnr}, weights="w")
    found = [(line["step"], line["set"], line["psnr_y/x2"]) for line in _lines(tmp_path)]
    assert found == [(5, "a", 30.0), (5, "b", 31.0), (10, "a", None)]
    # Other weights at a step, as of a run that was begun again.
    of_run.evaluation(5, "a", {"psnr_y/x2": 29.0}, weights="other")
    found = [(line["step"], line["set"], line["psnr_y/x2"]) for line in _lines(tmp_path)]
    assert found == [(5, "b", 31.0), (10, "a", None), (5, "a", 29.0)]


def test_going_back_takes_later_lines_away(tmp_path):
    of_run = RunLog(str(tmp_path))
    of_run.go_back_to(3)
    assert not (tmp_path / log.FILE_NAME).exists()
    for step in (2, 4, 6):
        of_run.point(step, {})
    of_run.evaluation(4, "a", {})  # after the points of later steps, as of one that follows
    with open(str(tmp_path / log.FILE_NAME), "a") as file:
        file.write('{"step": 2}\n{"step": "2"}\n{"step": 1')
    of_run.go_back_to(4)
    assert [(line["step"], line.get("kind")) for line in _lines(tmp_path)] == [
        (2, "training"),
        (4, "training"),
        (4, "evaluation"),
        (2, None),
    ]
    of_run.go_back_to(0)
    assert _lines(tmp_path) == []


def test_the_memory_of_this_process(monkeypatch):
    one = log.memory()
    held = bytearray(300 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    assert 2**28 < log.memory() - one < 2**30

    def refuse(_path):
        raise FileNotFoundError

    monkeypatch.setattr(log, "open", refuse, raising=False)
    # The most that it held, in bytes.
    assert one + len(held) // 2 < log.memory() < 2**38
