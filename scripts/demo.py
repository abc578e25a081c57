"""From photographs to a trained network in a few minutes: what `make demo` runs.

The photographs come with scikit-image and are in the public domain. They are converted with
data_tools/to_tfrecord.py, a small BSRN is trained on them by `python -m bsrn_estimator.main`, and
photographs that it never saw are enlarged and measured. Everything is written to demo_output/.
"""

import argparse
import glob
import os
import shutil
import subprocess
import sys
import time
from typing import List

import numpy as np
import skimage
from PIL import Image, ImageDraw, ImageFont

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from bsrn_estimator.files import read_json  # noqa: E402
from bsrn_estimator.pictures import imresize  # noqa: E402

FOLDER = "demo_output"
SCALES = (2, 3, 4)
# Steps of training by the first digit of TensorFlow's version, for about as many minutes on a CPU.
STEPS = {"1": 1200, "2": 3000}
MAX_MINUTES = 3.2
# All in the public domain or CC0, by the documentation of skimage.data, and inside the wheels of
# all versions that the locks name. Of those left out, some are drawings or scans or of unclear
# origin; the sky of hubble_deep_field and the smooth retina teach little of everyday photographs.
TRAINING = (
    "astronaut.png",
    "brick.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "ihc.png",
    "rocket.jpg",
)
HELD_OUT = ("chelsea.png", "coffee.png")

# The comparison: of which picture, at which scale, which detail (left, top, side; HR pixels).
SHOWN, SHOWN_SCALE, DETAIL = "chelsea", 2, (120, 76, 96)
ZOOM = 3
GAP, CAPTION = 12, 44


def main() -> int:
    """Runs the demo; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    os.chdir(ROOT)
    started = time.time()
    runtime = subprocess.check_output(
        [sys.executable, "-c", "from bsrn_estimator.compat import tf; print(tf.__version__)"],
        universal_newlines=True,
        stderr=subprocess.DEVNULL,
    ).strip()
    say("1/4 photographs to TFRecords, LR pictures at x2, x3 and x4 (TensorFlow %s)" % runtime)
    convert("train", "training", TRAINING)
    convert("held_out", "evaluation", HELD_OUT)
    say("2/4 training a small BSRN on %d photographs" % len(TRAINING))
    run = os.path.join(FOLDER, "run")
    shutil.rmtree(run, ignore_errors=True)
    steps = STEPS[runtime[0]]
    main_py = ["-m", "bsrn_estimator.main", "--flagfile=configs/demo.flags"]
    command(
        main_py
        + ["--mode=train", "--train_steps=%d" % steps, "--max_train_minutes=%g" % MAX_MINUTES]
        + ["--learning_rate_decay_steps=%d" % steps]
    )
    say("3/4 evaluating %d photographs that it never saw" % len(HELD_OUT))
    command(main_py + ["--mode=evaluate", "--save_pictures"])
    evaluation = max(
        glob.glob(os.path.join(run, "evaluation", "step-*", "held_out")),
        key=lambda path: int(os.path.dirname(path).rsplit("-", 1)[1]),
    )
    say("4/4 comparing")
    picture = os.path.join(FOLDER, "comparison.png")
    compare(evaluation, picture)
    better = verdict(evaluation)
    print(
        "\nLook at   %s\nCurves    %s --logdir=%s\nTook      %.0f s"
        % (picture, tensorboard(), run, time.time() - started)
    )
    return 0 if better else 1


def tensorboard() -> str:
    """The command of TensorBoard in this environment, relative to the repository."""
    return os.path.relpath(os.path.join(os.path.dirname(sys.executable), "tensorboard"))


def say(line: str) -> None:
    """Prints one line of progress."""
    print("\n== %s" % line, flush=True)


def command(arguments: List[str]) -> None:
    """Shows and runs a command of this project; ends the demo where it fails."""
    print("$ python " + " ".join(arguments), flush=True)
    status = subprocess.call([sys.executable] + arguments)
    if status:
        sys.exit(status)


def convert(name: str, kind: str, files) -> None:
    """Copies photographs of scikit-image to a folder and converts it, once."""
    source = os.path.join(os.path.dirname(skimage.__file__), "data")
    target = os.path.join(FOLDER, "pictures", name)
    os.makedirs(target, exist_ok=True)
    for file in files:
        shutil.copyfile(os.path.join(source, file), os.path.join(target, file))
    command(
        [
            "data_tools/to_tfrecord.py",
            "--dataset=folder",
            "--input_dir=" + target,
            "--output_dir=" + os.path.join(FOLDER, "tfrecords", name),
            "--scales=" + ",".join(map(str, SCALES)),
            "--kind=" + kind,
        ]
    )


def verdict(evaluation: str) -> bool:
    """Says by how much the network is better than bicubic; returns whether it is, at x2."""
    scales = read_json(os.path.join(evaluation, "metrics.json"))["scales"]
    gains = {int(s): v["psnr_y"] - v["bicubic_psnr_y"] for s, v in scales.items()}
    listed = ", ".join("x%d %+.2f dB" % (scale, gains[scale]) for scale in sorted(gains))
    print("PSNR of the network over that of bicubic: %s." % listed)
    if gains[SHOWN_SCALE] <= 0:
        print("error: the network should be better at x%d" % SHOWN_SCALE, file=sys.stderr)
    return gains[SHOWN_SCALE] > 0


def compare(evaluation: str, path: str) -> None:
    """Writes LR, bicubic, network and HR of one detail side by side, below the whole picture."""
    hr = read(glob.glob(os.path.join(FOLDER, "pictures", "held_out", SHOWN + ".*"))[0])
    scale = SHOWN_SCALE
    height, width = (side // scale * scale for side in hr.shape[:2])
    hr = hr[:height, :width]
    lr = imresize.shrink(hr, scale)
    result = os.path.join(evaluation, "pictures", "ensemble", "x%d" % scale, SHOWN + ".png")
    metrics = read_json(os.path.join(evaluation, "metrics.json"))
    figures = metrics["scales"][str(scale)]["images"][SHOWN]
    panels = [
        ("LR (nearest)", lr.repeat(scale, axis=0).repeat(scale, axis=1)),
        ("bicubic, %.2f dB" % figures["bicubic_psnr_y"], imresize.enlarge(lr, scale)),
        ("BSRN, %.2f dB" % figures["psnr_y"], read(result)),
        ("HR", hr),
    ]
    Image.fromarray(sheet(hr, panels)).save(path)


def read(path: str) -> np.ndarray:
    """A picture as uint8 [height, width, 3]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def sheet(whole: np.ndarray, panels, detail=DETAIL) -> np.ndarray:
    """The whole picture with the detail framed, and under it the detail of every panel."""
    left, top, side = detail
    shown = side * ZOOM
    columns = len(panels) * (shown + GAP) + GAP
    rows = GAP + whole.shape[0] + GAP + shown + CAPTION
    canvas = Image.new("RGB", (columns, rows), "white")
    draw = ImageDraw.Draw(canvas)
    x, y = (columns - whole.shape[1]) // 2, GAP
    canvas.paste(Image.fromarray(whole), (x, y))
    for grow in range(2):
        frame = (x + left - grow, y + top - grow, x + left + side + grow, y + top + side + grow)
        draw.rectangle(frame, outline="red")
    y += whole.shape[0] + GAP
    for place, (label, picture) in enumerate(panels):
        detail = Image.fromarray(picture[top : top + side, left : left + side])
        x = GAP + place * (shown + GAP)
        canvas.paste(detail.resize((shown, shown), Image.NEAREST), (x, y))
        canvas.paste(caption(label), (x, y + shown + 8))
    return np.asarray(canvas)


def caption(text: str) -> Image.Image:
    """`text` about 24 pixels high, in the font that Pillow brings."""
    try:
        font, enlarge = ImageFont.load_default(size=20), 1
    except TypeError:  # Pillow below 10.1 has one small bitmap font
        font, enlarge = ImageFont.load_default(), 2
    probe = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    right, bottom = probe.textbbox((0, 0), text, font=font)[2:]
    image = Image.new("RGB", (right + 1, bottom + 1), "white")
    ImageDraw.Draw(image).text((0, 0), text, fill="black", font=font)
    return image.resize((image.width * enlarge, image.height * enlarge), Image.NEAREST)


if __name__ == "__main__":
    sys.exit(main())
