"""DIV2K through tensorflow-datasets, prepared by the library itself from a fabricated download."""

import numpy as np
import pytest

from bsrn_estimator.errors import UserError
from data_tools.convert import convert
from data_tools.options import ConversionOptions
from data_tools.sources import find_pictures
from data_tools.verify import verify
from tests.support import fabricate

tfds = pytest.importorskip("tensorflow_datasets", reason="tensorflow-datasets is not installed")
gcs_utils = pytest.importorskip("tensorflow_datasets.core.utils.gcs_utils")

SIZES = [(48, 52), (37, 41), (60, 25), (24, 24), (36, 50)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data folder with x2 and x3, and the pictures in it; x4 lacks one picture."""
    root = tmp_path_factory.mktemp("tfds")
    pictures = fabricate.div2k(root / "download", SIZES)
    fabricate.div2k(root / "download", SIZES[:2], split="valid")
    lr = root / "download" / "DIV2K_train_LR_bicubic"
    (lr / "X4" / "0804x4.png").unlink()

    def extracted(manager, urls):
        scale = urls["train_lr_url"].split("_X")[1][0]
        folders = {"train_hr_url": str(root / "download"), "valid_hr_url": str(root / "download")}
        for split in ("train", "valid"):
            folder = "DIV2K_%s_LR_bicubic" % split
            folders[split + "_lr_url"] = str(root / "download" / folder / ("X" + scale))
        return folders

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds.download.DownloadManager, "download_and_extract", extracted)
        options = {}
        if hasattr(tfds.download, "ComputeStatsMode"):
            options["compute_stats"] = tfds.download.ComputeStatsMode.SKIP
        patch.setattr(gcs_utils, "is_gcs_disabled", lambda: True, raising=False)
        for scale in (2, 3, 4):
            builder = tfds.builder("div2k/bicubic_x%d" % scale, data_dir=str(root / "data"))
            builder.download_and_prepare(
                download_config=tfds.download.DownloadConfig(register_checksums=False, **options)
            )
    return str(root / "data"), pictures


def options_of(data_dir, out, **changes):
    values = dict(tfds_data_dir=data_dir, output_dir=str(out), workers=1, scales=(2, 3))
    values.update(patch_size=6, tile_size=36, **changes)
    return ConversionOptions("tfds", **values).complete()


def test_scales_are_joined_by_the_hr_picture(prepared, tmp_path):
    data_dir, pictures = prepared
    out = tmp_path / "out"
    assert convert(options_of(data_dir, out)).manifest.pictures == len(SIZES)
    assert verify(str(out)).dataset == "tfds"
    whole = tmp_path / "folder"
    for name, pixels in pictures.items():
        fabricate.save(pixels, whole, name + ".png")
    folder = ConversionOptions(
        "folder", str(whole), str(tmp_path / "o"), (2, 3), patch_size=6, tile_size=36, workers=1
    )
    convert(folder.complete())

    def contents(folder):
        records = fabricate.read_back(folder)
        return sorted(
            (r["y"], r["x"], r["hr"].tobytes(), r["lr_x2"].tobytes(), r["lr_x3"].tobytes())
            for r in records
        )

    assert contents(out) == contents(tmp_path / "o")
    names = {record["name"] for record in fabricate.read_back(out)}
    assert len(names) == len(SIZES) and all(len(name) == 16 for name in names)


def test_validation_and_a_missing_scale(prepared, tmp_path):
    data_dir, pictures = prepared
    convert(options_of(data_dir, tmp_path / "out", split="valid"))
    records = fabricate.read_back(tmp_path / "out")
    assert len(records) == 2
    for record in records:
        assert any(np.array_equal(record["hr"], picture) for picture in pictures.values())
    found = find_pictures(options_of(data_dir, tmp_path / "x", **{"skip_bad": True}))
    assert len(found.pictures) == len(SIZES) and found.problems == []
    with pytest.raises(UserError, match="splits train and valid, not test"):
        find_pictures(options_of(data_dir, tmp_path / "x", split="test"))


def test_a_picture_that_one_scale_lacks(prepared, tmp_path):
    data_dir, _ = prepared
    options = ConversionOptions(
        "tfds", tfds_data_dir=data_dir, output_dir=str(tmp_path), scales=(2, 4), patch_size=6
    )
    found = find_pictures(options.complete())
    assert len(found.pictures) == len(SIZES) - 1
    assert len(found.problems) == 1 and "has no LR picture of scale 4" in found.problems[0][1]


def test_absent_data_is_one_sentence(tmp_path, monkeypatch):
    def no_network(*unused, **unused_too):
        raise OSError("no network")

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", no_network)
    with pytest.raises(UserError, match="div2k/bicubic_x2 is not in .*--tfds_data_dir") as caught:
        find_pictures(options_of(str(tmp_path), tmp_path / "out"))
    assert "\n" not in str(caught.value)
