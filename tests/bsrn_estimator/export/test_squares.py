"""The last convolution of an ONNX model, four pixels at a time."""

import numpy as np
import pytest

from bsrn_estimator.export import squares

onnx = pytest.importorskip("onnx")
helper = pytest.importorskip("onnx.helper")
numpy_helper = pytest.importorskip("onnx.numpy_helper")


def _model(side, filters=3, block=None, bias=True, **attributes):
    """Pixels of squares where `block` is given, a convolution, and a ReLU on what it gives."""
    random = np.random.RandomState(side)
    attributes.setdefault("auto_pad", "SAME_UPPER")
    inputs, nodes = 5, []
    constants = {"k": random.randn(filters, inputs, side, side), "b": random.randn(filters)}
    if block:
        nodes.append(helper.make_node("DepthToSpace", ["lr"], ["d"], blocksize=block, mode="DCR"))
    names = ["d" if block else "lr", "k"] + ["b"] * bias
    nodes.append(helper.make_node("Conv", names, ["c"], name="last", **attributes))
    nodes.append(helper.make_node("Relu", ["c"], ["hr"]))
    floats, free = onnx.TensorProto.FLOAT, ["n", None, "h", "w"]
    made = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("lr", floats, ["n", inputs * (block or 1) ** 2, "h", "w"])],
        [helper.make_tensor_value_info("hr", floats, free)],
        [numpy_helper.from_array(constants[name].astype(np.float32), name) for name in names[1:]],
    )
    opsets = [helper.make_opsetid("", 13)]
    return helper.make_model(made, opset_imports=opsets, ir_version=7)


def _run(model, lr):
    ort = pytest.importorskip("onnxruntime")
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["hr"], {"lr": lr})[0]


@pytest.mark.parametrize("block", [None, 2, 3])
@pytest.mark.parametrize("side", [1, 3, 9])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (7, 5), (8, 4)])
def test_every_size_gives_what_it_gave(side, block, size):
    model = _model(side, block=block, bias=side != 1)
    lr = np.random.RandomState(1).randn(2, 5 * (block or 1) ** 2, *size).astype(np.float32)
    expected = _run(model, lr)
    assert squares.rewrite(model)
    (convolution,) = [node for node in model.graph.node if node.op_type == "Conv"]
    assert convolution.name == "last"
    kernel = next(
        tensor for tensor in model.graph.initializer if tensor.name == convolution.input[1]
    )
    assert list(kernel.dims) == [12, 5, side + 1, side + 1]
    assert {tensor.name for tensor in model.graph.initializer}.isdisjoint("kb")
    # Even sides need no cutting.
    assert ("Slice" in {node.op_type for node in model.graph.node}) == (block != 2)
    result = _run(model, lr)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-4)
    assert expected.max() > 1


def test_padding_may_be_in_numbers():
    model = _model(3, auto_pad="NOTSET", pads=[1, 1, 1, 1])
    lr = np.random.RandomState(1).randn(1, 5, 5, 4).astype(np.float32)
    expected = _run(model, lr)
    assert squares.rewrite(model)
    np.testing.assert_allclose(_run(model, lr), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        _model(3, filters=5),
        _model(2),
        _model(3, strides=[2, 2]),
        _model(3, dilations=[2, 2]),
        _model(3, auto_pad="VALID"),
        _model(3, auto_pad="NOTSET", pads=[0, 1, 1, 1]),
        _model(3, group=3),
    ],
    ids=["channels", "even", "stride", "dilated", "valid", "pads", "groups"],
)
def test_others_stay_as_they_are(model):
    before = model.SerializeToString()
    assert not squares.rewrite(model)
    assert model.SerializeToString() == before
