"""What `--help` prints, and what is said of flags before anything is loaded."""

import re
import subprocess
import sys

import pytest

from bsrn_estimator import __version__, flags, help_text
from bsrn_estimator.settings import MODES
from tests.support import in_process


@pytest.fixture(autouse=True)
def defined():
    in_process.reset()
    yield
    in_process.reset()


def entries(text):
    """Name of each flag of a page to what stands below it, in one line."""
    parts = re.split(r"^  --(?:\[no\])?(\w+).*\n", text, flags=re.MULTILINE)[1:]
    names = parts[::2]
    assert len(names) == len(set(names))
    return {name: " ".join(body.split()) for name, body in zip(names, parts[1::2])}


def test_every_flag_is_there_once_with_its_default():
    page = entries(help_text.page())
    # Those that absl has in every FlagValues, and the two that the page itself names.
    own = {"flagfile", "undefok", "help", "version"}
    assert set(page) == set(flags.FLAGS) - own
    for name, body in page.items():
        flag = flags.FLAGS[name]
        if flag.default in (None, "", []):
            continue
        if isinstance(flag.default, bool):
            shown = "on" if flag.default else "off"
        elif isinstance(flag.default, list):
            shown = ",".join(flag.default)
        elif isinstance(flag.default, str):
            shown = flag.default
        else:
            shown = re.search(r"\(default: ([^ );]*)", body).group(1)
            assert type(flag.default)(shown) == flag.default, name
        assert re.search(r"\(default: %s[;)]" % re.escape(shown), body), name


def test_a_page_fits_a_terminal():
    assert max(map(len, help_text.page().splitlines())) <= 96


@pytest.mark.parametrize("mode", MODES)
def test_the_page_of_a_mode_holds_its_flags_alone(mode):
    text = help_text.page(mode)
    read = {flag.name for _, found in flags.shown() for flag in found if mode in flag.modes}
    assert set(entries(text)) == read and flags.MODE_HELP[mode] in text
    foreign = {"predict": "learning_rate", "train": "self_ensemble", "export": "eval_data_dir"}
    own = {"predict": "self_ensemble", "train": "learning_rate", "export": "export_format"}
    if mode in own:
        assert own[mode] in read and foreign[mode] not in read


def test_the_command_shows_them(capsys):
    assert in_process.run(["--help"]) == 0
    assert capsys.readouterr().out == help_text.page() + "\n"
    assert in_process.run(["--help", "--mode=predict"]) == 0
    assert capsys.readouterr().out == help_text.page("predict") + "\n"
    assert in_process.run(["--version"]) == 0
    assert capsys.readouterr().out == "bsrn_estimator %s\n" % __version__


def test_flags_that_a_mode_does_not_read_are_named_in_one_line(capsys, tmp_path):
    arguments = ["--mode=evaluate", "--model_dir=%s" % (tmp_path / "absent")]
    arguments += ["--batch_size=2", "--export_format=onnx", "--uiqm"]
    assert in_process.run(arguments) == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert warning == "warning: --mode=evaluate does not read --batch_size, --export_format"
    assert error.startswith("error: ")


def test_a_flag_file_may_serve_several_modes(capsys, tmp_path):
    (tmp_path / "flags").write_text("--batch_size=2\n--export_format=onnx\n")
    arguments = ["--mode=evaluate", "--model_dir=%s" % (tmp_path / "absent")]
    arguments += ["--flagfile=%s" % (tmp_path / "flags"), "--noskip_corrupt", "--patch_size", "9"]
    assert in_process.run(arguments) == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert warning == "warning: --mode=evaluate does not read --patch_size, --skip_corrupt"
    assert error.startswith("error: ")


_AFTER_A_COMMAND = """
import sys
from bsrn_estimator import main
status = main.main(["main"] + sys.argv[1:])
print("tensorflow" in sys.modules, status)
"""


@pytest.mark.parametrize(
    "argument, status",
    [("--help", 0), ("--version", 0), ("--batchsize=3", 2), ("--batch_size=0", 2), ("train", 2)],
)
def test_tensorflow_is_not_loaded_for_it(root, argument, status):
    done = subprocess.run(
        [sys.executable, "-c", _AFTER_A_COMMAND, argument],
        cwd=str(root),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1] == "False %d" % status, done.stderr
    assert done.stderr.count("\n") == (status != 0)
