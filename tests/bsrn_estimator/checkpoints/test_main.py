"""The command that shows a checkpoint and writes it in the form of the reference."""

import subprocess
import sys

from bsrn_estimator.checkpoints import __main__ as checkpoint_command
from bsrn_estimator.checkpoints import files as checkpoint_files
from tests.support import checkpoints, golden

SINGLE = golden.Golden("single_scale_stateless")


def test_write_into_a_folder(tmp_path, capsys, weights_only):
    assert checkpoint_command.main(["write", weights_only, str(tmp_path), "--weights_only"]) == 0
    assert "30 variables" in capsys.readouterr().out
    assert checkpoint_files.resolve(str(tmp_path)) == str(tmp_path / "model.ckpt")


def test_show_prints_what_is_there(tmp_path, capsys):
    prefix = checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
    assert checkpoint_command.main(["show", prefix]) == 0
    assert "not told by any shape" in capsys.readouterr().out
    SINGLE.config.save(str(tmp_path))
    assert checkpoint_command.main(["show", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["recursions", "4"] in lines and ["scales", "x4"] in lines
    assert ["global_step", "not", "saved"] in lines and ["optimizer", "Adam"] in lines
    assert ["generator/last_conv/conv2d/kernel", "3x3x8x3", "216"] in lines
    assert lines[-1] == ["parameters", "6,867"]
    units = [line for line in lines if line and line[0].startswith(("recursion_", "upscale_"))]
    names = ["recursion_0%d" % n for n in (1, 2, 3, 4)] + ["upscale_x4/conv2d"]
    assert [line[0] for line in units] == names + ["upscale_x4/conv2d_1"]
    assert all(0 <= float(line[1]) <= 1 and line[3] == "of" for line in units)


def test_command_ends_with_one_line_for_a_mistake(root, tmp_path):
    missing = str(tmp_path / "none")
    done = subprocess.run(
        [sys.executable, "-m", "bsrn_estimator.checkpoints", "show", missing],
        cwd=str(root),
        capture_output=True,
        text=True,
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2 and len(errors) == 1 and missing in errors[0]
    assert "Traceback" not in done.stderr and not done.stdout
