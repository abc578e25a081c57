"""A network of golden values, and its SavedModel."""

import os

import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.export import export
from bsrn_estimator.export.options import ExportOptions
from tests.support.golden import Golden


@pytest.fixture(scope="session")
def golden():
    return Golden("multi_scale")


@pytest.fixture(scope="session")
def options(golden, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("export"))

    def make(**kwargs):
        values = {
            "export_dir": folder,
            "checkpoint": golden.checkpoint,
            "given": {"recursions": 4, "recursion_frequency": 1},
        }
        return ExportOptions(**dict(values, **kwargs))

    return make


@pytest.fixture(scope="session")
def folder(options):
    """A SavedModel of all scales, with a bound of 2000 pixels."""
    assert export.run(options(max_pixels=2000)) == 0
    return os.path.join(options().export_dir, "saved_model", "1")


@pytest.fixture(scope="module")
def loaded(folder):
    """A function that runs a signature of the SavedModel on one input."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = tf.saved_model.load(session, ["serve"], folder)

        def run(name, value):
            signature = model.signature_def[name]
            (given,), (result,) = signature.inputs.values(), signature.outputs.values()
            return session.run(result.name, {given.name: value})

        run.signatures = model.signature_def
        yield run
