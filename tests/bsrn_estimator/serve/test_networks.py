"""A server of both networks: which of them answers what."""

import json

import pytest

from bsrn_estimator.checkpoints import PHOTO, PRETRAINED, trained
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.pictures.decoding import read_rgb
from bsrn_estimator.pictures.picture import to_uint8
from tests.bsrn_estimator.serve.support import b64, file_of, pixels, random_picture, same
from tests.support import checkpoints

LR = random_picture(7, 17, 23)
STEPS = checkpoints.shipped_step(PRETRAINED), checkpoints.shipped_step(PHOTO)


@pytest.fixture(scope="module")
def upscaled():
    """From a network's word to what it makes of a file at x2."""
    networks = {word: Upscaler(trained.find(word), scales=[2]) for word in (PRETRAINED, PHOTO)}
    yield lambda word, file: to_uint8(networks[word].upscale(read_rgb(file), 2))
    for network in networks.values():
        network.close()


def test_it_says_what_it_has(both):
    assert "serving auto (clean version %d, photo version %d, x2, float32 by" % STEPS in both.line
    about = json.loads(both.ask("/about")[2].decode())
    assert about["networks"] == ["auto", "clean", "photo"]
    assert (about["version"], about["scales"]) == (STEPS[0], [2])
    text = both.ask("/metrics")[2].decode()
    for name, version in zip(("bsrn", "bsrn-photo"), STEPS):
        assert 'bsrn_model_info{name="%s",scales="2",version="%d"} 1.0' % (name, version) in text


@pytest.mark.parametrize(
    "file, automatic",
    [
        (file_of(LR), "clean"),
        (file_of(LR, "JPEG", quality=70), "photo"),
        (file_of(LR, "WEBP", quality=70), "photo"),
        (file_of(LR, "WEBP", lossless=True), "clean"),
    ],
    ids=["png", "jpeg", "lossy webp", "lossless webp"],
)
def test_the_bytes_decide_unless_the_request_does(both, upscaled, file, automatic):
    for asked, used in (("", automatic), ("auto", automatic), ("clean", "clean"), ("photo", PHOTO)):
        query = "&network=" + asked if asked else ""
        status, headers, body = both.ask("/upscale?scale=2" + query, file)
        assert (status, headers["Bsrn-Network"]) == (200, used)
        assert same(pixels(body), upscaled(PHOTO if used == PHOTO else PRETRAINED, file))
    assert not same(upscaled(PHOTO, file), upscaled(PRETRAINED, file))
    headers = both.ask("/upscale?scale=2&method=bicubic", file)[1]
    assert "Bsrn-Network" not in headers


def test_names_of_models_mean_one_network_each(both, upscaled):
    file = file_of(LR)
    request = json.dumps({"instances": [{"lr": LR.tolist()}], "signature_name": "x2_rgb"}).encode()
    files = json.dumps({"instances": [b64(file)], "signature_name": "x2_bytes"}).encode()
    answers = []
    for name, version in zip(("bsrn", "bsrn-photo"), STEPS):
        status = json.loads(both.ask("/v1/models/" + name)[2].decode())
        assert status["model_version_status"][0]["version"] == str(version)
        metadata = json.loads(both.ask("/v1/models/%s/metadata" % name)[2].decode())
        assert metadata["model_spec"]["name"] == name
        path = "/v1/models/%s/versions/%d:predict" % (name, version)
        assert both.ask(path, files)[0] == 200
        (hr,) = json.loads(both.ask(path, request)[2].decode())["predictions"]
        answers.append(hr)
    for word, hr in zip((PRETRAINED, PHOTO), answers):
        assert abs(upscaled(word, file).astype(float) - hr).max() < 0.51
    assert both.refused("/v1/models/photo")[0] == 404
    assert both.refused("/v1/models/bsrn/versions/%d" % STEPS[1])[0] == 404


def test_what_there_is_not_is_refused(both, server):
    status, sentence = both.refused("/upscale?scale=2&network=paper", file_of(LR))
    assert (status, sentence) == (400, "network takes auto or clean or photo, not 'paper'.")
    # One network alone leaves no choice.
    assert json.loads(server.ask("/about")[2].decode())["networks"] == []
    status, sentence = server.refused("/upscale?scale=2&network=photo", file_of(LR))
    assert (status, sentence) == (400, "network takes auto, not 'photo'.")
    status, headers, _ = server.ask("/upscale?scale=2&network=auto", file_of(LR))
    assert status == 200 and "Bsrn-Network" not in headers
