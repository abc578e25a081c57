"""TF_CONFIG as platforms set it, by hand, and wrongly."""

import json

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.cluster import tf_config


def _environ(cluster, task=None, **more):
    values = dict(more, cluster=cluster)
    if task is not None:
        values["task"] = task
    return {"TF_CONFIG": json.dumps(values), "HOME": "/"}


def _take(*args, **more):
    return tf_config.take(_environ(*args, **more))


def test_a_chief_and_workers():
    cluster = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    seen = [_take(cluster, {"type": "chief", "index": 0})]
    seen += [_take(cluster, {"type": "worker", "index": index}) for index in range(2)]
    assert [one.rank for one in seen] == [0, 1, 2]
    assert all(one.rank_size == 3 for one in seen)
    assert [seen[0].name(rank) for rank in range(3)] == [
        "chief (a:1)",
        "worker 0 (b:2)",
        "worker 1 (c:3)",
    ]
    assert seen[1].address(2) == ("c", 3)


def test_of_workers_alone_the_first_is_the_chief():
    cluster = _take({"worker": ["b:2", "c:3"]}, {"type": "worker", "index": "1"})
    assert (cluster.rank, cluster.rank_size) == (1, 2)
    assert cluster.jobs == {"worker": ["b:2", "c:3"]}


def test_what_platforms_say_beside_that_is_passed_over():
    """Vertex AI's master and environment, an evaluator in the cluster, empty lists."""
    cluster = {"master": ["a:1"], "worker": ["b:2"], "evaluator": ["e:5"], "ps": []}
    found = _take(cluster, {"type": "master"}, environment="cloud", job={})
    assert found.jobs == {"chief": ["a:1"], "worker": ["b:2"]}
    assert (found.task_type, found.rank) == ("chief", 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{}",
        '{"environment": "cloud"}',
        '{"cluster": {}, "task": {}}',
        '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_process_alone_trains_alone(text):
    environ = {"TF_CONFIG": text}
    assert tf_config.take(environ) is None
    assert environ == {}


def test_it_is_taken_out_of_the_environment_and_not_read_by_other_modes():
    environ = _environ({"worker": ["a:1", "b:2"]}, {"type": "worker", "index": 0})
    assert tf_config.take(environ) is not None and environ == {"HOME": "/"}
    environ = {"TF_CONFIG": "no JSON"}
    assert tf_config.take(environ, trains=False) is None and environ == {}


def test_an_evaluator_is_told_apart():
    with pytest.raises(tf_config.EvaluatorTask):
        _take({"chief": ["a:1"]}, {"type": "evaluator", "index": 0})


_TWO = {"chief": ["a:1"], "worker": ["b:2"]}


@pytest.mark.parametrize(
    "cluster, task, sentence",
    [
        (_TWO, None, 'no "task"'),
        (_TWO, {}, 'no "task" with a "type"'),
        (_TWO, "chief", 'no "task"'),
        (_TWO, {"type": "worker"}, 'the "index" of "task" must be a whole number from 0, not None'),
        (_TWO, {"type": "worker", "index": -1}, "must be a whole number from 0, not -1"),
        (_TWO, {"type": "worker", "index": True}, "must be a whole number"),
        (_TWO, {"type": "worker", "index": 1}, 'is worker 1, and "cluster" has 1'),
        (_TWO, {"type": "ps", "index": 0}, "a parameter server"),
        ({"worker": ["a:1", "b:2"]}, {"type": "chief", "index": 0}, "has worker"),
        (dict(_TWO, ps=["p:1"]), {"type": "chief"}, "names parameter servers"),
        (dict(_TWO, chef=["p:1"]), {"type": "chief"}, "no job chef"),
        (dict(_TWO, worker="b:2"), {"type": "chief"}, '"worker" must be a list'),
        (["a:1"], {"type": "chief"}, '"cluster" must be an object'),
        ({"chief": ["a:1", "b:2"]}, {"type": "chief"}, "names 2 chiefs"),
        ({"chief": ["a:1"], "worker": ["a:1"]}, {"type": "chief"}, "names a:1 twice"),
        ({"chief": ["a"], "worker": ["b:2"]}, {"type": "chief"}, "'a' is not host:port"),
        ({"chief": ["a:70000"], "worker": ["b:2"]}, {"type": "chief"}, "is not host:port"),
        ({"chief": ["http://a:1"], "worker": ["b:2"]}, {"type": "chief"}, "is not host:port"),
        ({"chief": [7], "worker": ["b:2"]}, {"type": "chief"}, "7 is not host:port"),
    ],
)
def test_what_is_not_whole_is_refused(cluster, task, sentence):
    with pytest.raises(UserError) as refused:
        _take(cluster, task)
    assert sentence in str(refused.value) and "TF_CONFIG" in str(refused.value)


@pytest.mark.parametrize("text, sentence", [("{", "is not JSON"), ("[]", "must be a JSON object")])
def test_what_is_no_object_is_refused(text, sentence):
    with pytest.raises(UserError, match=sentence):
        tf_config.take({"TF_CONFIG": text})
