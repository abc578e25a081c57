"""The notebook docs/tutorial.ipynb: its outputs are there, and it runs from its first cell."""

import json
import os

import pytest

from tests.conftest import ROOT

NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
MOST_BYTES = 10**6
INSTALL = "install"


@pytest.fixture(scope="module")
def cells():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def _is_install(cell) -> bool:
    return INSTALL in cell["metadata"].get("tags", [])


def test_its_first_cell_installs_what_it_needs(cells):
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    assert _is_install(first) and "".join(first["source"]).startswith("%pip install")
    assert sum(_is_install(cell) for cell in cells) == 1


def test_it_was_run_in_order_and_holds_what_came_out(cells):
    assert NOTEBOOK.stat().st_size < MOST_BYTES
    code = [cell for cell in cells if cell["cell_type"] == "code" and not _is_install(cell)]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    # Nobody's folders.
    assert "/home/" not in NOTEBOOK.read_text() and "/tmp/" not in NOTEBOOK.read_text()


def test_it_runs(tmp_path, monkeypatch):
    """On the kernel of this runtime, with a few steps of training."""
    nbclient = pytest.importorskip("nbclient", reason="needs Jupyter: nbclient")
    nbformat = pytest.importorskip("nbformat")
    for needed in ("ipykernel", "matplotlib", "tf2onnx", "onnxruntime"):
        pytest.importorskip(needed)
    notebook = nbformat.read(str(NOTEBOOK), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not _is_install(cell)]
    monkeypatch.setenv("BSRN_TUTORIAL_STEPS", "4")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    where = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(notebook, timeout=250, kernel_name="python3", resources=where)
    client.execute()
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())
    )
    assert "trained to step 4" in printed
    assert "largest difference, in grey levels: " in printed
    assert int(printed.rsplit("grey levels: ", 1)[1]) <= 1
    assert os.listdir(str(tmp_path)) == ["tutorial"]
