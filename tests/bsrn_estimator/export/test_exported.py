"""Exports in the place of a checkpoint."""

import json

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.export import finding
from bsrn_estimator.export.exported import ExportedNetwork
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.choice import OutputChoice


def test_damaged_exports_are_one_sentence(options, folder, tmp_path):
    assert finding.is_export(folder)
    assert finding.is_export(options().export_dir)
    assert not finding.is_export(str(tmp_path))
    path = tmp_path / "a.pb"
    path.write_bytes(b"no graph")
    with pytest.raises(UserError, match=r"has no .*a\.pb\.json"):
        ExportedNetwork(str(path))
    about = dict(export_version=1, scales=[2], output="ensemble", first_output=0, step=0)
    about.update(network="", pictures={"lr_size": None})
    (tmp_path / "a.pb.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match=r"a\.pb cannot be loaded"):
        Upscaler(ExportedNetwork(str(path)))
    for text, words in [
        ("{", "cannot be read"),
        ("{}", "does not describe an export"),
        (json.dumps(dict(about, export_version=2)), "newer version"),
    ]:
        (tmp_path / "a.pb.json").write_text(text)
        with pytest.raises(UserError, match=words):
            ExportedNetwork(str(path))
    with pytest.raises(UserError, match="was exported with --output=ensemble"):
        Upscaler(ExportedNetwork(folder), OutputChoice("last"))
