"""The call: which network, progress, streams, files, threads, processes, refusals."""

import importlib.util
import os
import pathlib
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

import bsrn_estimator
from bsrn_estimator.api.upscaler import Upscaler
from bsrn_estimator.checkpoints import CLEAN
from bsrn_estimator.errors import UserError
from tests.support import checkpoints, tiny

ENGINE = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "tensorflow"
ROOT = pathlib.Path(bsrn_estimator.__file__).resolve().parent.parent
HEIGHT, WIDTH, SCALE = 11, 14, 2
RGB = tiny.picture(3, HEIGHT, WIDTH)
GREY = RGB[..., 1]
RGBA = np.dstack([RGB, GREY | 1])


@pytest.fixture(scope="module")
def upscaler():
    with Upscaler("clean", ENGINE, threads=1, precision="float32") as upscaler:
        yield upscaler


def test_auto_asks_the_file_and_what_pillow_says(tmp_path, upscaler):
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(str(path), quality=60)
    arguments = {"engine": ENGINE, "precision": "float32"}
    with Upscaler("photo", **arguments) as photo, Upscaler(**arguments) as auto:
        assert auto.name == "auto" and repr(auto) == "Upscaler('auto')"
        with Image.open(str(path)) as image:
            pixels = np.asarray(image)
            expected = photo(pixels, SCALE)
            np.testing.assert_array_equal(np.asarray(auto(image, SCALE)), expected)
        np.testing.assert_array_equal(np.asarray(auto(path, SCALE)), expected)
        np.testing.assert_array_equal(auto(pixels, SCALE), upscaler(pixels, SCALE))
        assert not np.array_equal(auto(pixels, SCALE), expected)


def test_attributes_and_progress():
    calls = []

    def tell(*counts):
        calls.append(counts)

    with Upscaler("clean", ENGINE, tile=30, progress=tell) as upscaler:
        assert upscaler.scales == (2, 3, 4)
        assert upscaler.parameters == 308489
        assert (
            "pretrained" in upscaler.name and str(checkpoints.shipped_step(CLEAN)) in upscaler.name
        )
        upscaler(tiny.picture(1, 40, 50), 2)
    assert calls == [(done, len(calls)) for done in range(1, len(calls) + 1)] and len(calls) > 1


def test_pictures_one_after_another(upscaler):
    read = []

    def coming():
        for picture in (RGB, GREY, RGBA, "nowhere.png", RGB):
            read.append(threading.current_thread())
            yield picture

    results = upscaler.upscale_each(coming(), SCALE)
    assert next(results).shape == (2 * HEIGHT, 2 * WIDTH, 3)
    assert next(results).shape == (2 * HEIGHT, 2 * WIDTH)
    np.testing.assert_array_equal(next(results), upscaler(RGBA, SCALE))
    with pytest.raises(UserError, match="nowhere.png cannot be opened"):
        next(results)
    assert threading.main_thread() not in read and len(read) <= 5
    two = upscaler.upscale_each([RGB, RGB, RGB], SCALE)
    next(two)
    two.close()
    assert list(upscaler.upscale_each([], SCALE)) == []


def test_files(upscaler, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        Image.fromarray(RGB).save(str(tmp_path / folder / "a.png"))
    (tmp_path / "two" / "bad.png").write_bytes(b"no picture")
    paths = [tmp_path / "one" / "a.png", str(tmp_path / "two" / "a.png"), tmp_path / "two/bad.png"]
    done = upscaler.upscale_files(paths, tmp_path / "out", 2)
    expected = [str(tmp_path / "out" / "x2" / name / "a.png") for name in ("one", "two")]
    assert (done.written, done.found) == (expected, [])
    (sentence,) = done.skipped
    assert sentence.startswith(str(tmp_path / "two/bad.png") + " is not a picture")
    with Image.open(expected[0]) as result:
        np.testing.assert_array_equal(np.asarray(result), upscaler(RGB, 2))
    done = upscaler.upscale_files(str(tmp_path / "two"), tmp_path / "out", 2)
    assert done.written == [str(tmp_path / "out" / "x2" / "a.png")]
    done = upscaler.upscale_files(paths[:1], tmp_path / "out", [2], output_format="webp")
    assert done.written == [str(tmp_path / "out" / "x2" / "a.webp")]
    assert upscaler.upscale_files(paths[:2], tmp_path / "out", 2).found == expected
    with pytest.raises(UserError, match="nowhere.png is not a file"):
        upscaler.upscale_files([tmp_path / "nowhere.png"], tmp_path / "out")
    with pytest.raises(UserError, match="no picture to upscale"):
        upscaler.upscale_files([], tmp_path / "out")
    with pytest.raises(UserError, match="--quality is for"):
        upscaler.upscale_files(paths, tmp_path / "out", quality=9)


def test_threads_take_turns(upscaler):
    pictures = [tiny.picture(seed, 9 + seed, 12) for seed in range(6)]
    expected = [upscaler(picture, 2) for picture in pictures]
    results = [None] * len(pictures)

    def work(index):
        for _ in range(3):
            results[index] = upscaler(pictures[index], 2)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, wanted in zip(results, expected):
        np.testing.assert_array_equal(result, wanted)


WORKERS = """
import multiprocessing
import sys

import bsrn_estimator as bsrn
import numpy as np

LR = np.arange(11 * 14 * 3, dtype=np.uint8).reshape(11, 14, 3)


def work(upscaler, queue):
    try:
        queue.put(upscaler(LR, 2))
    except bsrn.UserError as error:
        queue.put(str(error))


def answer(method, upscaler):
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    process = context.Process(target=work, args=(upscaler, queue))
    process.start()
    result = queue.get()
    process.join()
    assert process.exitcode == 0
    return result


if __name__ == "__main__":
    upscaler = bsrn.Upscaler(engine=sys.argv[1], threads=1)
    results = [answer("fork", upscaler), answer("spawn", upscaler)]
    own = upscaler(LR, 2)
    results.append(answer("spawn", upscaler))
    assert all(np.array_equal(own, result) for result in results), results
    print(answer("fork", upscaler))
"""


def run(code, *arguments, **options):
    environment = dict(os.environ, PYTHONPATH=str(ROOT), **options.pop("env", {}))
    return subprocess.run(
        [sys.executable] + list(code) + list(arguments),
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        **options,
    )


def test_worker_processes(tmp_path):
    (tmp_path / "workers.py").write_text(WORKERS)
    done = run(["workers.py"], ENGINE, cwd=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("this Upscaler was used before the process was forked")


WITHOUT_TENSORFLOW = """
import sys

sys.modules["tensorflow"] = None
import bsrn_estimator as bsrn

upscaler = bsrn.Upscaler()
engines = {"onnxruntime", "openvino", "cv2"} & set(sys.modules)
assert not engines, engines
import numpy as np

assert upscaler(np.zeros((11, 14, 3), np.uint8), scale=4).shape == (44, 56, 3)
assert "bsrn_estimator.compat" not in sys.modules
for network in ("model.ckpt-7", "pretrained"):
    try:
        bsrn.Upscaler(network, engine="tensorflow")(np.zeros((3, 3), np.uint8), scale=2)
    except bsrn.UserError as error:
        print(error)
"""


def test_without_tensorflow(tmp_path):
    pytest.importorskip("onnxruntime")
    done = run(["-c", WITHOUT_TENSORFLOW], cwd=str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("model.ckpt-7 takes TensorFlow here, which is not installed; install")
    assert second.startswith("pretrained takes TensorFlow here")
    assert os.listdir(str(tmp_path)) == []


def test_closed():
    upscaler = Upscaler("clean", ENGINE)
    upscaler(RGB, 2)
    copy = pickle.loads(pickle.dumps(upscaler))
    upscaler.close()
    upscaler.close()
    for use in (lambda: upscaler(RGB, 2), lambda: upscaler.scales, lambda: upscaler.name):
        with pytest.raises(UserError, match="this Upscaler is closed; make a new one"):
            use()
    assert copy.scales == (2, 3, 4)
    copy.close()


def test_other_refusals(upscaler, tmp_path):
    for scale, words in ((None, "which scale.* 2, 3, 4"), (5, "5"), (0, "0")):
        with pytest.raises(UserError, match=words):
            upscaler(RGB, scale)
    for arguments, words in (
        ({"output": "all"}, "output is ensemble or last here"),
        ({"precision": "float16"}, "precision is auto or float32 or bfloat16"),
        ({"engine": "caffe"}, "--engine takes"),
        ({"tile": 20}, "--tile=20 leaves nothing"),
    ):
        with pytest.raises(UserError, match=words):
            Upscaler(**arguments)
    with pytest.raises(UserError, match="nowhere"):
        Upscaler(str(tmp_path / "nowhere"))(RGB, 2)
