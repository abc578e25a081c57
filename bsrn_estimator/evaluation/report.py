"""What an evaluation found: collected picture by picture, as metrics.json, as tables."""

import math
import os
from typing import Any, Dict, List, Optional, Sequence

from bsrn_estimator import files
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import metrics, protocols
from bsrn_estimator.evaluation.grey import BY_FILE, STUDIO
from bsrn_estimator.networks.precision import FLOAT32

FILE_NAME = "metrics.json"
BICUBIC_PSNR_Y, BICUBIC_SSIM_Y = "bicubic_psnr_y", "bicubic_ssim_y"
UIQM, BICUBIC_UIQM = "uiqm", "bicubic_uiqm"


class Report:
    """Collects the figures of every picture.

    Args:
      data_set: what was evaluated, for the reader of metrics.json.
      shaves: the pixels left out on each side, for each scale.
      result: the name of the output that is the network's result.
      precision: in which the network is computed.
      grey: what Y of a grey picture is, one of `grey.RULES`.
      words: what each protocol beside this project's does, by its name.
    """

    def __init__(
        self,
        data_set: str,
        shaves: Dict[int, int],
        result: str,
        precision: str = FLOAT32,
        grey: str = BY_FILE,
        words: Optional[Dict[str, str]] = None,
    ) -> None:
        self._words = {"protocols": words} if words else {}
        self._result, self._precision, self._grey = result, precision, grey
        self._data_set = data_set
        self._shaves = shaves
        self._names = set()
        # scale -> output -> name of the picture -> name of the figure -> value
        self._figures = {scale: {} for scale in shaves}

    def add(self, name: str, figures: Dict[int, Dict[str, Dict[str, float]]]) -> None:
        """Adds one picture.

        Args:
          name: the picture's name; each may come once.
          figures: for each scale and output, the value of each figure; those of the result
            include the ones of bicubic.

        Raises:
          UserError: there was a picture of this name.
        """
        if name in self._names:
            raise UserError(
                "two pictures of the evaluation are called %s; give every picture a name of its "
                "own and convert again" % name
            )
        self._names.add(name)
        for scale, outputs in figures.items():
            for output, values in outputs.items():
                self._figures[scale].setdefault(output, {})[name] = values

    def to_dict(self, global_step: Optional[int]) -> Dict[str, Any]:
        """The content of metrics.json; a value that is not finite is None, in no mean.

        Args:
          global_step: of the checkpoint; None where it is not known.

        Raises:
          UserError: no picture was added, or the shave left nothing of any picture.
        """
        if not self._names:
            raise UserError("the evaluation data hold no picture; convert them again")
        scales = {}
        for scale, outputs in self._figures.items():
            self._require_pixels(scale)
            blocks = {output: _block(images) for output, images in outputs.items()}
            entry = dict({"shave": self._shaves[scale]}, **blocks.pop(self._result))
            if blocks:
                entry["outputs"] = blocks
            scales[str(scale)] = entry
        return {
            "global_step": global_step,
            "data_set": self._data_set,
            "result": self._result,
            "precision": self._precision,
            "grey": self._grey,
            "pictures": len(self._names),
            "protocol": "8-bit RGB, HR cropped to the result, shaved; Y of BT.601 (studio range, "
            "not rounded); SSIM 11x11 Gaussian, sigma 1.5, valid windows; mean over pictures",
            **self._words,
            "scales": scales,
        }

    def _require_pixels(self, scale: int) -> None:
        images = self._figures[scale][self._result].values()
        # Every figure of a picture without pixels is nan; that of bicubic is finite or inf else.
        if all(math.isnan(values[BICUBIC_PSNR_Y]) for values in images):
            raise UserError(
                "--shave=%d leaves nothing of any picture at x%d; give a smaller one"
                % (self._shaves[scale], scale)
            )


def _block(images: Dict[str, Dict[str, float]]) -> Dict[str, Any]:
    """Means, and the figures of each picture, ready for JSON."""
    names = list(next(iter(images.values())))
    means: Dict[str, Any] = {
        name: _json_value(metrics.mean_of_finite(values[name] for values in images.values()))
        for name in names
    }
    means["images"] = {
        image: {name: _json_value(value) for name, value in values.items()}
        for image, values in images.items()
    }
    return means


def _json_value(value: float) -> Optional[float]:
    """JSON has neither infinity nor nan."""
    return float(value) if math.isfinite(value) else None


def save(content: Dict[str, Any], folder: str) -> str:
    """Writes `folder`/metrics.json, whole or not at all, and returns its path."""
    path = os.path.join(folder, FILE_NAME)
    try:
        os.makedirs(folder, exist_ok=True)
        files.write_json(path, content)
    except OSError as error:
        raise UserError("%s cannot be written: %s" % (path, error.strerror)) from None
    return path


def load(path: str) -> Dict[str, Any]:
    """The content of a metrics.json.

    Raises:
      UserError: it cannot be read, or is not one.
    """
    content = files.read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("scales"), dict):
        raise UserError("%s does not hold the figures of an evaluation" % path)
    return content


def means(content: Dict[str, Any]) -> Dict[str, Optional[float]]:
    """All means of a metrics.json, named as their curves: psnr_y/x2, t4_psnr_y/x2 of an output."""
    found = {}
    for scale, entry in content["scales"].items():
        blocks = {"": entry}
        blocks.update((output + "_", block) for output, block in entry.get("outputs", {}).items())
        for prefix, block in blocks.items():
            for name, value in block.items():
                if name != "shave" and not isinstance(value, dict):
                    found["%s%s/x%s" % (prefix, name, scale)] = value
    return found


def table(content: Dict[str, Any]) -> str:
    """The figures of a metrics.json for the terminal.

    A row for each scale: PSNR and SSIM on Y of the network and of bicubic, and the difference. With
    single outputs a row for each of them. With those, or with a shave of its own, the PSNR and RMSE
    on RGB follow, as the validation of the reference implementation gives them.
    """
    singles = any("outputs" in entry for entry in content["scales"].values())
    parts = [_title(content), _align(_y_rows(content), singles)]
    if singles or not shave_is_scale(content):
        parts += ["", "RGB channels:", _align(_rgb_rows(content), singles)]
    for name in content.get("protocols", {}):
        parts += ["", protocol_title(name) + ":", _align(_protocol_rows(content, name), False)]
    return "\n".join(parts + _notes(content))


def step_in_words(step: Optional[int]) -> str:
    """The step of a checkpoint, for headlines and names."""
    return "unknown" if step is None else "%d" % step


def shave_is_scale(content: Dict[str, Any]) -> bool:
    """Whether the border is that of the field at every scale."""
    return all(str(entry["shave"]) == scale for scale, entry in content["scales"].items())


def _title(content: Dict[str, Any]) -> str:
    shaves = sorted({entry["shave"] for entry in content["scales"].values()})
    data_set = content["data_set"]
    if content.get("degraded"):
        data_set += " with LR degraded by " + content["degraded"]
    if content.get("stretched"):
        data_set += " with the contrast of %s stretched" % content["stretched"]
    return "step %s, %s%d picture%s; Y channel%s, shave = %s, PSNR in dB / SSIM:" % (
        step_in_words(content["global_step"]),
        data_set + ", " if data_set else "",
        content["pictures"],
        "" if content["pictures"] == 1 else "s",
        " (studio range for every file)" if content.get("grey") == STUDIO else "",
        "scale" if shave_is_scale(content) else ", ".join(str(value) for value in shaves),
    )


def _outputs(content: Dict[str, Any]):
    """(scale, entry of the scale, name of the output, its figures), the network's result last."""
    result = content.get("result", "result")
    for scale, entry in content["scales"].items():
        for output, figures in entry.get("outputs", {}).items():
            yield scale, entry, output, figures
        yield scale, entry, result, entry


def _y_rows(content: Dict[str, Any]) -> List[List[str]]:
    rows = [["scale", "output", "network", "bicubic", "difference"]]
    for scale, entry, output, figures in _outputs(content):
        network = figures[metrics.PSNR_Y], figures[metrics.SSIM_Y]
        bicubic = entry[BICUBIC_PSNR_Y], entry[BICUBIC_SSIM_Y]
        difference = tuple(_difference(a, b) for a, b in zip(network, bicubic))
        row = ["x" + scale, output, _pair(network, ""), _pair(bicubic, ""), _pair(difference, "+")]
        if UIQM in figures:
            row += [_text(figures[UIQM], "%.3f"), _text(entry[BICUBIC_UIQM], "%.3f")]
        rows.append(row)
    if len(rows[-1]) > len(rows[0]):
        rows[0] += ["UIQM", "bicubic"]
    return rows


def _rgb_rows(content: Dict[str, Any]) -> List[List[str]]:
    rows = [["scale", "output", "PSNR", "RMSE"]]
    for scale, _, output, figures in _outputs(content):
        psnr, rmse = figures[metrics.PSNR_RGB], figures[metrics.RMSE_RGB]
        rows.append(["x" + scale, output, _text(psnr, "%.3f"), _text(rmse, "%.3f")])
    return rows


def figures_of(names: Sequence[str]) -> List[str]:
    """The names of all figures of some protocols, those of bicubic among them."""
    return [
        protocols.figure(name, key, of_bicubic)
        for name in names
        for key in protocols.NAMES
        for of_bicubic in (False, True)
    ]


def protocol_title(name: str) -> str:
    """What stands over the figures of a protocol."""
    psnr, ssim = protocols.PROTOCOLS[name].compared
    words = protocols.PROTOCOLS[name].words
    return "protocol %s (%s), %s in dB / %s" % (name, words, psnr, ssim)


def _protocol_rows(content: Dict[str, Any], name: str) -> List[List[str]]:
    rows = [["scale", "", "network", "bicubic", "difference", "UIQM", "bicubic"]]
    for scale, entry in content["scales"].items():
        network, bicubic = (
            [entry[protocols.figure(name, key, of_bicubic)] for key in _compared(name)]
            for of_bicubic in (False, True)
        )
        pairs = [_pair(network[:2], ""), _pair(bicubic[:2], "")]
        pairs.append(_pair([_difference(*both) for both in zip(network[:2], bicubic)], "+"))
        uiqms = [_text(figures[2], "%.3f") for figures in (network, bicubic)]
        rows.append(["x" + scale, "", *pairs, *uiqms])
    return rows


def _compared(name: str) -> Sequence[str]:
    return (*protocols.PROTOCOLS[name].compared, protocols.UIQM)


def _difference(a: Optional[float], b: Optional[float]) -> Optional[float]:
    return None if a is None or b is None else a - b


def pair(entry: Optional[Dict[str, Any]], psnr: str, ssim: str) -> str:
    """Two figures of a scale, given by their names, as text; of no entry "-"."""
    return "-" if entry is None else _pair((entry.get(psnr), entry.get(ssim)), "")


def _pair(values, sign: str) -> str:
    psnr, ssim = values
    return "%s / %s" % (_text(psnr, "%" + sign + ".2f"), _text(ssim, "%" + sign + ".4f"))


def _text(value: Optional[float], form: str) -> str:
    return "-" if value is None else form % value


def _align(rows: List[List[str]], with_outputs: bool) -> str:
    """The rows as text; the second column, the name of the output, only where asked for."""
    if not with_outputs:
        rows = [row[:1] + row[2:] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _notes(content: Dict[str, Any]) -> List[str]:
    """A line for each mean that leaves pictures out."""
    lines = []
    for scale, _, output, figures in _outputs(content):
        for name in figures:
            missing = [
                image for image, values in figures["images"].items() if values.get(name, 0) is None
            ]
            if missing:
                lines.append(
                    "x%s %s: the mean of %s leaves out %d of %d pictures, where it is not finite: "
                    "%s"
                    % (
                        scale,
                        output,
                        name,
                        len(missing),
                        len(figures["images"]),
                        ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else ""),
                    )
                )
    return lines
