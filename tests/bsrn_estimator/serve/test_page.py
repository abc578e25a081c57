"""The page in a real browser, from choosing a picture to the keys of the slider."""

import base64

import numpy as np
import pytest

from tests.bsrn_estimator.serve import webdriver
from tests.bsrn_estimator.serve.support import file_of, pixels, random_picture

pytestmark = pytest.mark.skipif(
    not (webdriver.CHROMIUM and webdriver.CHROMEDRIVER),
    reason="chromium and chromedriver are not installed",
)
ARROW_LEFT, ARROW_RIGHT, HOME = "\ue012", "\ue014", "\ue011"
DONE = "!document.getElementById('result').hidden && document.getElementById('work').hidden"

# What an image shows, as a data URL. The page may not fetch it: its policy forbids that.
FILE_OF = """
    const image = document.getElementById("%s");
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/png");
"""


@pytest.fixture(scope="module")
def window(server):
    """The page, with its scales there."""
    with webdriver.browser() as window:
        window.go(server.url + "/")
        window.wait("document.querySelectorAll('input[name=scale]').length == 2")
        yield window


def split(window) -> int:
    return int(window.run("document.getElementById('divider').getAttribute('aria-valuenow')"))


def level(window) -> str:
    return window.run("document.getElementById('level').textContent").replace("\xa0", "")


def box(window, selector) -> dict:
    return window.run("document.querySelector('%s').getBoundingClientRect().toJSON()" % selector)


def test_it_says_what_is_wrong_in_the_servers_words(window, tmp_path):
    path = tmp_path / "letter.png"
    path.write_bytes(b"no picture")
    window.type("#file", str(path))
    window.click("#go")
    window.wait("document.getElementById('error').textContent.includes('not a picture')")
    assert window.run("document.getElementById('result').hidden")


def test_a_request_is_cancelled(window, tmp_path):
    path = tmp_path / "cancelled.png"
    path.write_bytes(file_of(random_picture(2, 200, 200)))
    window.type("#file", str(path))
    window.execute("for (const id of ['go', 'cancel']) document.getElementById(id).click();")
    window.wait("document.getElementById('work').hidden")
    assert window.run("document.getElementById('result').hidden")
    assert window.run("document.getElementById('error').hidden")
    assert not window.run("document.getElementById('go').disabled")


def test_a_picture_is_chosen_upscaled_and_offered(window, server, tmp_path):
    path = tmp_path / "noise.png"
    path.write_bytes(file_of(random_picture(1, 90, 120)))
    window.type("#file", str(path))
    window.wait("document.getElementById('chosen').textContent.startsWith('120 \\u00d7 90')")
    window.click("#go")
    window.wait(DONE)
    assert window.run("document.getElementById('error').hidden")
    assert window.run("document.getElementById('facts').textContent").startswith("360 \u00d7 270")
    assert window.run("document.getElementById('download').download") == "noise_x3.png"
    for image, query in (("after", ""), ("before", "&method=bicubic")):
        got = base64.b64decode(window.execute(FILE_OF % image).split(",")[1])
        wanted = server.ask("/upscale?scale=3" + query, path.read_bytes())[2]
        assert np.array_equal(pixels(got)[..., :3], pixels(wanted))


def test_the_slider_moves_by_keys_and_by_hand(window):
    window.type("#divider", HOME)
    assert split(window) == 0
    window.type("#divider", ARROW_RIGHT * 3 + ARROW_LEFT)
    assert split(window) == 4
    window.click("#fit")
    stage = box(window, "#stage")
    middle = stage["top"] + stage["height"] / 2
    start = box(window, "#divider")
    points = [
        (int(start["left"] + start["width"] / 2), int(middle)),
        (int(stage["left"] + 0.3 * stage["width"]), int(middle)),
        (int(stage["left"] + 0.7 * stage["width"]), int(middle)),
    ]
    for pointer in ("mouse", "touch"):
        window.drag(points, pointer)
        assert 69 <= split(window) <= 71
        clip = window.run("document.getElementById('top').style.clipPath")
        assert clip.startswith("inset(0") and "30" in clip or "29" in clip
        window.type("#divider", HOME)


def test_it_zooms_by_buttons_and_keys(window):
    window.click("#actual")
    assert level(window) == "100%"
    window.click("#larger")
    assert level(window) == "125%"
    window.type("#stage", "++0")
    fitting = level(window)
    window.type("#stage", "1++-")
    assert level(window) == "125%" != fitting
    window.click("#smaller")
    assert level(window) == "100%"
    window.type("#stage", "1" + "+" * 8)
    before = window.run("document.getElementById('after').style.transform")
    window.type("#stage", ARROW_LEFT)
    assert window.run("document.getElementById('after').style.transform") != before


def test_it_fits_a_phone(window):
    window.emulate(width=360, height=740, deviceScaleFactor=2, mobile=True)
    window.click("#fit")
    assert window.run("document.documentElement.scrollWidth") == 360
    for selector in ("#go", "#larger", "#smaller", "#download", ".drop"):
        assert box(window, selector)["height"] >= 44
    assert box(window, ".drop")["width"] > 300


def test_nothing_went_wrong_on_the_console(window):
    refused = [entry for entry in window.errors() if "415" not in entry["message"]]
    assert refused == []
