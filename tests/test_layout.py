"""The rules of imports, of length and of where tests are, for the sources as they are."""

import re

from tests.support import structure

MOST_LINES = 400

# Files of tests that mirror no module, each with the reason.
OF_NO_MODULE = {
    # The top of the package, whose module has no name of its own.
    "tests.bsrn_estimator.test_package",
    # What results depend on and whether they are whole, through the whole mode.
    "tests.bsrn_estimator.inference.test_results_of_predict",
    # Two training steps of the whole network against those of the reference implementation.
    "tests.bsrn_estimator.networks.test_golden_training",
    # From the step that keeps an average to the checkpoint, the network and the export of it.
    "tests.bsrn_estimator.training.test_moving_average",
    # The second family in every form in which a trained network is used.
    "tests.bsrn_estimator.export.test_srdrm_exports",
    # A run of the second family, through the whole command; and the same on the NPU's stand-in.
    "tests.bsrn_estimator.training.test_srdrm_run",
    "tests.bsrn_estimator.platforms.npu.test_srdrm",
    # SRDRM-GAN on the NPU's stand-in, and the published generators through the whole mode evaluate.
    "tests.bsrn_estimator.platforms.npu.test_gan",
    "tests.bsrn_estimator.evaluation.test_golden_srdrm",
    # What lies in the folder checkpoints/pretrained, which is data.
    "tests.bsrn_estimator.checkpoints.test_pretrained",
    # The examples of docs/serving.md.
    "tests.bsrn_estimator.serve.test_documents",
    # The stand-in for npu_bridge that the tests of that room run on.
    "tests.bsrn_estimator.platforms.npu.test_double",
    # Of the GPU too: what it does in float16.
    "tests.bsrn_estimator.platforms.test_gpu_mixed_precision",
    # The command of the stand-in that prints the table of builds and modes.
    "tests.bsrn_estimator.platforms.npu.test_matrix",
}
# Files of tests with more lines, each for a subject that is one.
LONG = {
    "tests.data_tools.test_convert",
    "tests.bsrn_estimator.inference.test_results_of_predict",
    "tests.bsrn_estimator.data.test_input_fn",
}


def test_rooms_use_only_rooms_of_a_smaller_number(root):
    rule = structure.read_rule(root / "docs" / "architecture.md")
    assert structure.violations(structure.modules_of(root), rule) == []


def test_no_module_is_too_long(root):
    packages = structure.PACKAGES + ("benchmarks", "scripts")
    modules = structure.modules_of(root, packages)
    assert len({name.split(".")[0] for name in modules}) == len(packages)
    assert structure.too_long(modules, MOST_LINES) == []


def test_no_file_of_tests_is_too_long(root):
    modules = structure.modules_of(root, ("tests",))
    short = {name: module for name, module in modules.items() if name not in LONG}
    assert structure.too_long(short, MOST_LINES) == []


def test_tests_mirror_the_modules(root):
    modules, tests = structure.modules_of(root), structure.modules_of(root, ("tests",))
    assert structure.unmirrored(modules, tests, OF_NO_MODULE) == []


def test_files_of_tests_that_are_named_are_there(root):
    texts = list(root.glob("*.md")) + list(root.glob("docs/**/*.md"))
    packages = structure.PACKAGES + ("benchmarks", "scripts", "tests")
    texts += [module.path for module in structure.modules_of(root, packages).values()]
    named = {
        (name, str(text.relative_to(root)))
        for text in texts
        for name in re.findall(r"\btests/[a-z0-9_/]+\.py\b", text.read_text(encoding="utf-8"))
    }
    assert named
    assert [pair for pair in sorted(named) if not (root / pair[0]).is_file()] == []
