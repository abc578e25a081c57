"""The best checkpoint: kept when better, whole at any moment, usable as a model folder."""

import json

from bsrn_estimator.checkpoints import best
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.networks.bsrn import Bsrn


def _metrics(step, *values):
    scales = {str(scale): {"psnr_y": value} for scale, value in zip((2, 3, 4), values)}
    return {"global_step": step, "scales": scales}


def _checkpoint(folder, step):
    prefix = folder / ("model.ckpt-%d" % step)
    for ending in ("index", "data-00000-of-00001"):
        folder.joinpath("%s.%s" % (prefix.name, ending)).write_text("%s of %d" % (ending, step))
    return str(prefix)


def test_keeps_the_highest_mean_over_scales(tmp_path):
    config = Config(Bsrn(conv_features=7))
    kept = []
    for step, values in ((10, (30.0, 28.0)), (20, (31.0, 26.9)), (30, (30.5, 28.0))):
        checkpoint = _checkpoint(tmp_path, step)
        metrics = _metrics(step, *values)
        kept.append(best.keep_if_best(str(tmp_path), checkpoint, metrics, config))
    assert kept == [True, False, True]
    folder = tmp_path / "best"
    assert json.loads((folder / "best.json").read_text()) == {
        "global_step": 30,
        "mean_psnr_y": 29.25,
        "checkpoint": "model.ckpt-30",
    }
    assert Config.load(str(folder)) == config
    assert tf.train.latest_checkpoint(str(folder)) == str(folder / "model.ckpt-30")
    assert (folder / "model.ckpt-30.index").read_text() == "index of 30"
    assert not (folder / "model.ckpt-10.index").exists()
    assert sorted(p.name for p in tmp_path.iterdir() if "." in p.name and p.is_dir()) == []


def test_a_network_without_a_figure_is_never_the_best(tmp_path):
    checkpoint = _checkpoint(tmp_path, 10)
    metrics = _metrics(10, 30.0, None)
    assert not best.keep_if_best(str(tmp_path), checkpoint, metrics, Config())
    assert not (tmp_path / "best").exists()


def _of_set(records, step, psnr, shave=2):
    more = {"data_set": "set " + records, "records": records, "shaves": {"2": shave}}
    return dict(_metrics(step, psnr), **more)


def test_the_best_by_one_evaluation_is_not_compared_with_that_by_another(tmp_path, capsys):
    def keep(step, metrics):
        return best.keep_if_best(str(tmp_path), _checkpoint(tmp_path, step), metrics, Config())

    def record(folder="best"):
        return json.loads((tmp_path / folder / "best.json").read_text())

    assert keep(10, _of_set("easy", 10, 50.0))
    assert keep(20, _of_set("hard", 20, 30.0))
    assert (record()["global_step"], record()["records"]) == (20, "hard")
    told = capsys.readouterr().out
    assert "chosen by another evaluation (set easy)" in told
    assert "the comparison starts afresh by this one (set hard)" in told
    (aside,) = tmp_path.glob("best-*")
    assert record(aside.name)["global_step"] == 10 and (aside / "model.ckpt-10.index").exists()
    assert not keep(30, _of_set("hard", 30, 29.0))
    # Back to the easy set: the best of it is known.
    assert not keep(40, _of_set("easy", 40, 49.0))
    assert "back to the best by this one (set easy)" in capsys.readouterr().out
    assert (record()["global_step"], record()["mean_psnr_y"]) == (10, 50.0)
    assert keep(50, _of_set("easy", 50, 51.0)) and record()["mean_psnr_y"] == 51.0
    # Another border is another evaluation too.
    assert keep(60, _of_set("easy", 60, 12.0, shave=4)) and record()["shaves"] == {"2": 4}


def test_a_kill_between_the_renamings_loses_nothing(tmp_path):
    config = Config()
    assert best.keep_if_best(str(tmp_path), _checkpoint(tmp_path, 10), _metrics(10, 30.0), config)
    (tmp_path / "best").rename(tmp_path / "best.former")
    metrics = _metrics(20, 29.0)
    assert not best.keep_if_best(str(tmp_path), _checkpoint(tmp_path, 20), metrics, config)
    assert json.loads((tmp_path / "best" / "best.json").read_text())["global_step"] == 10
    assert not (tmp_path / "best.former").exists()
