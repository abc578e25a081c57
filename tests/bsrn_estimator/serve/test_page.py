"""The page in a real browser, from choosing a picture to the keys of the slider."""

import base64
import time

import numpy as np
import pytest

from tests.bsrn_estimator.serve import webdriver
from tests.bsrn_estimator.serve.support import file_of, pixels, random_picture

pytestmark = pytest.mark.skipif(
    not (webdriver.CHROMIUM and webdriver.CHROMEDRIVER),
    reason="chromium and chromedriver are not installed",
)
ARROW_LEFT, ARROW_RIGHT, HOME, ENTER, CONTROL = "\ue012", "\ue014", "\ue011", "\ue007", "\ue009"
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


def text(window, id: str) -> str:
    return window.run("document.getElementById('%s').textContent" % id)


def hidden(window, id: str) -> bool:
    return window.run("document.getElementById('%s').hidden" % id)


def shown_picture(window, image: str = "after") -> np.ndarray:
    return pixels(base64.b64decode(window.execute(FILE_OF % image).split(",")[1]))[..., :3]


def written(folder, *named) -> list:
    """Paths of pictures: (name, seed, height, width)."""
    paths = []
    for name, seed, height, width in named:
        (folder / name).write_bytes(file_of(random_picture(seed, height, width)))
        paths.append(folder / name)
    return paths


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


def test_the_first_result_is_in_the_middle(server, tmp_path):
    """In a window of its own, where the page has been as it comes."""
    (path,) = written(tmp_path, ("first.png", 3, 90, 120))
    with webdriver.browser(900, 600) as window:
        window.go(server.url + "/")
        window.wait("document.querySelectorAll('input[name=scale]').length == 2")
        window.type("#file", str(path))
        window.wait("!document.getElementById('go').disabled")
        window.click("#go")
        window.wait(DONE)
        window.wait(
            "(() => { const box = (id) => document.getElementById(id).getBoundingClientRect();"
            "const [a, b] = [box('stage'), box('after')];"
            "return Math.abs(a.left + a.right - b.left - b.right) < 1"
            " && Math.abs(a.top + a.bottom - b.top - b.bottom) < 1; })()",
            seconds=5,
        )


def test_a_scale_within_the_limit_is_chosen_and_that_is_said(window, server, tmp_path):
    """As for a photograph of 12 megapixels: at the largest scale it would be refused."""
    large, small = written(tmp_path, ("large.png", 4, 200, 300), ("small.png", 5, 20, 30))
    window.type("#file", str(large))
    window.wait("document.querySelector('input[name=scale]:checked').value == '2'")
    assert "\u00d73 would give 0.5 megapixels" in text(window, "note")
    assert "\u00d72 is chosen" in text(window, "note")
    assert window.run("document.querySelector('input[value=\"3\"]').disabled")
    window.click("#go")
    window.wait(DONE)
    assert hidden(window, "error")
    wanted = server.ask("/upscale?scale=2", large.read_bytes())[2]
    assert np.array_equal(shown_picture(window), pixels(wanted))
    # The scale that was wanted comes back with a picture that allows it.
    window.type("#file", str(small))
    window.wait("document.querySelector('input[name=scale]:checked').value == '3'")
    assert hidden(window, "note")


def test_a_picture_too_large_for_every_scale_is_not_sent(window, tmp_path):
    (path,) = written(tmp_path, ("huge.png", 6, 300, 400))
    assert not hidden(window, "result")
    window.type("#file", str(path))
    window.wait("!document.getElementById('error').hidden")
    assert "This picture has 0.1 megapixels" in text(window, "error")
    assert window.run("document.getElementById('go').disabled")
    assert hidden(window, "result")  # which would seem to be this picture's


def test_an_old_result_goes_when_an_error_comes(window, tmp_path):
    (path,) = written(tmp_path, ("good.png", 7, 30, 40))
    window.type("#file", str(path))
    window.wait("!document.getElementById('go').disabled")
    window.click("#go")
    window.wait(DONE)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    window.type("#file", str(tmp_path / "bad.png"))
    window.wait("document.getElementById('invitation').textContent == 'bad.png'")
    window.click("#go")
    window.wait("!document.getElementById('error').hidden")
    assert hidden(window, "result") and hidden(window, "work")


def test_upscaling_from_the_keyboard_keeps_the_focus_and_is_heard(window, tmp_path):
    good, bad = written(tmp_path, ("good.png", 8, 60, 60), ("bad.png", 9, 9, 9))
    bad.write_bytes(b"no picture")
    window.execute(
        "window.focused = []; window.heard = [];"
        "document.addEventListener('focusin', (event) => focused.push(event.target.id));"
        "new MutationObserver(() => heard.push(document.getElementById('said').textContent))"
        ".observe(document.getElementById('said'), { childList: true });"
    )
    window.type("#file", str(good))
    window.wait("document.getElementById('invitation').textContent == 'good.png'")
    window.wait("!document.getElementById('go').disabled")
    window.type("#go", ENTER)
    window.wait(DONE)
    window.wait("document.activeElement.id == 'stage'")
    assert window.run("focused.slice(-2)") == ["cancel", "stage"]
    assert window.run("heard") == ["Upscaling", "Done: " + text(window, "facts")]
    assert window.run("document.getElementById('said').getAttribute('role')") == "status"
    assert window.run("document.getElementById('error').getAttribute('role')") == "alert"
    window.type("#file", str(bad))
    window.wait("document.getElementById('invitation').textContent == 'bad.png'")
    window.type("#go", ENTER)
    window.wait("!document.getElementById('error').hidden")
    window.wait("document.activeElement.id == 'go'")


def test_pictures_are_dropped(window, tmp_path):
    paths = written(tmp_path, ("one.png", 10, 20, 30), ("two.png", 11, 30, 20))
    window.drop(paths[:1], 300, 300)
    window.wait("document.getElementById('chosen').textContent.startsWith('30 \u00d7 20')")
    assert text(window, "invitation") == "one.png"
    window.drop(paths, 300, 300)
    window.wait("document.getElementById('invitation').textContent == '2 pictures'")
    assert not window.run("document.getElementById('drop').classList.contains('over')")


def test_a_picture_is_pasted(window, server):
    window.grant("clipboardReadWrite", "clipboardSanitizedWrite")
    window.execute("""
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [37, 23];
        canvas.getContext("2d").fillRect(5, 5, 20, 10);
        window.copied = false;
        canvas.toBlob((blob) => navigator.clipboard.write([new ClipboardItem({"image/png": blob})])
            .then(() => { window.copied = true; }));
    """)
    window.wait("window.copied")
    window.press(CONTROL, "v")
    window.wait("document.getElementById('chosen').textContent.startsWith('37 \u00d7 23')")
    window.click("#go")
    window.wait(DONE)
    assert shown_picture(window).shape == (69, 111, 3)


def test_several_pictures_are_upscaled_chosen_from_and_saved(window, server, tmp_path):
    (tmp_path / "saved").mkdir()
    pictures = ("one.png", 12, 30, 40), ("two.bmp.png", 13, 40, 30), ("one.jpg", 14, 20, 20)
    paths = written(tmp_path, *pictures)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    window.drop([*paths, bad], 300, 300)
    window.wait("document.getElementById('invitation').textContent == '4 pictures'")
    window.click("#go")
    window.wait(DONE)
    assert "1 of 4 pictures failed. bad.png: " in text(window, "error")
    assert text(window, "said") == "Done: 3 pictures"
    assert text(window, "facts").startswith("120 \u00d7 90")
    window.click("#list li:nth-child(2) button")
    window.wait("document.getElementById('facts').textContent.startsWith('90 \u00d7 120')")
    assert window.run("document.getElementById('download').download") == "two.bmp_x3.png"
    pressed = "[...document.querySelectorAll('#list button')].map((b) => b.ariaPressed)"
    assert window.run(pressed) == ["false", "true", "false", "false"]
    assert window.run("document.querySelector('#list li:nth-child(4) button').disabled")
    window.download_to(str(tmp_path / "saved"))
    window.click("#all")
    wanted = dict(zip(("one_x3.png", "two.bmp_x3.png", "one-2_x3.png"), paths))
    ends = time.monotonic() + 20
    while sorted(path.name for path in (tmp_path / "saved").iterdir()) != sorted(wanted):
        assert time.monotonic() < ends, list((tmp_path / "saved").iterdir())
        time.sleep(0.1)
    for name, path in wanted.items():
        answer = server.ask("/upscale?scale=3", path.read_bytes())[2]
        saved = (tmp_path / "saved" / name).read_bytes()
        assert np.array_equal(pixels(saved), pixels(answer))


def test_it_fits_a_phone(window):
    window.emulate(width=360, height=740, deviceScaleFactor=2, mobile=True)
    window.click("#fit")
    assert window.run("document.documentElement.scrollWidth") == 360
    for selector in ("#go", "#larger", "#smaller", "#download", ".drop"):
        assert box(window, selector)["height"] >= 44
    assert box(window, ".drop")["width"] > 300


def test_the_network_is_chosen_where_there_are_two(both, tmp_path):
    (tmp_path / "a.jpg").write_bytes(file_of(random_picture(15, 30, 40), "JPEG", quality=60))
    with webdriver.browser(900, 600) as window:
        window.go(both.url + "/")
        window.wait("document.querySelectorAll('input[name=network]').length == 3")
        assert not hidden(window, "networks")
        window.type("#file", str(tmp_path / "a.jpg"))
        window.wait("!document.getElementById('go').disabled")
        for chosen, used in (("auto", "photo"), ("clean", "clean")):
            window.click("label:has(input[value=%s])" % chosen)
            window.click("#go")
            window.wait(DONE)
            window.wait("document.getElementById('facts').textContent.includes('%s')" % used)
            assert text(window, "facts").endswith(" s, %s network" % used)
            query = "/upscale?scale=2&network=" + used
            wanted = pixels(both.ask(query, (tmp_path / "a.jpg").read_bytes())[2])
            assert np.array_equal(shown_picture(window), wanted)


def test_nothing_went_wrong_on_the_console(window):
    refused = [entry for entry in window.errors() if "415" not in entry["message"]]
    assert refused == []
