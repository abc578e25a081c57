"""Benchmarks at work, on a network and pictures so small that the figures mean nothing.

`serving`, `startup` and `workers`, which start processes that import TensorFlow, are started alone,
by tests/docs/test_commands.py.
"""

import importlib
import json
import re
import sys

import pytest
from PIL import Image

from benchmarks import (
    _engines,
    _report,
    _srdrm_step,
    convert,
    cost,
    evaluate,
    input_pipeline,
    sampling,
    train_step,
    upscale,
)
from tests.support import tiny

CONFIG = tiny.CONFIG._replace(network=tiny.NETWORK.replace(scales=(4,)))


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a benchmark to its end in this process; returns the JSON object of its last line.

    What it measures in processes of their own it measures in this one, so peak memory is wrong.
    """

    def run(module, *arguments):
        monkeypatch.setattr(sys, "argv", [module] + [str(argument) for argument in arguments])
        importlib.import_module(module).main()
        printed = capsys.readouterr().out
        return json.loads(printed.splitlines()[-1])

    monkeypatch.setattr(
        _report, "in_child", lambda module, arguments, _=None: run(module, *arguments)
    )
    return run


@pytest.fixture
def small_network(monkeypatch):
    monkeypatch.setitem(train_step.NETWORKS, "small", CONFIG)


def require_ratio(result):
    """Asserts that a result is a number above 0 beside a baseline, with the ratio of the two."""
    assert result["value"] > 0 and result["baseline"] > 0
    assert result["ratio"] == pytest.approx(result["value"] / result["baseline"], rel=1e-4)
    assert result["peak_memory_mb"] > 0 and result["machine"]["cores"] > 0


def test_train_step(run, small_network, monkeypatch, tmp_path):
    monkeypatch.setattr(
        train_step, "matrix_rate", lambda measure=train_step.matrix_rate: measure(64)
    )
    records = tiny.write_records(tmp_path / "records", "training", [(61, 50), (37, 75), (48, 48)])
    result = run("benchmarks.train_step", "--network=small", "--steps=1", "--records=" + records)
    require_ratio(result)
    assert result["joint_per_patch"] > 0 and result["records"] > 0


def test_accumulation(run, small_network):
    result = run("benchmarks.accumulation", "--network=small", "--steps=1")
    require_ratio(result)
    assert result["memory_of_whole"] >= 0


def test_float16(run):
    result = run("benchmarks.float16", "--recursions=1", "--patch=5")
    # Without a unit and a loss scale a gradient may vanish altogether: no ratio then.
    assert result["value"] > 0.99 > result["baseline"] >= 0


def test_evaluate(run, small_network, monkeypatch):
    monkeypatch.setattr(evaluate, "_SIZE", (48, 72))
    require_ratio(run("benchmarks.evaluate", "--network=small", "--pictures=3"))


def test_memory_of_an_evaluation(run, small_network, monkeypatch):
    monkeypatch.setattr(evaluate, "_SMALL", (48, 72))
    monkeypatch.setattr(evaluate, "_LARGE", (96, 80))
    require_ratio(run("benchmarks.evaluate", "--network=small", "--memory"))


def test_engines(run, monkeypatch, tmp_path):
    monkeypatch.setattr(_engines, "CASES", ((9, 11, 2),))
    Image.fromarray(tiny.picture(0, 25, 31)).save(str(tmp_path / "photo.png"))
    result = run("benchmarks.upscale", "--engines", "--repeats=1", "--pictures=%s" % tmp_path)
    require_ratio(result)
    assert result["computed_area"] == 1 and result["of_the_fastest"] >= 1
    assert _engines._area(_engines.PREDICT, (1080, 1920), 2) < 1.2
    for name in _engines.PREDICT_IN:
        if name in _engines.present():
            assert 1 < _engines._area(name, (1080, 1920), 2) < 1.2


def test_writing(run, tmp_path):
    Image.fromarray(tiny.picture(0, 45, 61)).save(str(tmp_path / "photo.png"))
    for more in ([], ["--pictures=%s" % tmp_path]):
        result = run("benchmarks.writing", *more)
        require_ratio(result)
        assert result["size_ratio"] > 0


def test_upscale(run, monkeypatch):
    monkeypatch.setattr(upscale, "_SIZES", ((5, 7),))
    result = run("benchmarks.upscale", "--repeats=2")
    require_ratio(result)
    assert result["ratio_without_first_8"] > 0


def test_cost(run, monkeypatch):
    monkeypatch.setattr(cost, "_BASE", CONFIG)
    monkeypatch.setattr(cost, "_CHANGES", ({}, {"batch_size": 2}))
    require_ratio(run("benchmarks.cost", "--steps=1"))


def test_cost_of_conversions(run, monkeypatch, root):
    monkeypatch.chdir(str(root))
    monkeypatch.setattr(cost, "_PICTURES", (1, 2))
    require_ratio(run("benchmarks.cost", "--conversion"))


def test_convert(run, monkeypatch):
    monkeypatch.setattr(convert, "SIZE", (204, 252))
    result = run("benchmarks.convert", "--count=2", "--rounds=1")
    require_ratio(result)
    assert result["two_workers_against_one"] > 0


def test_input_pipeline(run, monkeypatch):
    monkeypatch.setattr(input_pipeline, "SIZE", (240, 288))
    quick = ("--count=1", "--seconds=0.1", "--tiles_in_play=2")
    result = run("benchmarks.input_pipeline", "--degradations=jpeg,blur", *quick)
    require_ratio(result)
    assert len(result["forms"]) == 6
    assert 0 < result["degraded_ratio"] and 0 < result["degraded_cpu_ratio"]


@pytest.mark.parametrize("of_pictures", [False, True])
def test_sampling(run, monkeypatch, tmp_path, of_pictures):
    monkeypatch.setattr(sampling, "SIZES", ((500, 516, 2), (321, 481, 1)))
    monkeypatch.setattr(sampling, "BATCHES", (32,))
    for number in range(7):
        Image.fromarray(tiny.picture(number, 101, 130)).save(str(tmp_path / ("%d.png" % number)))
    given = ["--pictures=%s" % tmp_path] if of_pictures else []
    result = run("benchmarks.sampling", "--epochs=16", "--batches=200", *given)
    require_ratio(result)
    assert result["baseline"] == pytest.approx(1)
    assert result["value"] < result["version_1"]
    pictures = {form.split(",")[0]: values[0] for form, values in result["repeats"].items()}
    assert of_pictures or 12 < pictures["version 1"] < 13 < pictures["plain"] < pictures["today"]


def test_step_of_srdrm_beside_the_published_figures(capsys):
    _srdrm_step.compare(8, 1, 100.0, (32, 48))
    printed = capsys.readouterr().out
    for row in ("V100 +7.71", "Ascend 910 +11.6", "this machine"):
        assert re.search(row, printed), printed
    require_ratio(json.loads(printed.splitlines()[-1]))
