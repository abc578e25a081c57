"""The call in processes of its own: workers of a program, and one without TensorFlow."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

import bsrn_estimator

ENGINE = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "tensorflow"
ROOT = pathlib.Path(bsrn_estimator.__file__).resolve().parent.parent

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
