"""Damaged and exchanged data through the real command: named, and nothing learnt from them."""

import json
import os
import shutil

import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.data.tfrecord import index_shard, shard_name
from bsrn_estimator.errors import UserError
from bsrn_estimator.training import data_identity
from tests.reliability.commands import curves
from tests.support import refusals, tiny

SHARD = shard_name("train", 0, 1)


@pytest.fixture
def copy(train_dir, tmp_path):
    """A copy of the training records, to be damaged."""
    return shutil.copytree(train_dir, str(tmp_path / "data"))


def flip(folder, record):
    """Flips a bit in the middle of a record."""
    path = os.path.join(folder, SHARD)
    offsets, lengths = index_shard(path)
    with open(path, "r+b") as file:
        file.seek(int(offsets[record] + lengths[record] // 2))
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 16]))


def cut(folder):
    path = os.path.join(folder, SHARD)
    os.truncate(path, os.path.getsize(path) - 100)


def remove(folder):
    os.remove(os.path.join(folder, SHARD))


def add_a_foreign_one(folder):
    shutil.copy(os.path.join(folder, SHARD), os.path.join(folder, "other.tfrecord"))


def change_the_manifest(folder):
    path = os.path.join(folder, "manifest.json")
    with open(path) as file:
        values = json.load(file)
    values["records"] += 1
    values["shards"][0]["records"] += 1
    with open(path, "w") as file:
        json.dump(values, file)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (cut, [SHARD, "bytes where its manifest says"]),
        (remove, [SHARD, "is missing"]),
        (add_a_foreign_one, ["other.tfrecord", "not of this data set"]),
        (change_the_manifest, [SHARD, "holds 5 records where its manifest says 6"]),
    ],
)
def test_found_before_training(commands, flags, copy, tmp_path, spoil, words):
    spoil(copy)
    model_dir = tmp_path / "run"
    done = commands.run("main", *flags, "--data_dir=" + copy, "--model_dir=%s" % model_dir)
    assert done.status == 2 and "Traceback" not in done.errors, done
    refusals.sentence(done.errors)
    assert all(word in done.errors for word in words), done
    assert os.listdir(str(model_dir)) == [".lock"]


def test_a_flipped_bit(commands, flags, copy, tmp_path):
    flip(copy, 3)
    shared = flags + ["--data_dir=" + copy, "--train_steps=30"]
    done = commands.run("main", *shared, "--model_dir=%s" % (tmp_path / "stops"))
    assert done.status == 2 and "Traceback" not in done.errors, done
    assert SHARD in done.errors and "record 3" in done.errors, done
    # With it left out training goes on, tells how much that was, and counts it.
    skips = ["--skip_corrupt", "--max_corrupt_share=0.2", "--model_dir=%s" % (tmp_path / "skips")]
    done = commands.run("main", *shared, *skips)
    assert done.status == 0, done
    assert "left out for damage: 1 records of %s" % os.path.join(copy, SHARD) in done.output
    counted = curves(tmp_path / "skips")["data/corrupt_records"]
    assert counted[30] == [1.0]
    flip(copy, 1)
    skips[-1] = "--model_dir=%s" % (tmp_path / "too_many")
    done = commands.run("main", *shared, *skips)
    assert done.status == 2 and "more than --max_corrupt_share=0.2 allows" in done.errors, done


def test_a_run_keeps_to_its_data(commands, flags, train_dir, tmp_path):
    other = tiny.write_records(tmp_path / "other", "training", [(64, 64)] * 5, scales=(2,))
    shared = flags + ["--model_dir=%s" % (tmp_path / "run")]
    assert commands.run("main", *shared, "--train_steps=1").status == 0
    # The same data at another place are the same data.
    moved = shutil.copytree(train_dir, str(tmp_path / "moved"))
    done = commands.run("main", *shared, "--train_steps=2", "--data_dir=" + moved)
    assert done.status == 0, done
    again = shared + ["--train_steps=3", "--data_dir=" + other]
    done = commands.run("main", *again)
    assert done.status == 2 and "was trained with other data (%s holds" % SHARD in done.errors
    assert checkpoint_files.newest_step(str(tmp_path / "run")) == 2
    assert commands.run("main", *again, "--allow_change").status == 0
    assert commands.run("main", *again[:-1], "--data_dir=" + other).status == 0


def test_a_folder_whose_checkpoints_are_all_damaged_is_not_begun_afresh(commands, flags, tmp_path):
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-7"\n')
    (tmp_path / "model.ckpt-7.index").write_text("no index")
    done = commands.run("main", *flags, "--model_dir=%s" % tmp_path)
    assert done.status == 2 and "Traceback" not in done.errors, done
    assert "warning: the checkpoint %s/model.ckpt-7 is damaged" % tmp_path in done.errors
    assert "holds no whole checkpoint any more" in done.errors


def identity(**changes):
    values = dict(
        format_version=1,
        dataset="div2k",
        split="train",
        kind="training",
        scales=(2, 3),
        encoding="png",
        tile_size=480,
        overlap=10,
        pictures=800,
        records=900,
        skipped=0,
        shards=(),
    )
    values.update(changes)
    return data_identity.identity(Manifest(**values), batches_per_step=1)


def test_differences_are_listed(tmp_path):
    data_identity.check(str(tmp_path), identity())
    data_identity.save(str(tmp_path), identity())
    data_identity.check(str(tmp_path), identity())
    with pytest.raises(UserError, match="pictures was 800, now 700; records was 900, now 3"):
        data_identity.check(str(tmp_path), identity(pictures=700, records=3))
    data_identity.check(str(tmp_path), identity(pictures=700), allow_change=True)


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", pytest.param("[" * 100000, id="deep")])
def test_a_damaged_description_is_refused(tmp_path, content):
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(UserError, match="data.json"):
        data_identity.check(str(tmp_path), identity())


@pytest.mark.parametrize("shards", [None, 3, [1], [{}], [{"name": ["a"]}]])
def test_any_json_is_compared(tmp_path, shards):
    (tmp_path / "data.json").write_text(json.dumps(dict(identity(), shards=shards, scales="2")))
    with pytest.raises(UserError, match="scales was 2, now "):
        data_identity.check(str(tmp_path), identity())
