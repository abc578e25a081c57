"""Which flags a mode reads, by watching it read: what --help says is what is so."""

import pytest
from absl import flags as absl_flags
from PIL import Image

from bsrn_estimator import flags, modes, predicting
from bsrn_estimator.settings import Settings
from tests.support import in_process, tiny

STEPS = ["--train_steps=1", "--save_checkpoints_steps=1", "--evaluation_steps=1", "--threads=1"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Flags by mode: tiny records, a picture, and the checkpoint that the training leaves."""
    folder = tmp_path_factory.mktemp("modes")
    train = "--data_dir=" + tiny.write_records(folder / "train", "training", [(61, 50)])
    test = "--eval_data_dir=" + tiny.write_records(folder / "test", "evaluation", [(25, 37)])
    Image.fromarray(tiny.picture(1, 13, 17)).save(str(folder / "a.png"))
    run, other = "--model_dir=%s" % (folder / "run"), "--model_dir=%s" % (folder / "other")
    network = tiny.NETWORK_FLAGS + STEPS
    return {
        "train": [train, run] + network,
        "train_and_evaluate": [train, test, other] + network,
        "evaluate": [test, run],
        "predict": [run, "--input=%s" % (folder / "a.png"), "--output_dir=%s" % (folder / "up")],
        "export": [run, "--export_dir=%s" % (folder / "exported")],
    }


@pytest.fixture
def reads(monkeypatch):
    """The flags that a mode asks for: by name, and with all others of a class of settings."""
    by_name, with_others = set(), set()
    names = [by_name]
    from_flags = Settings.from_flags.__func__
    run, predict = modes.run, predicting.run

    def watched(attribute, own):
        def get(flag):
            names[-1].add(flag.name)
            return flag.__dict__[own]

        def put(flag, value):
            flag.__dict__[own] = value

        monkeypatch.setattr(absl_flags.Flag, attribute, property(get, put), raising=False)

    def watched_from_flags(cls, values, **others):
        names.append(with_others)
        try:
            return from_flags(cls, values, **others)
        finally:
            names.pop()

    def watch():
        watched("value", "_value")
        watched("present", "present")
        monkeypatch.setattr(Settings, "from_flags", classmethod(watched_from_flags))

    monkeypatch.setattr(modes, "run", lambda mode: watch() or run(mode))
    monkeypatch.setattr(predicting, "run", lambda: watch() or predict())
    yield by_name, with_others
    monkeypatch.undo()
    in_process.reset()


@pytest.mark.parametrize("mode", ["train", "train_and_evaluate", "evaluate", "predict", "export"])
def test_help_names_the_flags_that_a_mode_reads(folders, reads, mode):
    assert in_process.run(["--mode=" + mode] + folders[mode]) == 0
    said = {
        flag.name
        for title, found in flags.shown(mode)
        for flag in found
        if not title.startswith(("Ascend", "Several machines"))  # need what is not here
    }
    by_name, with_others = reads
    assert sorted(said - by_name - with_others) == ["mode"]  # which was read by then
    assert sorted(by_name - said) == []
