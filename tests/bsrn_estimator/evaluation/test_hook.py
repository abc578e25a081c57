"""Evaluation inside the Estimator: figures, metrics.json, pictures, curves, and what goes wrong."""

import dataclasses
import glob
import io
import json
import math
import os

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.compat import from_generator, tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import comparison, hook, metrics, model_fn, report, uiqm
from bsrn_estimator.evaluation.options import Destination, EvaluationOptions
from bsrn_estimator.networks import bsrn_layers
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.pictures import decoding, imresize

CONFIG = Bsrn(scales=(2, 3), conv_features=3, state_features=2, recursions=4, recursion_frequency=2)
STEP = 70


def example(name, height, width, seed, scales=CONFIG.scales):
    """(features, labels) of one picture without the batch axis; blocks, so SSIM is not near 0."""
    coarse = np.random.RandomState(seed).randint(0, 256, [height // 5 + 1, width // 5 + 1, 3])
    hr = coarse.repeat(5, axis=0).repeat(5, axis=1)[:height, :width].astype(np.uint8)
    features = {"key": name.encode("utf-8")}
    for scale in scales:
        lr = imresize.shrink(hr, scale)
        features["lr_x%d" % scale] = lr
        features["bicubic_x%d" % scale] = imresize.enlarge(lr, scale)
    return features, {"hr": hr}


def input_of(examples):
    """An input function of whole pictures, in the form of `input_fn.evaluation_input_fn`."""
    key, picture = tf.TensorSpec([], tf.string), tf.TensorSpec([None, None, 3], tf.uint8)
    signature = tuple(
        {name: key if name == "key" else picture for name in part} for part in examples[0]
    )
    return lambda: from_generator(lambda: examples, signature).batch(1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A network of random weights, saved at step 70."""
    path = str(tmp_path_factory.mktemp("checkpoint") / "model.ckpt")
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(3)
        step = tf.train.get_or_create_global_step()
        for scale in CONFIG.scales:
            bsrn_layers.outputs(tf.zeros([1, 4, 4, 3]), scale, CONFIG)
        session.run(tf.global_variables_initializer())
        session.run(step.assign(STEP))
        return tf.train.Saver().save(session, path, global_step=STEP)


class Asked:
    """An evaluation that is asked for: its options, where its results go, and what it gave."""

    def __init__(self, folder, **values):
        named = {name: values.pop(name) for name in list(values) if name in _DESTINATION}
        self.options = EvaluationOptions(**values)
        self.taken = []
        self.destination = Destination(
            folder=str(folder / FOLDER),
            summary_dir=str(folder / "eval"),
            take=self.taken.append,
            **named,
        )


FOLDER = "evaluation/step-70/blocks"
_DESTINATION = [field.name for field in dataclasses.fields(Destination)]


def evaluate(checkpoint, examples, asked, folder, hooks=()):
    def build(features, labels, mode):
        return model_fn.spec(
            features,
            labels,
            CONFIG,
            options=asked.options,
            destination=asked.destination,
        )

    estimator = tf.estimator.Estimator(build, model_dir=str(folder))
    return estimator.evaluate(input_of(examples), checkpoint_path=checkpoint, hooks=list(hooks))


NAMES = ["plain", "../up/and away", "s p\u00e4ce", "UP", "up"]
SIZES = [(41, 60), (36, 42), (12, 13), (30, 37), (19, 18)]


@pytest.fixture(scope="module")
def whole(checkpoint, tmp_path_factory):
    """One evaluation with everything on: (folder, examples, what evaluate returned, JSON)."""
    folder = tmp_path_factory.mktemp("whole")
    options = Asked(
        folder,
        single_outputs=True,
        save_pictures=True,
        uiqm=True,
        summary_pictures=2,
        pictures=5,
    )
    examples = [
        example(name, height, width, seed)
        for seed, (name, (height, width)) in enumerate(zip(NAMES, SIZES))
    ]
    # A picture that equals its bicubic at x2: a PSNR that is not finite.
    examples[3][0]["bicubic_x2"] = examples[3][1]["hr"][:30, :36]
    returned = evaluate(checkpoint, examples, options, folder)
    (content,) = options.taken
    path = report.save(dict(content, data_set="blocks"), str(folder / FOLDER))
    return folder, examples, returned, report.load(path)


# Names that some file system takes for one, stay two.
FILES = dict(zip(NAMES, ["plain", "___up_and away", "s p\u00e4ce", "UP", "up_"]))


def saved(folder, output, scale, name):
    path = folder / FOLDER / "pictures" / output / ("x%d" % scale)
    return decoding.read_rgb(path / (FILES[name] + ".png"))


def test_metrics_json_has_the_form_of_the_design(whole):
    _, _, _, content = whole
    assert list(content) == [
        "global_step",
        "data_set",
        "result",
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
        assert list(entry["images"]) == NAMES
        assert all(set(values) == figures | of_bicubic for values in entry["images"].values())
        assert list(entry["outputs"]) == ["recursion_02", "recursion_04"]
        for block in entry["outputs"].values():
            assert set(block) == figures | {"images"}
            assert all(set(values) == figures for values in block["images"].values())


@pytest.mark.parametrize("output", ["ensemble", "recursion_02", "recursion_04"])
def test_figures_are_those_of_the_saved_pictures(whole, output):
    """What numpy computes from the files on disk."""
    folder, examples, _, content = whole
    for scale in CONFIG.scales:
        entry = content["scales"][str(scale)]
        block = entry if output == "ensemble" else entry["outputs"][output]
        for name, (_, labels) in zip(NAMES, examples):
            picture = saved(folder, output, scale, name)
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
    for scale in CONFIG.scales:
        entry = content["scales"][str(scale)]
        for name, (features, labels) in zip(NAMES, examples):
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
    values = [two["images"][name]["bicubic_psnr_y"] for name in NAMES if name != "UP"]
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
    for scale in CONFIG.scales:
        gain = returned["psnr_y/x%d" % scale] - returned["bicubic_psnr_y/x%d" % scale]
        assert returned.pop("psnr_gain/x%d" % scale) == pytest.approx(gain, abs=1e-4)
    assert set(returned) - {"loss", "global_step", "psnr_y/mean"} == {
        "%s%s/x%d" % (prefix, name, scale)
        for scale in CONFIG.scales
        for prefix in ("", "recursion_02_", "recursion_04_")
        for name in metrics.NAMES + (("bicubic_psnr_y", "bicubic_ssim_y") if not prefix else ())
    }


def test_saved_pictures_lie_in_the_tree_of_the_reference(whole):
    folder, examples, _, _ = whole
    root = folder / FOLDER / "pictures"
    found = {os.path.relpath(path, str(root)) for path in glob.glob(str(root / "*/*/*"))}
    assert found == {
        os.path.join(output, "x%d" % scale, FILES[name] + ".png")
        for output in ("ensemble", "recursion_02", "recursion_04")
        for scale in CONFIG.scales
        for name in NAMES
    }
    height, width = examples[0][1]["hr"].shape[:2]
    assert saved(folder, "recursion_02", 3, "plain").shape == (height // 3 * 3, width // 3 * 3, 3)


def events_of(folder):
    """{tag: [(step, value)]} of all event files in a folder."""
    events = {}
    for path in glob.glob(str(folder / "*tfevents*")):
        for event in tf.train.summary_iterator(path):
            for value in event.summary.value:
                events.setdefault(value.tag, []).append((event.step, value))
    return events


def test_tensorboard_has_one_curve_a_scale_and_metric(whole):
    folder, _, returned, content = whole
    events = events_of(folder / "eval")
    for tag, value in returned.items():
        if tag != "global_step":
            assert [(s, v.simple_value) for s, v in events[tag]] == [(STEP, pytest.approx(value))]
    for scale, entry in content["scales"].items():
        for name in ("uiqm", "bicubic_uiqm"):
            [(step, value)] = events["%s/x%s" % (name, scale)]
            assert (step, value.simple_value) == (STEP, pytest.approx(entry[name], rel=1e-5))


def test_tensorboard_shows_pictures_side_by_side(whole):
    folder, examples, _, _ = whole
    events = events_of(folder / "eval")
    tags = {tag for tag, values in events.items() if values[0][1].HasField("image")}
    names = ["plain", "___up_and away"]
    assert tags == {"LR_bicubic_network_HR_x%d/%s" % (s, name) for s in (2, 3) for name in names}
    [(step, value)] = events["LR_bicubic_network_HR_x3/plain"]
    shown = np.asarray(Image.open(io.BytesIO(value.image.encoded_image_string)))
    assert step == STEP
    assert shown.shape == (value.image.height, value.image.width, 3) == (39, 4 * 60 + 12, 3)
    assert (shown[:, -60:] == examples[0][1]["hr"][:39]).all()
    assert (shown[:, 128:188] == saved(folder, "ensemble", 3, "plain")).all()


def test_the_table_has_a_row_for_each_output(whole):
    _, _, _, content = whole
    text = report.table(content)
    lines = text.splitlines()
    assert lines[0] == ("step 70, blocks, 5 pictures; Y channel, shave = scale, PSNR in dB / SSIM:")
    assert lines[1].split() == "scale output network bicubic difference UIQM bicubic".split()
    assert [line.split()[:2] for line in lines[2:8]] == [
        [scale, output]
        for scale in ("x2", "x3")
        for output in ("recursion_02", "recursion_04", "ensemble")
    ]
    three = content["scales"]["3"]
    psnr, bicubic = three["psnr_y"], three["bicubic_psnr_y"]
    for part in ("%.2f / " % psnr, "%.2f / " % bicubic, "%+.2f / " % (psnr - bicubic)):
        assert part in lines[7]
    assert "RGB channels:" in lines
    last = lines[lines.index("RGB channels:") + 7].split()
    assert last == ["x3", "ensemble", "%.3f" % three["psnr_rgb"], "%.3f" % three["rmse_rgb"]]
    assert "leaves out 1 of 5 pictures, where it is not finite: UP" in text


# Other options, and mistakes.


def test_a_plain_evaluation_writes_no_pictures_and_a_short_table(checkpoint, tmp_path):
    options = Asked(tmp_path, shave=4, summary_pictures=0)
    evaluate(checkpoint, [example("one", 31, 35, 5)], options, tmp_path)
    (content,) = options.taken
    assert not (tmp_path / "evaluation").exists()
    assert not any(value[0][1].HasField("image") for value in events_of(tmp_path / "eval").values())
    assert "outputs" not in content["scales"]["2"] and "uiqm" not in content["scales"]["2"]
    assert {entry["shave"] for entry in content["scales"].values()} == {4}
    lines = report.table(content).splitlines()
    assert lines[0] == "step 70, 1 picture; Y channel, shave = 4, PSNR in dB / SSIM:"
    assert lines[1].split() == ["scale", "network", "bicubic", "difference"]
    assert [line.split()[0] for line in lines[2:4]] == ["x2", "x3"]
    assert lines[6].split() == ["scale", "PSNR", "RMSE"]
    assert [line.split()[0] for line in lines[7:]] == ["x2", "x3"]


class Stop(tf.train.SessionRunHook):
    """Ends an evaluation as a crash would, after its second picture."""

    def begin(self):
        self.count = 0

    def after_run(self, context, values):
        self.count += 1
        if self.count == 2:
            raise RuntimeError("crash")


def test_an_evaluation_that_is_cut_short_hands_nothing_on(checkpoint, tmp_path):
    examples = [example("p%d" % i, 20, 22, i) for i in range(3)]
    options = Asked(tmp_path, summary_pictures=0)
    with pytest.raises(RuntimeError, match="crash"):
        evaluate(checkpoint, examples, options, tmp_path, [Stop()])
    assert options.taken == []


def figures_of(value):
    names = metrics.NAMES + (report.BICUBIC_PSNR_Y, report.BICUBIC_SSIM_Y)
    return {2: {"ensemble": {name: value for name in names}}}


def test_a_shave_that_leaves_nothing_is_a_mistake():
    found = report.Report("", {2: 500}, "ensemble")
    found.add("one", figures_of(float("nan")))
    with pytest.raises(UserError, match="--shave=500 leaves nothing of any picture at x2"):
        found.to_dict(1)


def test_two_pictures_of_one_name_are_a_mistake():
    found = report.Report("", {2: 2}, "ensemble")
    found.add("one", figures_of(30.0))
    with pytest.raises(UserError, match="two pictures of the evaluation are called one"):
        found.add("one", figures_of(31.0))


def test_no_picture_is_a_mistake():
    with pytest.raises(UserError, match="hold no picture"):
        report.Report("", {2: 2}, "ensemble").to_dict(1)


def test_a_negative_shave_is_a_mistake():
    with pytest.raises(UserError, match="--shave must be at least 0, not -1"):
        EvaluationOptions(shave=-1)


def test_a_network_whose_figures_are_not_finite_still_has_a_table():
    found = report.Report("", {2: 2}, "ensemble")
    values = figures_of(float("nan"))
    values[2]["ensemble"].update(bicubic_psnr_y=30.0, bicubic_ssim_y=0.9)
    found.add("one", values)
    content = json.loads(json.dumps(found.to_dict(1), allow_nan=False))
    assert content["scales"]["2"]["psnr_y"] is None
    assert "- / -" in report.table(content)


@pytest.mark.parametrize("text", ["{", "[]", '{"scales": 3}'])
def test_what_is_no_metrics_json_is_refused(tmp_path, text):
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(UserError, match=str(path)):
        report.load(str(path))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="metrics.json cannot be written"):
        report.save({}, str(tmp_path / "file/step-1"))
    with pytest.raises(UserError, match="a.png cannot be written"):
        comparison.save_png(np.zeros([2, 2, 3], np.uint8), str(tmp_path / "file/a.png"))


@pytest.mark.parametrize(
    "name, safe",
    [
        ("0801", "0801"),
        ("a.b-c_d e", "a.b-c_d e"),
        ("../../etc/passwd", "______etc_passwd"),
        ("..", "__"),
        ("a\\b:c*d", "a_b_c_d"),
        ("a\x00\nb", "a__b"),
        ("", "_"),
        ("\u00e4" * 150, "\u00e4" * 100),
    ],
)
def test_names_of_files_are_safe(name, safe):
    assert comparison.safe_name(name) == safe


def test_the_middle_is_shown_side_by_side():
    """40x30 LR at x3, at most 32 pixels: 10x10 LR pixels from (15, 10) on."""
    lr, bicubic, result, hr = (
        np.random.RandomState(i).randint(0, 256, size).astype(np.uint8)
        for i, size in enumerate([(40, 30, 3), (120, 90, 3), (120, 90, 3), (122, 91, 3)])
    )
    shown = comparison.side_by_side(lr, bicubic, result, hr, 3, longest=32)
    assert shown.shape == (30, 4 * 30 + 12, 3)
    assert (shown[1:30:3, 1:30:3] == lr[15:25, 10:20]).all()
    for start, picture in [(34, bicubic), (68, result), (102, hr)]:
        assert (shown[:, start - 4 : start] == 255).all()
        assert (shown[:, start : start + 30] == picture[45:75, 30:60]).all()


# The network of the reference implementation.

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
    results = REFERENCE.results(lr, scale, singles=True)
    options = EvaluationOptions(shave=4, single_outputs=True)
    _, measuring = hook.build(
        features, {"hr": hr}, {scale: results}, options, Destination(take=take)
    )
    return measuring
