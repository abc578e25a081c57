"""A disk that is full, on a file system of a few hundred kilobytes of its own."""

import shutil
import subprocess

import pytest

from bsrn_estimator import failures
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.training.curves import flush
from tests.reliability.commands import curves
from tests.support import fabricate
from tests.support.disk import fill, small_disk


def refused(done, path) -> None:
    """Asserts what a command says where there is no room: one sentence, at the end."""
    assert done.status == 1 and "Traceback" not in done.errors, done
    last = done.errors.splitlines()[-1]
    assert last.startswith("error: %s" % path) and "No space left on device" in last, done


def test_training(commands, flags, tmp_path):
    with small_disk(tmp_path / "disk", 8000) as disk:
        model_dir = disk / "run"
        shared = flags + ["--model_dir=%s" % model_dir, "--keep_checkpoint_max=0"]
        shared += ["--save_checkpoints_steps=5", "--evaluation_steps=5"]
        # Checkpoints are kept until there is no room for another one.
        done = commands.run("main", *shared, "--train_steps=10000")
        refused(done, disk)
        last = checkpoint_files.newest_step(str(model_dir))
        assert last > 5 and last % 5 == 0
        assert not checkpoint_files.damage(str(model_dir / ("model.ckpt-%d" % last)))
        # Nothing at all can be written now, not even a description of the run.
        fill(disk)
        refused(commands.run("main", *shared, "--train_steps=%d" % (last + 7)), disk)
        for step in range(0, last, 5):
            assert not checkpoint_files.damage(str(model_dir / ("model.ckpt-%d" % step)))
            for path in model_dir.glob("model.ckpt-%d.*" % step):
                path.unlink()
        (disk / "ballast").unlink()
        done = commands.run("main", *shared, "--train_steps=%d" % (last + 7))
        assert done.status == 0, done
        assert checkpoint_files.newest_step(str(model_dir)) == last + 7
        assert sorted(curves(model_dir)["loss/total"]) == list(range(1, last + 8))
        assert not list(model_dir.glob("*_temp*"))


def test_pictures_of_an_evaluation(commands, flags, tmp_path):
    done = commands.run("main", *flags, "--train_steps=1", "--model_dir=%s" % (tmp_path / "run"))
    assert done.status == 0, done
    data = [flag for flag in flags if flag.startswith(("--eval_data", "--device"))]
    with small_disk(tmp_path / "disk", 40) as disk:
        arguments = data + ["--mode=evaluate", "--checkpoint=%s" % (tmp_path / "run")]
        arguments += ["--model_dir=%s" % (disk / "out"), "--save_pictures"]
        done = commands.run("main", *arguments)
        assert done.status in (1, 2) and "Traceback" not in done.errors, done
        assert "No space left on device" in done.errors.splitlines()[-1], done
        assert not list(disk.glob("**/metrics.json"))


def test_conversion(commands, tmp_path):
    fabricate.folder(tmp_path / "in", [(60, 60)] * 12)
    arguments = ["--dataset=folder", "--input_dir=%s" % (tmp_path / "in"), "--patch_size=6"]
    arguments += ["--tile_size=36", "--shard_bytes=30000", "--workers=1", "--name=set"]
    whole = tmp_path / "whole"
    assert commands.run("to_tfrecord", *arguments, "--output_dir=%s" % whole).status == 0
    size = sum(path.stat().st_size for path in whole.iterdir())
    with small_disk(tmp_path / "disk", size * 2 // 1024) as disk:
        out = "--output_dir=%s" % (disk / "out")
        (disk / "ballast").write_bytes(b"x" * (size * 3 // 2))
        done = commands.run("to_tfrecord", *arguments, out)
        assert done.status in (1, 2) and "Traceback" not in done.errors, done
        assert "No space left on device" in done.errors, done
        assert not (disk / "out" / "manifest.json").exists()
        (disk / "ballast").unlink()
        done = commands.run("to_tfrecord", *arguments, out)
        assert done.status == 0, done
        assert fabricate.contents(disk / "out") == fabricate.contents(whole)


def test_events_that_the_disk_does_not_take(tmp_path):
    with small_disk(tmp_path / "disk", 16) as disk, failures._quiet_event_thread():
        writer = tf.summary.FileWriter(str(disk))
        flush(writer)
        fill(disk)
        with pytest.raises(RuntimeError, match="No space left on device"):
            for step in range(200):
                summary = tf.Summary()
                summary.value.add(tag="x" * 100, simple_value=1)
                writer.add_summary(summary, step)
            flush(writer)
        shutil.rmtree(str(disk), ignore_errors=True)


def test_a_folder_that_cannot_be_written_is_found_at_once(commands, flags, tmp_path):
    with small_disk(tmp_path / "disk", 100) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = commands.run("main", *flags, "--model_dir=%s" % (disk / "run"))
        assert done.status == 2, done
        assert "cannot be written (Read-only file system); name another folder" in done.errors


@pytest.mark.parametrize(
    "error, sentence",
    [
        (OSError(28, "No space left on device", "there"), "there cannot be written (No space"),
        (OSError(30, "Read-only file system"), "here cannot be written (Read-only"),
        (OSError(2, "No such file or directory", "there"), None),
        (tf.errors.UnknownError(None, None, "x; Disk quota exceeded"), "here cannot be written"),
        (RuntimeError("something else"), None),
    ],
)
def test_what_counts_as_a_full_disk(error, sentence):
    found = failures.unwritable(error, "here")
    assert found is None if sentence is None else found.startswith(sentence)
