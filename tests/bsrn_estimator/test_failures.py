"""What stops a run from outside, as one sentence; what it is not is left as it came."""

import errno
import os

import pytest

from bsrn_estimator import failures
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import RunFailed, UserError


def _op_error(message):
    return tf.errors.InvalidArgumentError(None, None, message)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_no_more(number):
    words = os.strerror(number)
    for error, named in (
        (OSError(number, words), "runs/a"),
        (OSError(number, words, "runs/a/b"), "runs/a/b"),
        (RuntimeError("model.ckpt-7; %s" % words), "runs/a"),
        (_op_error("model.ckpt-7; %s" % words), "runs/a"),
    ):
        with pytest.raises(RunFailed) as caught:
            with failures.readable("runs/a"):
                raise error
        assert str(caught.value).startswith("%s cannot be written (%s); " % (named, words))


@pytest.mark.parametrize(
    "message, sentence",
    [
        ("UserError: name another folder\n\t [[{{node a}}]]", "name another folder"),
        ("bsrn_estimator.data.tfrecord.CorruptRecord: a, record 3: b", "a, record 3: b"),
        (
            "assertion failed: [the record holds no PNG]\n\t [[{{node Assert}}]]",
            "the record holds no PNG",
        ),
        (
            "Invalid PNG data, size 7\n\t [[{{node DecodePng}}]]\n\t [[IteratorGetNext]]",
            "a record does not decode (Invalid PNG data, size 7); check its folder with "
            "data_tools/to_tfrecord.py --verify",
        ),
    ],
)
def test_damaged_data(message, sentence):
    assert failures.sentence_of(_op_error(message)) == sentence
    with pytest.raises(UserError) as caught:
        with failures.readable("runs/a"):
            raise _op_error(message)
    assert str(caught.value) == sentence and not isinstance(caught.value, RunFailed)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOENT, "No such file", "a"),
        RuntimeError("a fault of the program"),
        tf.errors.InvalidArgumentError(None, None, "Incompatible shapes: [2] vs. [3]"),
        ValueError("No space left on device"),
        UserError("a sentence already"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_are_left_as_they_came(error):
    with pytest.raises(type(error)) as caught:
        with failures.readable("runs/a"):
            raise error
    assert caught.value is error
