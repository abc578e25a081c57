"""The wheel, installed where nothing of the checkout is: its metadata and its commands."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ("bsrn_estimator", "data_tools", "pyproject.toml", "README.md", "LICENSE")
# The same TensorFlow under another name, chosen by the locks.
SAME = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "tensorflow-gpu": ("tensorflow-gpu",)}


def run(*command, **options) -> str:
    """Runs a command outside the checkout; returns its output."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    process = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean,
        **options,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An empty folder."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def wheel(folder):
    """The wheel of a copy of the sources, for building writes beside them."""
    sources = folder / "sources"
    sources.mkdir()
    for name in SOURCES:
        source, target = ROOT / name, sources / name
        if source.is_dir():
            shutil.copytree(
                str(source), str(target), ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(str(source), str(target))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps"]
    run(*pip, "--no-build-isolation", "--no-index", "-w", folder, sources, cwd=str(folder))
    shutil.rmtree(str(sources))
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def bin_folder(folder, wheel):
    """The commands of an environment that holds the wheel and sees this one's packages."""
    environment = folder / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=str(folder))
    # Their .pth files are not read from there, hence the checkout is not importable.
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = pathlib.Path(run(python, "-c", where).strip())
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def test_it_is_the_installed_package_that_runs(folder, bin_folder):
    code = "import bsrn_estimator, data_tools; print(bsrn_estimator.__file__, data_tools.__file__)"
    paths = run(bin_folder / "python", "-c", code, cwd=str(folder)).split()
    assert len(paths) == 2
    assert all(path.startswith(str(folder / "environment")) for path in paths)


def test_type_checkers_are_told_that_it_has_types(bin_folder):
    (installed,) = bin_folder.parent.glob("lib/python*/site-packages/bsrn_estimator")
    assert (installed / "py.typed").exists() and (installed / "__init__.pyi").exists()
    assert (installed.parent / "data_tools" / "py.typed").exists()


def test_the_lock_fulfils_what_the_wheel_asks_for(folder, bin_folder):
    code = (
        "import sys\n"
        "try: import importlib.metadata as metadata\n"
        "except ImportError: import importlib_metadata as metadata\n"
        "for line in metadata.requires('bsrn-estimator'): print(line)\n"
        "print()\n"
        "for found in metadata.distributions(): print(found.metadata['Name'], found.version)\n"
    )
    asked, there = run(bin_folder / "python", "-c", code, cwd=str(folder)).split("\n\n")
    versions = {}
    for line in there.splitlines():
        name, version = line.split()
        versions.setdefault(name.lower().replace("_", "-"), version)
    requirements = [Requirement(line) for line in asked.splitlines()]
    checked = 0
    for requirement in requirements:
        extras = [""] if "extra" not in str(requirement.marker) else ["serve", "dev"]
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras
        ):
            continue
        name = requirement.name.lower().replace("_", "-")
        version = next((versions[n] for n in SAME.get(name, (name,)) if n in versions), None)
        assert version and requirement.specifier.contains(version), (str(requirement), version)
        checked += 1
    assert checked > 12
    for extra in ("tfds", "export", "beam", "gpu"):
        assert any(
            requirement.marker and requirement.marker.evaluate({"extra": extra})
            for requirement in requirements
            if "extra" in str(requirement.marker)
        ), extra


def test_its_commands_run_there(folder, bin_folder):
    pictures = folder / "pictures"
    pictures.mkdir()
    rows, columns = np.mgrid[0:96, 0:120]
    picture = np.stack([rows * 2, columns * 2, rows + columns], axis=-1).astype(np.uint8)
    Image.fromarray(picture).save(str(pictures / "slope.png"))
    where = {"cwd": str(folder)}
    run(
        bin_folder / "bsrn-to-tfrecord", "--dataset=folder", "--input_dir=pictures",
        "--output_dir=records", "--scales=2", "--kind=evaluation", **where
    )  # fmt: skip
    assert list((folder / "records").glob("*.tfrecord"))
    # The network that comes with the wheel, on the record and on the picture.
    run(
        bin_folder / "bsrn-estimator", "--mode=evaluate", "--checkpoint=pretrained",
        "--eval_data_dir=records", "--scales=2", "--model_dir=results", **where
    )  # fmt: skip
    assert list((folder / "results").rglob("metrics.json"))
    run(
        bin_folder / "bsrn-estimator", "--mode=predict", "--checkpoint=pretrained",
        "--input=pictures/slope.png", "--scales=2", "--output_dir=larger", **where
    )  # fmt: skip
    (result,) = (folder / "larger").rglob("*.png")
    larger = np.asarray(Image.open(str(result)), np.float64)
    assert larger.shape == (192, 240, 3)
    assert np.abs(larger[::2, ::2] - picture).mean() < 4
    assert "--port" in run(bin_folder / "python", "-m", "bsrn_estimator.serve", "--help", **where)
