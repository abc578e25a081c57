"""What the documents tell a reader to type: it exists, it starts, its flags exist, it runs."""

import ast
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator import flags
from bsrn_estimator.checkpoints import trained
from bsrn_estimator.compat import TF2
from bsrn_estimator.export import export
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.inference.upscaler import Upscaler
from tests.conftest import ROOT
from tests.support import command_lines, documents, in_process, tiny
from tests.support.tiny import picture

DOCUMENTS = documents.documents(ROOT)
# Flags of other programs that sentences name.
# Those of other programs, and of the scripts that the ModelZoo shares.
FOREIGN_FLAGS = {"logdir", "no-deps", "outfmt", "output_type"}
FOREIGN_FLAGS |= {"autotune", "data_dump_flag", "data_dump_step", "data_path", "output_path"}
FOREIGN_FLAGS |= {"over_dump", "profiling"}
# Of Apache Beam.
FOREIGN_FLAGS |= {"beam_plugins", "extra_package", "hdfs_host", "project", "region", "setup_file"}
FOREIGN_FLAGS |= {"temp_location"}


@pytest.fixture(scope="module")
def checker(request):
    flags.define()
    return command_lines.Checker(ROOT, flags.FLAGS, request.config.getoption)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_can_be_typed(checker, document, monkeypatch):
    monkeypatch.chdir(str(ROOT))  # flag files are named from there
    problems = [checker.problem(command) for command in documents.commands(document)]
    assert not list(filter(None, problems))


def test_the_documents_hold_commands():
    found = [command for document in DOCUMENTS for command in documents.commands(document)]
    assert sum(command.whole for command in found) >= 50
    programs = {tuple(command.words[:3]) for command in found}
    for words in ("make test", "python data_tools/to_tfrecord.py --dataset=div2k"):
        assert any(tuple(words.split()) == program[: len(words.split())] for program in programs)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_blocks_are_what_they_say(document):
    for block in documents.blocks(document):
        where = "%s:%d" % (document.name, block.line)
        assert block.language in documents.LANGUAGES, where
        if block.language == "python":
            ast.parse(block.text, where)
        elif block.language == "json":
            json.loads(block.text)


def test_flags_that_sentences_name_exist(checker):
    for name in _benchmarks():
        checker.module(name)
    for path in _scripts(".py") + ["modelzoo/run.py"]:
        checker.script(path)
    for name in ("bsrn_estimator.serve", "bsrn_estimator.checkpoints", "tests.npu_double.matrix"):
        checker.module(name)
    known = checker.known_flags() | FOREIGN_FLAGS
    for document in DOCUMENTS:
        for name in sorted(documents.flags_named(document) - known):
            checker.require_pytest_option(name)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_sources_that_are_named_are_there(document):
    named = re.findall(
        r"`((?:bsrn_estimator|data_tools|scripts|tests)/[a-z0-9_/.]+)`", document.read_text()
    )
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


@pytest.mark.parametrize(
    "document",
    DOCUMENTS + [ROOT / "CHANGELOG.md"] + sorted(ROOT.glob("bsrn_estimator/**/*.md")),
    ids=lambda path: path.name,
)
def test_links_lead_somewhere(document):
    for link in documents.links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in documents.anchors(target), link


def test_the_chinese_front_page_says_the_commands_of_the_english_pages():
    names = ("README.md", "docs/ascend.md", "docs/data.md")
    english = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    lines = [
        line
        for block in documents.blocks(ROOT / "README.zh.md")
        for line in block.text.splitlines()
    ]
    assert len(lines) >= 15
    assert [line for line in lines if line not in english] == []


def test_the_chinese_front_page_says_the_figures_of_the_english_pages():
    pages = ["README.md"] + ["docs/%s.md" % name for name in ("ascend", "performance", "results")]
    english = "".join((ROOT / name).read_text(encoding="utf-8") for name in pages)
    figures = _decimals("\n".join(documents.tables(ROOT / "README.zh.md")))
    assert len(figures) >= 30
    assert figures - _decimals(english) == set()


def _decimals(text):
    return set(re.findall(r"\d+\.\d+", text))


def test_the_chinese_front_page_has_the_chapters_of_the_modelzoo():
    text = documents.prose(ROOT / "README.zh.md")
    chapters = "概述 环境 数据集准备 GPU训练 NPU训练 推理 评估 指标对比 性能对比 性能调优"
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == chapters.split()


def test_the_chinese_page_on_ascend_says_what_the_english_one_says():
    english, chinese = [ROOT / "docs" / name for name in ("ascend.md", "ascend.zh.md")]
    for said in (documents.blocks, documents.tables):
        assert len(said(english)) == len(said(chinese)) > 4
    for ours, theirs in zip(documents.blocks(english), documents.blocks(chinese)):
        assert (ours.language, ours.text) == (theirs.language, theirs.text)
    assert documents.flags_named(english) == documents.flags_named(chinese)
    # Word order differs between the languages.
    for ours, theirs in zip(documents.tables(english), documents.tables(chinese)):
        assert sorted(_figures(ours)) == sorted(_figures(theirs)), theirs


def _figures(row):
    return re.findall(r"\d+(?:[.e]\d+)*", row)


def test_the_front_page_is_one_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def _benchmarks():
    paths = sorted((ROOT / "benchmarks").glob("[!_]*.py"))
    return ["benchmarks." + path.stem for path in paths]


def _scripts(ending: str):
    return ["scripts/" + path.name for path in sorted((ROOT / "scripts").glob("*" + ending))]


@pytest.mark.parametrize("name", _benchmarks())
def test_benchmarks_start(checker, name):
    assert "--" in checker.module(name).parser.format_help()


@pytest.mark.parametrize("path", _scripts(".py"))
def test_scripts_of_python_start(checker, path):
    assert checker.script(path).parser.format_help()


# tests/test_setup.py starts setup.sh.
@pytest.mark.parametrize("path", [path for path in _scripts(".sh") if "setup" not in path])
def test_scripts_of_the_shell_start(path):
    done = subprocess.run(
        ["bash", str(ROOT / path), "--help"], stdout=subprocess.PIPE, text=True, timeout=60
    )
    assert done.returncode == 0 and "Usage: " + path in done.stdout


def test_scripts_of_the_shell_are_sound():
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    checked = subprocess.run(
        ["shellcheck", "-x"] + [str(ROOT / path) for path in _scripts(".sh") + _scripts(".bash")],
        stdout=subprocess.PIPE,
        cwd=str(ROOT),
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_console_commands_resolve(checker):
    assert {"bsrn-estimator", "bsrn-to-tfrecord"} <= set(checker.entry_points)
    for name in checker.entry_points:
        assert callable(checker.entry_point(name))


def test_a_console_command_runs_in_any_folder(tmp_path):
    command = pathlib.Path(sys.executable).with_name("bsrn-to-tfrecord")
    if not command.exists():
        pytest.skip("the package is not installed in this environment")
    done = subprocess.run(
        [str(command), "--verify", "--output_dir=here"],
        cwd=str(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2 and done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1 and "here" in done.stderr


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder in which the snippets on exported models find what they name."""
    folder = tmp_path_factory.mktemp("snippets")
    network = trained.find("pretrained")

    def write(export_format):
        options = ExportOptions(export_dir=str(folder / "exported"), export_format=export_format)
        return export.export(network, (4,), options)

    (path,) = write("saved_model")
    os.rename(path, os.path.join(os.path.dirname(path), "200000"))
    Image.fromarray(picture(3, 21, 26)).save(str(folder / "photo.png"))
    return folder, write


def _snippet(document: str, word: str) -> str:
    """The one Python block of a document that holds a word."""
    found = documents.blocks(ROOT / "docs" / document)
    (text,) = [b.text for b in found if b.language == "python" and word in b.text]
    return text


def test_the_snippet_on_saved_models_runs(exported, monkeypatch):
    monkeypatch.chdir(str(exported[0]))
    names = {}
    exec(compile(_snippet("using.md", "tf.saved_model.load"), "using.md", "exec"), names)
    assert names["png"].startswith(b"\x89PNG")


@pytest.mark.parametrize("word", ["larger.save", "upscale_each"])
def test_the_snippets_on_calls_run(tmp_path, monkeypatch, word):
    monkeypatch.chdir(str(tmp_path))
    for name in ("photo.png", "other.png"):
        Image.fromarray(picture(3, 11, 13)).save(name)
    exec(compile(_snippet("using.md", word), "using.md", "exec"), {})
    made = [str(path.relative_to(tmp_path)) for path in tmp_path.glob("larger*/**/*.*")]
    expected = ["larger/x%d/%s.webp" % (s, n) for s in (2, 4) for n in ("photo", "other")]
    assert sorted(made) == (sorted(expected) if word == "upscale_each" else [])
    assert (tmp_path / "larger.png").exists() == (word == "larger.save")


@pytest.mark.skipif(not TF2, reason="needs TensorFlow 2.21")
def test_the_snippet_on_tensorflow_lite_runs(exported):
    """In a process of its own, for this project keeps TensorFlow from being eager."""
    folder, _ = exported
    text, given = _snippet("using.md", "TFLiteConverter"), "np.zeros([1, 60, 80, 3], np.float32)"
    assert text.count(given) == 1
    lr = picture(4, 17, 22)
    np.save(str(folder / "lr.npy"), lr[np.newaxis].astype(np.float32))
    text = text.replace(given, "np.load('lr.npy')") + "np.save('hr.npy', hr)\n"
    subprocess.run([sys.executable, "-c", text], cwd=str(folder), check=True, timeout=250)
    with Upscaler(trained.find("pretrained"), scales=[4]) as upscaler:
        expected = np.clip(upscaler.upscale(lr, 4), 0, 255)
    np.testing.assert_allclose(np.load(str(folder / "hr.npy"))[0], expected, atol=0.01)


def test_the_snippet_on_onnx_runs(exported, monkeypatch):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    folder, write = exported
    write("onnx")
    monkeypatch.chdir(str(folder))
    exec(compile(_snippet("using.md", "onnxruntime"), "using.md", "exec"), {})
    with Image.open("photo_x4.png") as image:
        assert image.size == (4 * 26, 4 * 21)


def test_the_snippet_on_measures_runs(tmp_path, monkeypatch, capsys):
    Image.fromarray(picture(3, 48, 64)).save(str(tmp_path / "truth.png"))
    Image.fromarray(picture(3, 12, 16)).save(str(tmp_path / "photo.png"))
    monkeypatch.chdir(str(tmp_path))
    exec(compile(_snippet("api.md", "bsrn.psnr"), "api.md", "exec"), {})
    psnr, ssim = capsys.readouterr().out.split()[-2:]
    assert 5 < float(psnr) < 50 and -1 < float(ssim) < 1


def test_the_snippet_from_pictures_to_a_network_runs(tmp_path, monkeypatch, capsys):
    for name in ("PICTURES", "HELD_OUT"):
        (tmp_path / name).mkdir()
        Image.fromarray(picture(3, 205, 210)).save(str(tmp_path / name / "a.png"))
    monkeypatch.chdir(str(tmp_path))
    text = _snippet("api.md", "bsrn.convert")
    for there, small in (
        ("recursions=8", "recursions=2, conv_features=5, state_features=3"),
        ("train_steps=20000", "train_steps=2"),
    ):
        assert text.count(there) == 1
        text = text.replace(there, small)
    exec(compile(text, "api.md", "exec"), {"__name__": "__main__"})
    assert "held_out" in capsys.readouterr().out
    assert (tmp_path / "runs/mine/model.ckpt-2.index").exists()


@pytest.fixture
def in_folder_of_records(tmp_path, monkeypatch):
    """A folder in which the snippets on the Estimator find what they name; the current one."""
    tiny.write_records(tmp_path / "tfrecords/div2k_train", "training", [(96, 75), (81, 90)])
    tiny.write_records(tmp_path / "tfrecords/bsd100", "evaluation", [(25, 37), (36, 24)])
    Image.fromarray(picture(3, 6, 9)).save(str(tmp_path / "photo.png"))
    monkeypatch.chdir(str(tmp_path))
    return tmp_path


def _run_small(text: str) -> None:
    """Runs a snippet as it stands, but for a smaller network, and fewer steps."""
    for there, small in (
        ("recursions=8", "recursions=2, conv_features=5, state_features=3"),
        ("patch_size=32", "patch_size=8"),
        ("steps=1000", "steps=2"),
    ):
        assert text.count(there) == 1
        text = text.replace(there, small)
    exec(compile(text, "estimator.md", "exec"), {})


def test_the_ten_lines_with_the_estimator_of_the_project_run(in_folder_of_records, capsys):
    text = _snippet("estimator.md", "build_estimator")
    assert len(text.splitlines()) <= 10
    _run_small(text)
    assert "'psnr_y/x4'" in capsys.readouterr().out
    assert len(list(in_folder_of_records.glob("runs/mine/model.ckpt-2.index"))) == 1
    assert in_process.run(["--mode=evaluate", "--model_dir=runs/mine"]) == 0


def test_the_snippet_on_an_estimator_of_the_users_runs(in_folder_of_records, capsys):
    tmp_path = in_folder_of_records
    _run_small(_snippet("estimator.md", "build_model_fn"))
    output = capsys.readouterr().out
    assert "'global_step'" in output and "'psnr_y/x4'" in output
    assert "(1, 12, 18, 3) (1, 24, 36, 3)" in output
    assert len(list(tmp_path.glob("runs/own/model.ckpt-2.index"))) == 1
    # Such a checkpoint serves the command.
    use = ["--mode=predict", "--checkpoint=runs/own", "--recursions=2", "--recursion_frequency=1"]
    try:
        assert in_process.run(use + ["--input=photo.png", "--scales=4", "--output_dir=up"]) == 0
    finally:
        in_process.reset()
    assert len(list(tmp_path.glob("up/**/*.png"))) == 1
