"""The evaluation of whole pictures inside an Estimator: metrics in the graph, files from a hook."""

import os
from typing import Any, Dict, Optional, Tuple

import numpy as np

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import (
    comparison,
    graph_metrics,
    metrics,
    protocol_figures,
    protocols,
    report,
    uiqm,
)
from bsrn_estimator.evaluation.grey import BY_FILE
from bsrn_estimator.evaluation.options import Destination, EvaluationOptions
from bsrn_estimator.progress import progress

# The figure by which one checkpoint is better than another: psnr_y, mean over the scales.
MEAN_PSNR = metrics.PSNR_Y + "/mean"
# The mean of psnr_y less that of bicubic.
GAIN = "psnr_gain"
# Pixels of each part of a picture for TensorBoard: about 80 kB a strip of a photograph.
_SHOWN_SIDE = 96
_BICUBIC = "bicubic"


def build(
    features,
    labels,
    results,
    options: EvaluationOptions,
    destination: Optional[Destination] = None,
    exact: Optional[Dict[int, Dict[str, Any]]] = None,
) -> Tuple[Dict, "EvaluationHook"]:
    """The metrics of one whole picture at every scale.

    Args:
      features: "key" [1]; "channels" int64 [1], those of the HR file, 1 or 3, and 3 where it is
        missing; and for each scale s "lr_xS" and "bicubic_xS", uint8 [1, h, w, 3].
      labels: "hr" uint8 [1, H, W, 3], at least as large as every result.
      results: {scale: {output: uint8 [s * h, s * w, 3]}}, see `stored.stored_results`; the
        network's result first, then single outputs.
      options: the protocol.
      destination: where the results go; by default nowhere.
      exact: {scale: {source: float32 [s * h, s * w, 3]}}, the results that `options.protocol`
        needs, see `protocol_figures.measure`.

    Returns:
      (`eval_metric_ops`: "psnr_y/x2" and so on, "bicubic_psnr_y/x2", "recursion_04_psnr_y/x2" for
      single outputs and "psnr_y/mean", means over pictures, with the name of the set in them where
      `destination` has one, see `Destination.tag`; the hook that writes files).
    """
    hr = labels["hr"][0]
    one_channel = one_channel_of(features)
    full_range = tf.logical_and(one_channel, options.grey == BY_FILE)
    figures, pictures = {}, {}
    for scale, outputs in results.items():
        pictures[scale] = dict({_BICUBIC: features["bicubic_x%d" % scale][0]}, **outputs)
        figures[scale] = _figures(hr, pictures[scale], options.shave_of(scale), full_range)
    sources = {"hr": hr, "lr": {scale: features["lr_x%d" % scale][0] for scale in results}}
    destination = destination or Destination()
    hook = EvaluationHook(
        features["key"][0], figures, pictures, sources, options, destination, one_channel, exact
    )
    ops = {destination.tag(name): op for name, op in _metric_ops(figures).items()}
    return ops, hook


def one_channel_of(features):
    """Whether the HR file has one channel, bool scalar; see `build`."""
    return tf.equal(features.get("channels", tf.constant([3], tf.int64))[0], 1)


def _figures(hr, pictures, shave: int, full_range) -> Dict[str, Dict]:
    """{output: {name: scalar}} of the pictures of one scale, those of bicubic with the result."""
    compared = graph_metrics.compare(hr, list(pictures.values()), shave, full_range)
    figures = {output: {} for output in pictures}
    for name, values in compared.items():
        for output, value in zip(pictures, tf.unstack(values, num=len(pictures))):
            figures[output][name] = value
    plain = figures.pop(_BICUBIC)
    result = figures[_result(figures)]
    result[report.BICUBIC_PSNR_Y] = plain[metrics.PSNR_Y]
    result[report.BICUBIC_SSIM_Y] = plain[metrics.SSIM_Y]
    return figures


def _result(outputs: Dict[str, Any]) -> str:
    """The network's result among the outputs of one scale: the first that is not bicubic."""
    return next(output for output in outputs if output != _BICUBIC)


def _metric_ops(figures) -> Dict[str, Tuple]:
    """Streaming means of all figures: what the Estimator returns and draws as curves."""
    ops = {}
    for scale, outputs in figures.items():
        for output, values in outputs.items():
            prefix = "" if output == _result(outputs) else output + "_"
            for name, value in values.items():
                ops["%s%s/x%d" % (prefix, name, scale)] = _mean_of_finite(value)
    for scale in figures:
        of_network, updated = ops["%s/x%d" % (metrics.PSNR_Y, scale)]
        of_bicubic, also = ops["%s/x%d" % (report.BICUBIC_PSNR_Y, scale)]
        ops["%s/x%d" % (GAIN, scale)] = (of_network - of_bicubic, tf.group(updated, also))
    of_scales = [ops["%s/x%d" % (metrics.PSNR_Y, scale)] for scale in figures]
    means, updates = zip(*of_scales)
    ops[MEAN_PSNR] = (tf.reduce_mean(tf.stack(means)), tf.group(*updates))
    return ops


def _mean_of_finite(value) -> Tuple:
    """(mean, update) over the finite values of a scalar; nan where there is none."""
    finite = tf.math.is_finite(value)
    weight = tf.cast(finite, tf.float32)
    mean, update_mean = tf.metrics.mean(tf.where(finite, value, tf.zeros_like(value)), weight)
    share, update_share = tf.metrics.mean(weight)
    return tf.where(share > 0, mean, np.nan), tf.group(update_mean, update_share)


class EvaluationHook(tf.train.SessionRunHook):
    """Takes the figures of each picture and, after the last one, hands all of them on.

    Args:
      key: string scalar, the name of the picture.
      figures: {scale: {output: {name: scalar}}}, those of bicubic with the result's.
      pictures: {scale: {output or "bicubic": uint8 [h, w, 3]}}.
      sources: "hr" uint8 [H, W, 3] and "lr" {scale: uint8 [h, w, 3]}.
      options: the protocol, and what to write.
      destination: where to.
      one_channel: bool scalar, whether the file of the picture has one channel.
      exact: see `build`.
    """

    def __init__(
        self,
        key,
        figures,
        pictures,
        sources,
        options: EvaluationOptions,
        destination: Destination,
        one_channel,
        exact=None,
    ) -> None:
        self._exact = exact or {}
        self._options, self._destination = options, destination
        self._fetches = {"key": key, "figures": figures, "one_channel": one_channel}
        self._pictures = pictures
        self._sources = sources

    @property
    def loss(self):
        """RMSE of the picture in grey levels, mean over the scales: the Estimator's loss."""
        figures = self._fetches["figures"].values()
        errors = [outputs[_result(outputs)][metrics.RMSE_RGB] for outputs in figures]
        return tf.cast(tf.reduce_mean(tf.stack(errors)), tf.float32)

    def begin(self) -> None:
        destination = self._destination
        shaves = {scale: self._options.shave_of(scale) for scale in self._pictures}
        result = _result(next(iter(self._pictures.values())))
        self._report = report.Report(
            "",
            shaves,
            result,
            destination.precision,
            self._options.grey,
            {name: protocols.PROTOCOLS[name].words for name in self._options.protocol},
        )
        self._fetches["step"] = tf.train.get_global_step()
        self._summaries_left = destination.summary_pictures if destination.summary_dir else 0
        self._file_names = set()
        self._progress = progress(
            total=destination.pictures or None, description="Evaluating", unit="pictures"
        )

    def before_run(self, _context):
        fetches = dict(self._fetches)
        if self._summaries_left:
            fetches.update(pictures=self._pictures, sources=self._sources)
        elif self._options.save_pictures or self._options.uiqm:
            fetches.update(pictures=self._pictures)
        if self._exact:
            fetches.update(exact=self._exact, sources=self._sources)
        return tf.train.SessionRunArgs(fetches)

    def after_run(self, _context, values) -> None:
        results = values.results
        name = results["key"].decode("utf-8", "replace")
        figures, pictures = results["figures"], results.get("pictures")
        if self._options.uiqm:
            _add_uiqm(figures, pictures)
        if self._exact:
            _add_protocols(figures, self._options.protocol, results["sources"], results["exact"])
        self._report.add(name, figures)
        if self._options.save_pictures:
            self._save(name, pictures, results["one_channel"])
        if self._summaries_left:
            self._summaries_left -= 1
            self._summarise(name, results)
        self._step = int(results["step"])
        self._progress.update()

    def end(self, _session) -> None:
        self._progress.close()
        content = self._report.to_dict(getattr(self, "_step", 0))
        if self._destination.summary_dir:
            self._write_others(content)
            tf.summary.FileWriterCache.get(self._destination.summary_dir).flush()
        self._destination.take(content)

    def _save(self, name: str, pictures, one_channel: bool) -> None:
        if not self._destination.folder:
            return
        file_name = comparison.safe_name(name)
        while file_name.lower() in self._file_names:
            file_name += "_"
        self._file_names.add(file_name.lower())
        root = os.path.join(self._destination.folder, "pictures")
        for scale, outputs in pictures.items():
            for output, picture in outputs.items():
                if output != _BICUBIC:
                    path = os.path.join(root, output, "x%d" % scale, file_name + ".png")
                    comparison.save_png(picture[..., 0] if one_channel else picture, path)

    def _summarise(self, name: str, results) -> None:
        summary = tf.Summary()
        for scale, outputs in results["pictures"].items():
            shown = comparison.side_by_side(
                results["sources"]["lr"][scale],
                outputs[_BICUBIC],
                outputs[_result(outputs)],
                results["sources"]["hr"],
                scale,
                _SHOWN_SIDE,
            )
            image = tf.Summary.Image(
                height=shown.shape[0],
                width=shown.shape[1],
                colorspace=3,
                encoded_image_string=comparison.encode_png(shown),
            )
            tag = "LR_bicubic_network_HR_x%d/%s" % (scale, comparison.safe_name(name))
            summary.value.add(tag=tag, image=image)
        writer = tf.summary.FileWriterCache.get(self._destination.summary_dir)
        writer.add_summary(summary, int(results["step"]))

    def _write_others(self, content: Dict[str, Any]) -> None:
        """The means of what is not a figure of the graph, as curves like the others."""
        names = [report.UIQM, report.BICUBIC_UIQM] if self._options.uiqm else []
        names += report.figures_of(self._options.protocol)
        summary = tf.Summary()
        for scale, entry in content["scales"].items():
            for name in names:
                if entry[name] is not None:
                    tag = self._destination.tag("%s/x%s" % (name, scale))
                    summary.value.add(tag=tag, simple_value=entry[name])
        writer = tf.summary.FileWriterCache.get(self._destination.summary_dir)
        writer.add_summary(summary, content["global_step"])


def _add_uiqm(figures, pictures) -> None:
    """Adds UIQM to the figures of one picture, in place."""
    for scale, outputs in figures.items():
        for output, values in outputs.items():
            values[report.UIQM] = uiqm.uiqm(pictures[scale][output])
        outputs[_result(outputs)][report.BICUBIC_UIQM] = uiqm.uiqm(pictures[scale][_BICUBIC])


def _add_protocols(figures, names, sources, exact) -> None:
    """Adds the figures of other protocols to those of the result of one picture, in place."""
    for scale, results in exact.items():
        found = protocol_figures.measure(names, sources["hr"], sources["lr"][scale], results)
        figures[scale][_result(figures[scale])].update(found)
