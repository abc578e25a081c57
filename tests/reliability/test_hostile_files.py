"""Files that somebody else may have written: an error or a right result, and bounded memory.

Beside these stand the tests of the parts, in tests/bsrn_estimator: bytes of shards
(data/test_tfrecord.py), pictures (pictures/test_decoding.py and test_picture.py) and checkpoints
(checkpoints/test_files.py).
"""

import contextlib
import io
import json
import os
import resource
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator import failures
from bsrn_estimator.checkpoints import best
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.data import input_fn, manifest, records, tfrecord
from bsrn_estimator.data.example import encode_example
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import report
from bsrn_estimator.training import data_identity, rollbacks
from tests.support import tiny

FOLDED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@st.composite
def texts(draw, valid):
    """JSON that is valid but for one field, other JSON, and bytes that are none."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        values = json.loads(json.dumps(valid))
        if isinstance(values, dict):
            values[draw(st.sampled_from(sorted(values)))] = draw(FOLDED)
        return json.dumps(values).encode()
    if kind == 1:
        return json.dumps(draw(FOLDED)).encode()
    if kind == 2:
        whole = json.dumps(valid).encode()
        return whole[: draw(st.integers(0, len(whole)))]
    return draw(st.binary(max_size=40) | st.just(b"[" * 100000))


def a_manifest():
    return Manifest(
        1,
        "div2k",
        "train",
        "training",
        (2,),
        "png",
        480,
        9,
        1,
        1,
        0,
        (manifest.Shard("a", 1, 1, 1),),
    )


READERS = {
    "config.json": (Config().to_dict(), lambda folder, _: Config.load(folder)),
    "manifest.json": (a_manifest().to_dict(), lambda folder, _: Manifest.load_alone(folder)),
    "data.json": (
        data_identity.identity(a_manifest()),
        lambda folder, _: data_identity.check(folder, data_identity.identity(a_manifest())),
    ),
    "rollbacks.json": (
        [dict(diverged_at=3, back_to=2, reason="", skipped_batches=1, rate_factor=0.5)],
        lambda folder, _: rollbacks.Rollbacks.load(folder),
    ),
    "metrics.json": ({"scales": {}, "global_step": 3}, lambda _, path: report.load(path)),
}


@pytest.mark.parametrize("name", sorted(READERS))
def test_json_is_read_or_refused(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("json")
    valid, read = READERS[name]

    @given(texts(valid))
    def any_bytes(content):
        (folder / name).write_bytes(content)
        with contextlib.suppress(UserError):
            read(str(folder), str(folder / name))

    any_bytes()


@given(texts({"mean_psnr_y": 30.0}))
def test_the_record_of_the_best_may_be_anything(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("run")
    (folder / "best").mkdir()
    (folder / "best" / "best.json").write_bytes(content)
    metrics = {"global_step": 3, "scales": {"2": {"psnr_y": 40.0}}}
    best.keep_if_best(str(folder), str(folder / "model.ckpt-3"), metrics, Config())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00{",
        b'model_checkpoint_path: "../../../etc/passwd"\n',
        b'model_checkpoint_path: "%s"\n' % (b"x" * 5000),
        b'model_checkpoint_path: "a\\nb"\n' + b'all_model_checkpoint_paths: "c"\n' * 1000,
    ],
)
def test_the_list_of_checkpoints_may_be_anything(tmp_path, content):
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.train.get_or_create_global_step()
        session.run(step.initializer)
        good = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"), global_step=step)
    (tmp_path / "checkpoint").write_bytes(content)
    assert checkpoint_files.adopt_newest_whole(str(tmp_path)) == good
    assert tf.train.latest_checkpoint(str(tmp_path)) == good


def png_bomb(side):
    """A PNG of `side` squared black pixels, in a thousandth of their bytes."""
    lines = zlib.compressobj(9)
    packed = b"".join(lines.compress(b"\0" * (1 + 3 * side)) for _ in range(side)) + lines.flush()

    def chunk(name, data):
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def with_record(folder, size, encoded, key=b"key"):
    """Training records with a single one, its checksums right, whose HR tile is `encoded`."""
    os.makedirs(folder)
    lr = io.BytesIO()
    tiny.Image.fromarray(np.zeros((24, 24, 3), np.uint8)).save(lr, "png")
    features = records.image_features(
        "key", "name", "png", (0, 0), (encoded,) + size, {2: (lr.getvalue(), 24, 24)}
    )
    features["image/key"] = key
    with tfrecord.ShardWriter(os.path.join(folder, tfrecord.shard_name("train", 0, 1))) as writer:
        writer.write(encode_example(features))
    Manifest(1, "tiny", "train", "training", (2,), "png", 480, 0, 1, 1, 0, (writer.shard,)).save(
        folder
    )
    return folder


@pytest.mark.parametrize("told", [(48, 48), (4000, 4000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_in_a_record_is_not_decoded(tmp_path, told):
    folder = with_record(str(tmp_path / "data"), told, png_bomb(4000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sentence = first_batch(folder)
    if told != (4000, 4000):
        assert "another size than it says" in sentence
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40000
    else:
        # As large as it says it is: not what belongs to its LR tile.
        assert "the record key has no LR tile" in sentence


@pytest.mark.parametrize("encoded", [b"", b"\x89PNG", b"GIF89a" + b"\0" * 40, b"\0" * 1000])
def test_what_is_no_png_in_a_record(tmp_path, encoded):
    sentence = first_batch(with_record(str(tmp_path / "data"), (48, 48), encoded))
    assert "record" in sentence and "\n" not in sentence


def test_a_key_that_is_no_text(tmp_path):
    folder = with_record(str(tmp_path / "data"), (4000, 4000), png_bomb(4000), key=b"\xff\n\x00a")
    assert first_batch(folder).startswith("the record ")


def first_batch(folder):
    """Why there is no first batch, in a sentence."""
    recipe = Recipe(batch_size=1, patch_size=7)
    read = input_fn.training_input_fn(folder, (2,), recipe, parallel_calls=1)
    with tf.Graph().as_default(), tf.Session() as session:
        iterator = tf.data.make_initializable_iterator(read())
        batch = iterator.get_next()
        session.run(iterator.initializer)
        with pytest.raises(tf.errors.OpError) as caught:
            session.run(batch)
    return failures.sentence_of(caught.value)
