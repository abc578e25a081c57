"""Evaluation inside the Estimator: figures, metrics.json, pictures, curves, and what goes wrong."""

import glob
import io
import json
import math
import os

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import hook, metrics, report, uiqm
from bsrn_estimator.evaluation.options import Destination, EvaluationOptions
from bsrn_estimator.evaluation.stored import stored_results
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.pictures import decoding
from tests.bsrn_estimator.evaluation import support


def test_metrics_json_has_the_form_of_the_design(whole):
    _, _, _, content = whole
    assert list(content) == [
        "global_step",
        "data_set",
        "result",
        "precision",
        "grey",
        "pictures",
        "protocol",
        "scales",
    ]
    assert (content["global_step"], content["data_set"], content["pictures"]) == (70, "blocks", 5)
    assert list(content["scales"]) == ["2", "3"]
    figures = {"psnr_y", "ssim_y", "psnr_rgb", "rmse_rgb", "uiqm"}
    for scale, entry in content["scales"].items():
        of_bicubic = {"bicubic_psnr_y", "bicubic_ssim_y", "bicubic_uiqm"}
        assert set(entry) == figures | of_bicubic | {"shave", "images", "outputs"}
        assert entry["shave"] == int(scale)
        assert list(entry["images"]) == support.NAMES
        assert all(set(values) == figures | of_bicubic for values in entry["images"].values())
        assert list(entry["outputs"]) == ["recursion_02", "recursion_04"]
        for block in entry["outputs"].values():
            assert set(block) == figures | {"images"}
            assert all(set(values) == figures for values in block["images"].values())


@pytest.mark.parametrize("output", ["ensemble", "recursion_02", "recursion_04"])
def test_figures_are_those_of_the_saved_pictures(whole, output):
    """What numpy computes from the files on disk."""
    folder, examples, _, content = whole
    for scale in support.CONFIG.scales:
        entry = content["scales"][str(scale)]
        block = entry if output == "ensemble" else entry["outputs"][output]
        for name, (_, labels) in zip(support.NAMES, examples):
            picture = support.saved(folder, output, scale, name)
            expected = metrics.compare(labels["hr"], picture, scale)
            expected["uiqm"] = uiqm.uiqm(picture)
            for key, value in expected.items():
                found = block["images"][name][key]
                if math.isfinite(value):
                    assert found == pytest.approx(value, abs=1e-4 if "psnr" in key else 1e-5)
                else:
                    assert found is None
        for key in metrics.NAMES:
            values = [v[key] for v in block["images"].values() if v[key] is not None]
            assert block[key] == pytest.approx(np.mean(values), rel=1e-12)


def test_figures_of_bicubic(whole):
    _, examples, _, content = whole
    for scale in support.CONFIG.scales:
        entry = content["scales"][str(scale)]
        for name, (features, labels) in zip(support.NAMES, examples):
            expected = metrics.compare(labels["hr"], features["bicubic_x%d" % scale], scale)
            found = entry["images"][name]
            for key in ("psnr_y", "ssim_y"):
                value = found["bicubic_" + key]
                if math.isfinite(expected[key]):
                    assert value == pytest.approx(expected[key], abs=1e-4)
                else:
                    assert value is None


def test_what_is_not_finite_is_null_and_in_no_mean(whole):
    _, _, returned, content = whole
    two = content["scales"]["2"]
    assert two["images"]["UP"]["bicubic_psnr_y"] is None
    assert two["images"]["UP"]["bicubic_ssim_y"] == pytest.approx(1, abs=1e-6)
    assert two["images"]["s p\u00e4ce"]["ssim_y"] is None
    values = [two["images"][name]["bicubic_psnr_y"] for name in support.NAMES if name != "UP"]
    assert two["bicubic_psnr_y"] == pytest.approx(np.mean(values))
    assert returned["bicubic_psnr_y/x2"] == pytest.approx(np.mean(values), rel=1e-5)


def test_the_estimator_returns_the_same_means(whole):
    _, _, returned, content = whole
    returned = dict(returned)
    count = 0
    for scale, entry in content["scales"].items():
        blocks = dict({"": entry}, **{t + "_": b for t, b in entry["outputs"].items()})
        for prefix, block in blocks.items():
            for name, value in block.items():
                if isinstance(value, float) and "uiqm" not in name:
                    assert returned["%s%s/x%s" % (prefix, name, scale)] == pytest.approx(
                        value, rel=1e-5
                    )
                    count += 1
    assert count == 2 * (4 + 4 + 4 + 2)
    mean = np.mean([entry["psnr_y"] for entry in content["scales"].values()])
    assert returned[hook.MEAN_PSNR] == pytest.approx(mean, rel=1e-5)
    for scale in support.CONFIG.scales:
        gain = returned["psnr_y/x%d" % scale] - returned["bicubic_psnr_y/x%d" % scale]
        assert returned.pop("psnr_gain/x%d" % scale) == pytest.approx(gain, abs=1e-4)
    assert set(returned) - {"loss", "global_step", "psnr_y/mean"} == {
        "%s%s/x%d" % (prefix, name, scale)
        for scale in support.CONFIG.scales
        for prefix in ("", "recursion_02_", "recursion_04_")
        for name in metrics.NAMES + (("bicubic_psnr_y", "bicubic_ssim_y") if not prefix else ())
    }


def test_saved_pictures_lie_in_the_tree_of_the_reference(whole):
    folder, examples, _, _ = whole
    root = folder / support.FOLDER / "pictures"
    found = {os.path.relpath(path, str(root)) for path in glob.glob(str(root / "*/*/*"))}
    assert found == {
        os.path.join(output, "x%d" % scale, support.FILES[name] + ".png")
        for output in ("ensemble", "recursion_02", "recursion_04")
        for scale in support.CONFIG.scales
        for name in support.NAMES
    }
    height, width = examples[0][1]["hr"].shape[:2]
    assert support.saved(folder, "recursion_02", 3, "plain").shape == (
        height // 3 * 3,
        width // 3 * 3,
        3,
    )


def test_tensorboard_has_one_curve_a_scale_and_metric(whole):
    folder, _, returned, content = whole
    events = support.events_of(folder / "eval")
    for tag, value in returned.items():
        if tag != "global_step":
            assert [(s, v.simple_value) for s, v in events[tag]] == [
                (support.STEP, pytest.approx(value))
            ]
    for scale, entry in content["scales"].items():
        for name in ("uiqm", "bicubic_uiqm"):
            [(step, value)] = events["%s/x%s" % (name, scale)]
            assert (step, value.simple_value) == (
                support.STEP,
                pytest.approx(entry[name], rel=1e-5),
            )


def test_tensorboard_shows_pictures_side_by_side(whole):
    folder, examples, _, _ = whole
    events = support.events_of(folder / "eval")
    tags = {tag for tag, values in events.items() if values[0][1].HasField("image")}
    names = ["plain", "___up_and away"]
    assert tags == {"LR_bicubic_network_HR_x%d/%s" % (s, name) for s in (2, 3) for name in names}
    [(step, value)] = events["LR_bicubic_network_HR_x3/plain"]
    shown = np.asarray(Image.open(io.BytesIO(value.image.encoded_image_string)))
    assert step == support.STEP
    assert shown.shape == (value.image.height, value.image.width, 3) == (39, 4 * 60 + 12, 3)
    assert value.image.colorspace == 3
    assert (shown[:, -60:] == examples[0][1]["hr"][:39]).all()
    assert (shown[:, 128:188] == support.saved(folder, "ensemble", 3, "plain")).all()


def test_a_plain_evaluation_writes_no_pictures_and_a_short_table(checkpoint, tmp_path, capsys):
    options = support.Asked(tmp_path, shave=4, summary_pictures=0)
    support.evaluate(checkpoint, [support.example("one", 31, 35, 5)], options, tmp_path)
    (content,) = options.taken
    assert "Evaluating: 1 pictures in " in capsys.readouterr().err
    assert not (tmp_path / "evaluation").exists()
    assert not any(
        value[0][1].HasField("image") for value in support.events_of(tmp_path / "eval").values()
    )
    assert "outputs" not in content["scales"]["2"] and "uiqm" not in content["scales"]["2"]
    assert {entry["shave"] for entry in content["scales"].values()} == {4}
    lines = report.table(content).splitlines()
    assert lines[0] == "step 70, 1 picture; Y channel, shave = 4, PSNR in dB / SSIM:"
    assert lines[1].split() == ["scale", "network", "bicubic", "difference"]
    assert [line.split()[0] for line in lines[2:4]] == ["x2", "x3"]
    assert lines[6].split() == ["scale", "PSNR", "RMSE"]
    assert [line.split()[0] for line in lines[7:]] == ["x2", "x3"]


@pytest.mark.parametrize(
    "values, mean",
    [([1.0, np.inf, 3.0, np.nan], 2.0), ([0.0], 0.0), ([np.nan, -np.inf], np.nan)],
)
def test_the_mean_in_the_graph_is_over_what_is_finite(values, mean):
    with tf.Graph().as_default(), tf.Session() as session:
        value = tf.placeholder(tf.float64, [])
        found, update = hook._mean_of_finite(tf.cast(value, tf.float32))
        session.run(tf.local_variables_initializer())
        for each in values:
            session.run(update, {value: each})
        assert session.run(found) == pytest.approx(mean, nan_ok=True)


class Stop(tf.train.SessionRunHook):
    """Ends an evaluation as a crash would, after its second picture."""

    def begin(self):
        self.count = 0

    def after_run(self, context, values):
        self.count += 1
        if self.count == 2:
            raise RuntimeError("crash")


def test_an_evaluation_that_is_cut_short_hands_nothing_on(checkpoint, tmp_path):
    examples = [support.example("p%d" % i, 20, 22, i) for i in range(3)]
    options = support.Asked(tmp_path, summary_pictures=0)
    with pytest.raises(RuntimeError, match="crash"):
        support.evaluate(checkpoint, examples, options, tmp_path, [Stop()])
    assert options.taken == []


REFERENCE = Bsrn(
    scales=(2, 3, 4),
    conv_features=32,
    state_features=32,
    recursions=8,
    recursion_frequency=4,
)


def test_equal_to_the_validation_of_the_reference(shared_dir):
    """RGB PSNR and RMSE with 4 pixels shaved, every output: x4 on Set5, x2 and x3 on two of it."""
    folder = shared_dir / "reference/trained_small"
    if not (folder / "checkpoint").is_dir():
        pytest.skip("no trained network of the reference implementation on this machine")
    golden = json.loads((folder / "set5_rgb_shave4.json").read_text())
    with tf.Graph().as_default(), tf.Session() as session:
        lr = {scale: tf.placeholder(tf.uint8, [1, None, None, 3]) for scale in REFERENCE.scales}
        hr = tf.placeholder(tf.uint8, [1, None, None, 3])
        key = tf.placeholder(tf.string, [1])
        tf.train.get_or_create_global_step()
        taken = []
        hooks = {scale: hook_of(lr[scale], hr, key, scale, taken.append) for scale in lr}
        restored = tf.trainable_variables()
        tf.train.Saver(restored).restore(session, str(folder / "checkpoint/model.ckpt"))
        session.run(tf.train.get_global_step().initializer)
        for scale, names in [(4, sorted(golden["x4"]["t4"])), (2, ["butterfly"]), (3, ["bird"])]:
            hook = hooks[scale]
            hook.begin()
            for name in names:
                small = "data/Set5/LR_bicubic/X%d/%sx%d.png" % (scale, name, scale)
                feed = {
                    lr[scale]: decoding.read_rgb(shared_dir / small)[None],
                    hr: decoding.read_rgb(shared_dir / ("data/Set5/HR/%s.png" % name))[None],
                    key: [name.encode()],
                }
                fetched = session.run(hook.before_run(None).fetches, feed)
                hook.after_run(None, tf.train.SessionRunValues(fetched, None, None))
            hook.end(session)
            entry = taken[-1]["scales"][str(scale)]
            for output, figures in golden["x%d" % scale].items():
                images = entry["images"]
                if output != "ensemble":
                    # The reference calls the output after recursion 4 t4.
                    images = entry["outputs"]["recursion_%02d" % int(output[1:])]["images"]
                for name in names:
                    for figure, value in figures[name].items():
                        assert images[name][figure] == pytest.approx(value, abs=1e-3)


def hook_of(lr, hr, key, scale, take):
    """The evaluation of the reference network at one scale; bicubic is HR, which nobody reads."""
    features = {"key": key, "lr_x%d" % scale: lr, "bicubic_x%d" % scale: hr}
    results = stored_results(REFERENCE, lr, scale, True, tf.constant(False))
    options = EvaluationOptions(shave=4, single_outputs=True)
    _, measuring = hook.build(
        features, {"hr": hr}, {scale: results}, options, Destination(take=take)
    )
    return measuring
