"""The scripts of the shell as they are typed where there is a folder `dataset/`."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.pictures.imresize import shrink
from tests import npu_double
from tests.support import fabricate, tiny

_SMALL = tiny.NETWORK_FLAGS + ["--recursions=1", "--recursion_frequency=1", "--train_steps=2"]
_SMALL += ["--save_checkpoints_steps=2", "--batch_size=1"]


class Checkout:
    """A working directory with `dataset/`, and the scripts run from there.

    Args:
      folder: the directory.
      scripts: the folder of the scripts.
    """

    def __init__(self, folder, scripts):
        self.folder, self._scripts = folder, scripts

    def __call__(self, name, *arguments, **variables):
        return subprocess.run(
            ["bash", str(self._scripts / name)] + list(arguments),
            env=dict(os.environ, **dict({"PYTHON": sys.executable}, **variables)),
            cwd=str(self.folder),
            capture_output=True,
            text=True,
        )


def bsd100(root, sizes):
    """A set in the layout of BSD100 with its LR pictures: {name: HR pixels}."""
    pictures = fabricate.folder(root / "SR", sizes)
    for name, pixels in pictures.items():
        for scale in (2, 3, 4):
            fabricate.save(shrink(pixels, scale), root, "LR", "x%d" % scale, name + ".png")
    return pictures


def tree(folder):
    """`dataset/` with pictures that hold a training patch of 48 at x4, which is the default."""
    fabricate.div2k(folder / "dataset" / "DIV2K", [(192, 204), (199, 193)])
    return bsd100(folder / "dataset" / "BSD100", [(25, 31), (37, 28)])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, root):
    folder = tmp_path_factory.mktemp("checkout")
    tree(folder)
    return Checkout(folder, root / "scripts")


@pytest.fixture(scope="module")
def trained(checkout):
    """What `bash scripts/run_gpu.sh` said, PYTHON adding what makes it short."""
    short = checkout.folder / "short.sh"
    short.write_text(
        '#!/bin/sh\ncase "$*" in *--mode=train*) set -- "$@" --device=cpu %s ;; esac\n'
        'exec "%s" "$@"\n' % (" ".join(_SMALL), sys.executable)
    )
    short.chmod(0o755)
    done = checkout("run_gpu.sh", PYTHON=str(short))
    assert done.returncode == 0, done.stderr
    return done


def test_training_converts_the_tree_first(checkout, trained):
    assert "converting dataset/DIV2K to tfrecords/div2k_train" in trained.stdout
    for name, pictures in (("div2k_train", 2), ("bsd100", 2)):
        manifest = Manifest.load(str(checkout.folder / "tfrecords" / name))
        assert (manifest.pictures, manifest.scales) == (pictures, (2, 3, 4))
    assert (checkout.folder / "runs" / "bsrn" / "model.ckpt-2.index").exists()


def test_records_that_are_there_are_taken(checkout, trained):
    done = checkout("run_gpu.sh", "--device=cpu", "--mode=train", *_SMALL)
    assert done.returncode == 0, done.stderr
    assert "converting" not in done.stdout


def test_validation_without_arguments(checkout, trained):
    done = checkout("validate.sh")
    assert done.returncode == 0, done.stderr
    path = checkout.folder / "runs/bsrn/evaluation/step-2/bsd100/metrics.json"
    figures = json.loads(path.read_text())
    assert sorted(figures["scales"]) == ["2", "3", "4"]
    assert sorted(figures["scales"]["4"]["images"]) == ["a00", "a01"]


def test_pictures_without_arguments(checkout, trained):
    done = checkout("test.sh")
    assert done.returncode == 0, done.stderr
    results = checkout.folder / "result" / "result-pictures" / "ensemble"
    for scale in (2, 3, 4):
        with Image.open(str(results / ("x%d" % scale) / "a00.png")) as image:
            assert image.size == (31 // scale * scale, 25 // scale * scale)
    assert sorted(path.name for path in (results / "x3").iterdir()) == ["a00.png", "a01.png"]


def test_pictures_of_one_scale_into_a_folder(checkout, trained):
    done = checkout("test.sh", "--scales=3", "--output_dir=elsewhere")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (checkout.folder / "elsewhere").glob("x*")) == ["x3"]


def test_pictures_that_are_named_are_taken(checkout, trained):
    picture = "dataset/BSD100/LR/x2/a01.png"
    done = checkout("test.sh", "--input=" + picture, "--output_dir=named", "--scales=2")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (checkout.folder / "named" / "x2").iterdir()] == ["a01.png"]


def test_training_on_the_npu_converts_what_the_tree_has(root, tmp_path):
    tree(tmp_path)
    for folder in ("DIV2K/DIV2K_train_LR_bicubic/X3", "BSD100/LR/x3"):
        (tmp_path / "dataset" / folder).rename(tmp_path / folder.replace("/", "-"))
    double = npu_double.build("r1.8.0", str(tmp_path / "double"))
    flags = ["--scales=2,4", "--evaluation_steps=2"] + _SMALL
    done = Checkout(tmp_path, root / "scripts")("run_npu.sh", *flags, PYTHONPATH=double)
    assert done.returncode == 0, done.stderr
    assert Manifest.load(str(tmp_path / "tfrecords" / "bsd100")).scales == (2, 4)
    assert (tmp_path / "runs/bsrn/evaluation/step-2/bsd100/metrics.json").exists()


def test_nothing_is_converted_for_other_records(root, tmp_path):
    tree(tmp_path)
    (tmp_path / "other.flags").write_text("--eval_data_dir=nowhere\n")
    done = Checkout(tmp_path, root / "scripts")(
        "run_gpu.sh", "--data_dir=nowhere", "--flagfile=other.flags"
    )
    assert done.returncode == 2 and done.stderr.startswith("error: ") and "nowhere" in done.stderr
    assert done.stdout == "" and not (tmp_path / "tfrecords").exists()


def test_a_tree_that_is_wrong_ends_it_with_the_sentence_of_the_conversion(root, tmp_path):
    tree(tmp_path)
    (tmp_path / "dataset/BSD100/LR/x4/a00.png").unlink()
    done = Checkout(tmp_path, root / "scripts")("validate.sh")
    assert done.returncode == 2 and "a00.png has no LR picture of scale 4" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_tree_the_sentence_is_that_of_the_command(root, tmp_path):
    run = Checkout(tmp_path, root / "scripts")
    for name, said in (("run_gpu.sh", "to_tfrecord.py"), ("test.sh", "--input")):
        done = run(name)
        assert done.returncode == 2 and said in done.stderr, name
        assert done.stderr.count("error: ") == 1 and "Traceback" not in done.stderr
