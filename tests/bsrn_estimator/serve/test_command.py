"""The flags: what is wrong is one line and status 2, before TensorFlow does much."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import pytest

from bsrn_estimator.compat import TF2
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import about
from bsrn_estimator.serve import command, model, server
from tests.bsrn_estimator.serve.support import file_of, random_picture
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def nothing_is_served(monkeypatch):
    """A mistake that is not found must fail a test, not serve for ever."""

    async def run(*_):
        raise AssertionError("the server started")

    monkeypatch.setattr(server, "run", run)


def error_of(capsys, *flags) -> str:
    assert command.main(list(flags)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    return line


def test_missing_and_empty_models(capsys, tmp_path):
    missing = str(tmp_path / "nowhere")
    assert missing in error_of(capsys, "--port=0", "--model=" + missing)
    assert "holds no SavedModel" in error_of(capsys, "--port=0", "--model=" + str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 30)
    assert "cannot be loaded" in error_of(capsys, "--port=0", "--model=" + str(tmp_path))


def test_scales_that_the_export_has_not(capsys, export):
    line = error_of(capsys, "--port=0", "--model=" + export, "--scales=2,4")
    assert "--scales=4" in line and "x2, x3 alone" in line
    assert "--scales" in error_of(capsys, "--port=0", "--model=" + export, "--scales=two")


@pytest.mark.skipif(TF2, reason="TensorFlow 2.21 can")
def test_the_first_runtime_has_no_bfloat16(capsys, export):
    line = error_of(capsys, "--port=0", "--model=" + export, "--mixed_precision")
    assert "needs TensorFlow 2.21" in line


def test_a_port_in_use(capsys, export):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        assert "in use" in error_of(capsys, "--port=%d" % port, "--model=" + export)


def test_a_tile_that_leaves_nothing(capsys, export):
    line = error_of(capsys, "--port=0", "--model=" + export, "--tile=24")
    assert "--tile=24 leaves nothing" in line


def test_scales_that_the_network_of_the_project_has_not(capsys):
    line = error_of(capsys, "--port=0", "--scales=8")
    assert "--scales=8: --model=auto has x2, x3, x4 alone" in line
    assert "--scales takes different ones" in error_of(capsys, "--port=0", "--scales=5")


@pytest.mark.parametrize(
    "text", ["[" * 100000, '{"step": "x"}', "[]", "{", "\udcff"], ids=lambda text: text[:9]
)
def test_an_export_that_does_not_describe_itself(capsys, export, tmp_path, text):
    folder = tmp_path / "1"
    shutil.copytree(export, str(folder))
    pathlib.Path(about.path_of(str(folder))).write_bytes(text.encode("utf-8", "surrogateescape"))
    line = error_of(capsys, "--port=0", "--model=" + str(folder))
    assert "export.json" in line and len(line) < 500


def test_what_is_not_installed_is_named(capsys, monkeypatch):
    monkeypatch.setattr(command, "_NEEDED", ("aiohttp", "no_such_package"))
    assert "pip install no_such_package" in error_of(capsys, "--port=0")


def test_the_command_of_the_package_is_this_one():
    text = (ROOT / "pyproject.toml").read_text()
    module, name = re.search(r'^bsrn-serve = "(.+):(.+)"$', text, re.M).groups()
    code = "import sys; sys.argv[0] = 'bsrn-serve'; from %s import %s; %s()" % (module, name, name)
    for arguments, status, word in ((["--help"], 0, "usage: bsrn-serve "), (["--po"], 2, "--po")):
        ended = subprocess.run(
            [sys.executable, "-c", code] + arguments,
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert ended.returncode == status and word in ended.stdout.decode()


@pytest.mark.parametrize(
    "flag",
    [
        "--patience=0",
        "--cors=example.org",
        "--cors=http://a.b/path",
        "--max_queue=0",
        "--timeout=-1",
        "--port=99999",
        "--max_pixels=x",
        "--modle=x",
    ],
)
def test_flags_that_make_no_sense(capsys, flag):
    with pytest.raises(SystemExit) as ended:
        command.main(["--model=x", flag])
    assert ended.value.code == 2
    assert flag.split("=")[0] in capsys.readouterr().err


def test_the_folder_above_is_enough_and_the_newest_is_taken(export, tmp_path):
    above = os.path.dirname(export)
    assert (
        model.version_folder(above) == export
        and model.version_folder(os.path.dirname(above)) == export
    )
    for number in ("7", "12", "x99"):
        os.symlink(export, str(tmp_path / number))
    assert model.version_folder(str(tmp_path)) == str(tmp_path / "12")


def test_the_version_is_the_folders_number_or_the_step(export, tmp_path):
    named = tmp_path / "named"
    os.symlink(export, str(named))
    for folder, version, scales in ((export, 7, None), (str(named), 7, [3])):
        loaded = model.Model(folder, scales)
        assert (loaded.version, loaded.scales) == (version, tuple(scales or (2, 3)))
        loaded.close()


def test_another_projects_model_is_refused(export, tmp_path):
    loaded = model.Model(export)
    signatures = {name: None for name in loaded.signatures if not name.endswith("_rgb")}
    loaded.signatures = signatures
    with pytest.raises(UserError, match="x2_rgb"):
        loaded._choose(None)
    loaded.close()


def test_bytes_are_decoded_and_encoded_as_the_signature_does(export, expected):
    loaded = model.Model(export, max_pixels=300)
    file = file_of(random_picture(1, 15, 20), "JPEG")
    lr = loaded.decode(file)
    assert lr.shape == (15, 20, 3)
    with pytest.raises(ValueError, match="300 pixels"):
        loaded.decode(file_of(random_picture(1, 16, 20)))
    for damaged in (file[:40], b"\x89PNG\r\n\x1a\n", b"", b"\xff\xd8\xff"):
        with pytest.raises(ValueError) as refusal:
            loaded.decode(damaged)
        assert "\n" not in str(refusal.value)
    loaded.close()


def test_help_names_every_flag(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for flag in "model port host max_pixels max_queue grace patience cors".split():
        assert "--" + flag in text
