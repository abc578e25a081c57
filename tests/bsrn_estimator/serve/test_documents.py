"""The Python of docs/serving.md, run against a server."""

import pathlib

from tests.bsrn_estimator.serve import support
from tests.support import documents


def test_the_snippets_run(server, tmp_path, root, monkeypatch, capsys):
    monkeypatch.chdir(str(tmp_path))
    pathlib.Path("picture.png").write_bytes(support.file_of(support.random_picture(1, 9, 12)))
    snippets = [
        block.text
        for block in documents.blocks(root / "docs" / "serving.md")
        if block.language == "python"
    ]
    assert len(snippets) == 2
    for text in snippets:
        # The network of these tests has x2 and x3.
        text = text.replace("scale=4", "scale=3").replace("x4_bytes", "x3_bytes")
        assert "http://127.0.0.1:8501" in text
        exec(compile(text.replace("http://127.0.0.1:8501", server.url), "serving.md", "exec"), {})
        larger = pathlib.Path("larger.png")
        assert support.pixels(larger.read_bytes()).shape == (27, 36, 3)
        larger.unlink()
    assert capsys.readouterr().out == "2 x 4 pixels\n"
