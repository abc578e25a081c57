"""Under which name figures are filed, and which are taken for those of a checkpoint."""

import pytest

from bsrn_estimator.data.manifest import Manifest, Shard
from bsrn_estimator.evaluation import filing, report
from bsrn_estimator.evaluation.filing import Cabinet, Subject
from bsrn_estimator.evaluation.options import EvaluationOptions

SUBJECT = Subject("set5", "records", ((2, 2), (3, 3)))
OPTIONS = EvaluationOptions()


@pytest.mark.parametrize(
    "change, name",
    [
        ({}, "set5"),
        ({"own_shave": 0}, "set5-shave0"),
        ({"all_scales": False}, "set5-x2-x3"),
        ({"precision": "bfloat16"}, "set5-bfloat16"),
        ({"grey": "studio"}, "set5-studio"),
        ({"degraded": "jpeg:75", "data_set": "a/[b]"}, "a__b_"),
        (
            dict(own_shave=4, all_scales=False, precision="bfloat16", grey="studio"),
            "set5-shave4-x2-x3-bfloat16-studio",
        ),
    ],
)
def test_the_name_says_what_departs_from_the_usual(change, name):
    subject = filing.dataclasses.replace(SUBJECT, **change)
    assert subject.name == name
    assert subject.tag == ("a__b_" if "data_set" in change else "set5")


def test_what_a_file_says_of_its_subject():
    assert SUBJECT.to_dict() == {
        "data_set": "set5",
        "records": "records",
        "shaves": {"2": 2, "3": 3},
        "precision": "float32",
        "grey": "file",
    }
    degraded = filing.dataclasses.replace(SUBJECT, degraded="blur:1")
    assert list(degraded.to_dict())[:2] == ["data_set", "degraded"]


@pytest.mark.parametrize("key", ["records", "shaves", "precision", "grey"])
def test_figures_of_another_subject_are_told(key):
    values = SUBJECT.to_dict()
    assert SUBJECT.is_of(dict(values, data_set="of another name"))
    assert not SUBJECT.is_of(dict(values, **{key: "other"}))
    del values[key]
    # Precision alone may be missing: files of before are of float32.
    assert SUBJECT.is_of(values) is (key == "precision")


def test_the_subject_of_an_evaluation():
    shards = (Shard("a", 3, 10, 77), Shard("b", 4, 11, 78))
    manifest = Manifest(
        format_version=1,
        dataset="d",
        split="test",
        kind="evaluation",
        scales=(2, 3),
        encoding="png",
        tile_size=0,
        overlap=0,
        pictures=7,
        records=7,
        skipped=0,
        shards=shards,
        degrade="jpeg:75",
        name="set5",
    )
    options = OPTIONS.replace(shave=4, grey="studio")
    # Of the records and checksums of the shards; in every version, too.
    assert Subject.of(manifest, options, (3, 2), False, "bfloat16") == Subject(
        "set5", "172642e6ef4d2a3c", ((2, 4), (3, 4)), 4, False, "bfloat16", "jpeg:75", "studio"
    )
    assert Subject.of(manifest, OPTIONS, (3,), True).shaves == ((3, 3),)


def _file(model_dir, step, name, weights="w", subject=SUBJECT, **more):
    content = dict(subject.to_dict(), global_step=step, weights={"digest": weights})
    content["scales"] = {"2": {"psnr_y": 30.0}, "3": {"psnr_y": 28.0}}
    content.update(more)
    folder = Cabinet(str(model_dir), subject).folder(step, name)
    report.save(content, folder)
    return content


def test_folders_are_by_step_and_name(tmp_path):
    cabinet = Cabinet(str(tmp_path), SUBJECT)
    assert cabinet.folder(7, "set5") == str(tmp_path / "evaluation/step-7/set5")
    assert cabinet.folder(None, "set5") == str(tmp_path / "evaluation/step-unknown/set5")


def test_another_subject_of_the_name_has_its_digest_behind_it(tmp_path):
    other = filing.dataclasses.replace(SUBJECT, records="others")
    assert Cabinet(str(tmp_path), SUBJECT).name(5, "w") == "set5"
    _file(tmp_path, 5, "set5")
    assert Cabinet(str(tmp_path), SUBJECT).name(9, "w") == "set5"
    name = Cabinet(str(tmp_path), other).name(9, "w")
    # In every version, as figures that are filed are found by it.
    assert name == "set5-66fb5d2b"
    assert name == Cabinet(str(tmp_path), other).name(None, "x")
    # What is no metrics.json of this program decides nothing.
    (tmp_path / "evaluation/step-5/set5/metrics.json").write_text("{")
    assert Cabinet(str(tmp_path), other).name(9, "w") == "set5"


def test_weights_from_elsewhere_do_not_take_the_place_of_others(tmp_path):
    cabinet = Cabinet(str(tmp_path), SUBJECT)
    _file(tmp_path, 5, "set5", "0123456789")
    assert cabinet.name(5, "0123456789", foreign=True) == "set5"
    assert cabinet.name(5, "abcdefghij", foreign=False) == "set5"
    assert cabinet.name(5, "abcdefghij", foreign=True) == "set5-abcdefgh"
    assert cabinet.name(6, "abcdefghij", foreign=True) == "set5"


def test_all_figures_of_weights(tmp_path):
    cabinet = Cabinet(str(tmp_path), SUBJECT)
    b = _file(tmp_path, 5, "b", "w" * 16)
    assert cabinet.of_weights(5, "w" * 16, foreign=True).suffix == ""
    a, _ = _file(tmp_path, 5, "a", "w" * 16), _file(tmp_path, 5, "c", "v")
    _file(tmp_path, 6, "d", "w" * 16)
    found = cabinet.of_weights(5, "w" * 16)
    assert (found.folder, found.suffix) == (str(tmp_path / "evaluation/step-5"), "")
    assert list(found.contents.items()) == [("a", a), ("b", b)]
    assert cabinet.of_weights(5, "w" * 16, foreign=True).suffix == "-wwwwwwww"
    _file(tmp_path, 5, "e", weights="w" * 16, weights_of_before=1)
    (tmp_path / "evaluation/step-5/e/metrics.json").write_text('{"scales": {}, "weights": 3}')
    assert list(cabinet.of_weights(5, "w" * 16).contents) == ["a", "b"]


def test_an_evaluation_is_recorded_where_it_measured_what_is_asked_for(tmp_path):
    cabinet = Cabinet(str(tmp_path), SUBJECT)

    def recorded(weights="w", **asked):
        return cabinet.recorded(5, "set5", weights, OPTIONS.replace(**asked))

    assert recorded() is None
    content = _file(tmp_path, 5, "set5")
    assert recorded() == content and recorded("v") is None
    assert recorded(uiqm=True) is recorded(single_outputs=True) is None
    assert recorded(save_pictures=True) is None
    (tmp_path / "evaluation/step-5/set5/pictures").mkdir()
    assert recorded(save_pictures=True) == content
    one = {"psnr_y": 30.0, "uiqm": 1.0}
    for scales in ({"2": one, "3": {"psnr_y": 28.0}}, {"2": one, "3": 4}):
        _file(tmp_path, 5, "set5", scales=scales)
        assert recorded(uiqm=True) is None
    content = _file(tmp_path, 5, "set5", scales={"2": one, "3": dict(one, outputs={})})
    assert recorded(uiqm=True) == content and recorded(uiqm=True, single_outputs=True) is None
    _file(tmp_path, 5, "set5", records="others")
    assert recorded() is None


def test_what_came_before_and_whether_it_is_the_last(tmp_path):
    cabinet = Cabinet(str(tmp_path), SUBJECT)
    assert cabinet.before(5, "set5") == [] and cabinet.is_last(5, "set5")
    for step in (5, 12):
        _file(tmp_path, step, "set5")
    _file(tmp_path, 1, "other")
    _file(tmp_path, None, "set5")
    assert sorted(c["global_step"] or 0 for c in cabinet.before(12, "set5")) == [0, 5]
    assert [c["global_step"] for c in cabinet.before(5, "set5")] == [None]
    assert cabinet.before(None, "set5") == []
    last = [cabinet.is_last(step, "set5") for step in (None, 5, 11, 12, 13)]
    assert last == [False, False, False, True, True]
    assert cabinet.is_last(1, "other")
