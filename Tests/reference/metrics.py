"""Metrics and the learning rate schedule in float64 (method §4.5 and §6.3), on plain numpy arrays [n, features]."""

import re

import numpy as np
from scipy.spatial.distance import cdist


def _root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def frechet_distance(samples, reference):
    """|m1-m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2)), covariances with ddof 1.

    The last trace is the nuclear norm of S1^(1/2) S2^(1/2), which stays exact when a covariance is singular.
    """
    s1, s2 = np.cov(samples, rowvar=False), np.cov(reference, rowvar=False)
    shift = samples.mean(0) - reference.mean(0)
    nuclear = np.linalg.svd(_root(s1) @ _root(s2), compute_uv=False).sum()
    return shift @ shift + np.trace(s1) + np.trace(s2) - 2 * nuclear


def inception_score(probabilities, splits):
    """Mean over consecutive splits of exp(mean KL(p(y|x) || p(y)))."""
    scores = []
    for part in np.split(probabilities, splits):
        scores.append(np.exp((part * (np.log(part) - np.log(part.mean(0)))).sum(1).mean()))
    return np.mean(scores)


def share_inside(points, centres, k=3):
    """Share of points inside at least one ball around a centre; radius: distance to its k-th neighbour, self excluded."""
    radii = np.sort(cdist(centres, centres, "sqeuclidean"), axis=1)[:, k]
    return (cdist(points, centres, "sqeuclidean") <= radii).any(1).mean()


NUMBER = r"[0-9.]+(?:e[-+]?[0-9]+)?"
SCHEDULE_KEY = re.compile(rf"lr_warmup(\d+)_peak(\d+)_total(\d+)_base({NUMBER})_end({NUMBER})")


def learning_rates(key, count):
    """Rates for t = 0...count-1 of the schedule spelled out in a key such as lr_warmup10_peak20_total100_base4e-4_end1e-5."""
    match = SCHEDULE_KEY.fullmatch(key)
    warmup, peak, total = (int(text) for text in match.groups()[:3])
    base, end = (float(text) for text in match.groups()[3:])
    start = warmup + peak
    t = np.arange(count)
    falling = base + (end - base) * (t - start) / (total - start)
    return np.select([t < warmup, t < start, t < total], [base * t / warmup, base, falling], end)


def metrics(pack):
    """Every result key of a metrics pack, from its input keys."""
    samples, reference, p = pack["samples"], pack["reference"], pack["probabilities"]
    results = {
        "fid": frechet_distance(samples, reference),
        "fid_same": frechet_distance(reference, reference),
        "fid_few": frechet_distance(pack["few_samples"], reference),
        "precision": share_inside(samples, reference),
        "recall": share_inside(reference, samples),
        "inception_score_split_n4": inception_score(p, 4),
        "inception_score_one_split": inception_score(p, 1),
    }
    results = {key: np.array([value]) for key, value in results.items()}
    for key in pack:
        if SCHEDULE_KEY.fullmatch(key):
            results[key] = learning_rates(key, len(pack[key]))
    return results
