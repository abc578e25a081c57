"""Further protocols inside an evaluation: what metrics.json and the tables get of them."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import model_fn, protocol_figures, report, tables
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.evaluation.protocols import NAMES, PROTOCOLS
from bsrn_estimator.pictures.stretch import stretched
from tests.bsrn_estimator.evaluation import support

_EVERY = tuple(PROTOCOLS)


@pytest.fixture(scope="module")
def measured(checkpoint, tmp_path_factory):
    """An evaluation of a picture of full range and of a pale one: (folder, examples, content)."""
    folder = tmp_path_factory.mktemp("protocols")
    asked = support.Asked(folder, protocol=_EVERY, save_pictures=True)
    examples = [support.example(name, 26, 34, seed) for seed, name in enumerate(("plain", "UP"))]
    for scale in support.CONFIG.scales:
        full, pale = (features["lr_x%d" % scale] for features, _ in examples)
        full[0, 0], full[0, 1] = 0, 255
        pale[:] = 40 + pale // 3
    support.evaluate(checkpoint, examples, asked, folder)
    (content,) = asked.taken
    report.save(dict(content, data_set="two"), str(folder / "out"))
    return folder, examples, report.load(str(folder / "out" / "metrics.json"))


def test_every_figure_is_there_and_described(measured):
    _, _, content = measured
    assert list(content["protocols"]) == list(_EVERY)
    for entry in content["scales"].values():
        for name in report.figures_of(_EVERY):
            values = [image[name] for image in entry["images"].values()]
            assert entry[name] == pytest.approx(np.mean(values))
    # Those that curves are drawn of, and without which a picture is measured again.
    ours, both = {"psnr_y", "ssim_y", "psnr_rgb", "rmse_rgb", "shave", "images"}, ("", "bicubic_")
    ours |= {"bicubic_psnr_y", "bicubic_ssim_y"}
    names = {begin + "%s_%s" % (of, key) for begin in both for of in _EVERY for key in NAMES}
    assert set(entry) - ours == names == set(report.figures_of(_EVERY))


def test_plain_is_of_the_picture_that_is_saved(measured):
    folder, examples, content = measured
    for scale in (2, 3):
        for name, (_, labels) in zip(("plain", "UP"), examples):
            picture = support.saved(folder, "ensemble", scale, name)
            hr = labels["hr"][: picture.shape[0], : picture.shape[1]]
            expected = protocol_figures.compare(hr, picture)
            for key in NAMES:
                found = content["scales"][str(scale)]["images"][name]["plain_" + key]
                assert found == pytest.approx(expected[key], abs=1e-9)


def test_lr_is_stretched_where_the_protocol_says_so(measured, checkpoint, tmp_path):
    _, examples, content = measured
    # The same pictures with LR stretched beforehand give the stretched protocols the same.
    before = []
    for features, labels in examples:
        lrs = {"lr_x%d" % scale: stretched(features["lr_x%d" % scale]) for scale in (2, 3)}
        before.append((dict(features, **lrs), labels))
    asked = support.Asked(tmp_path, protocol=("srdrm2019", "srdrm2020"))
    support.evaluate(checkpoint, before, asked, tmp_path)
    for scale in ("2", "3"):
        first, second = (each["scales"][scale]["images"] for each in (content, asked.taken[0]))
        for name in ("plain", "UP"):
            for key in ("srdrm2019_psnr_rgb", "srdrm2020_ssim_luma"):
                assert first[name][key] == pytest.approx(second[name][key], abs=1e-6)
        pale = "bicubic_srdrm2019_psnr_rgb"
        assert first["UP"][pale] != pytest.approx(second["UP"][pale], abs=1e-3)
        assert first["UP"]["psnr_rgb"] != pytest.approx(second["UP"]["psnr_rgb"], abs=1e-3)


def test_tables_have_a_part_for_each_with_bicubic(measured):
    _, _, content = measured
    text = report.table(content)
    titles = [line for line in text.splitlines() if line.startswith("protocol ")]
    assert [line.split()[1] for line in titles] == list(_EVERY)
    assert "LR stretched, result stretched, PNG), psnr_rgb in dB / ssim_rgb:" in titles[0]
    assert "psnr_luma in dB / ssim_column0:" in titles[1]
    one = tables.Measured("network", support.CONFIG, {"two": content})
    for table in (tables.text([one]), tables.markdown([one])):
        for part, name in zip(table.split("protocol ")[1:], _EVERY):
            entry, (psnr, ssim) = content["scales"]["2"], PROTOCOLS[name].compared
            for begin in ("", "bicubic_"):
                figures = [entry["%s%s_%s" % (begin, name, key)] for key in (psnr, ssim)]
                assert "%.2f / %.4f" % tuple(figures) in part
    assert "bicubic_modelzoo_uiqm" in tables.comma_separated([one])


def test_stretched_in_the_graph_equals_numpy():
    noise = np.random.RandomState(0)
    pictures = [noise.randint(low, high, [1, 9, 7, 3]) for low, high in ((0, 256), (10, 201))]
    pictures += [np.full([1, 3, 2, 3], 7)] + [noise.randint(3, 4 + n, [1, 8, 8, 3]) for n in (99,)]
    with tf.Graph().as_default(), tf.Session() as session:
        lr = tf.placeholder(tf.uint8, [1, None, None, 3])
        made = model_fn.stretched_lr(lr)
        for picture in pictures:
            picture = picture.astype(np.uint8)
            np.testing.assert_array_equal(session.run(made, {lr: picture}), stretched(picture))


def test_refusals():
    with pytest.raises(UserError, match="--protocol takes any of srdrm2019,.*, not srdrm,x"):
        EvaluationOptions(protocol=("srdrm", "plain", "x"))
    with pytest.raises(UserError, match="leave --stretch_lr out"):
        EvaluationOptions(protocol=("plain",), stretch_lr=True)
