#!/usr/bin/env python3
"""Computes every number of this experiment's results again, from the values of single runs, with numpy and scipy alone.

It reads results/06-confirmatory/STUDY-per-seed.csv, and fails where

- the endpoints, differences or Holm's p-values that prologue wrote beside them are other ones,
- a table of README.md, between its marks, is not what follows from the values,
- the runs were made by more than one version of the code.

--write puts the tables into README.md; --results DIR reads another folder; --readme FILE checks another text.
"""
import argparse
import csv
import itertools
import re
import sys
from pathlib import Path

import numpy as np
from scipy import stats

HERE = Path(__file__).resolve().parent
ARMS = ["baseline-2d", "prologue", "prologue-post", "prologue-longer"]
STUDIES = {"fashion": "Fashion-MNIST", "cifar": "CIFAR-10 (JPEG)"}
LEVEL = 0.05

# Title, score, told, budget, the score it is set against in the same runs, equivalence margin by study.
ENDPOINTS = [
    ("prior gap, T = 1, class", "prior_gap.nocfg", "class", "long", None, None),
    ("prior gap, best T, class", "prior_gap.best-temperature", "class", "long", None, None),
    ("prior gap, T = 1, no class", "prior_gap.nocfg", "none", "long", None, None),
    ("gFID, tuned guidance", "gfid.tuned", "class", "long", None, None),
    ("rFID", "rfid", "class", "long", None, {"fashion": 1.2, "cifar": 6.0}),
    ("probe at equal bits", "rates.prologue.matched", "class", "long", "rates.random.matched", None),
]
# Columns of the table of scores.
SCORES = [
    ("rFID", "rfid", 1), ("gFID", "gfid.nocfg", 1), ("prior gap", "prior_gap.nocfg", 1), ("floor", "prior_gap_floor.nocfg", 1),
    ("prior gap, n → ∞", "prior_gap_inf.nocfg", 1), ("KID gap", "kid_gap.nocfg", 3), ("prior gap, best T", "prior_gap.best-temperature", 1),
    ("gFID, tuned", "gfid.tuned", 1),
]


class Study:
    """The runs of a sweep: scores by arm, told, budget and seed."""

    def __init__(self, name, folder):
        self.name = name
        with open(folder / f"{name}-per-seed.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise SystemExit(f"{name}-per-seed.csv has no runs")
        self.codes = sorted({code for row in rows for code in row["code"].split()})
        names = {column for column in rows[0] if "@" in column or "." in column}
        self.columns = sorted(names)
        self.cells = {}
        for row in rows:
            words = set(re.split(r"[,\s=]+", row["arm"]))
            arm = next((arm for arm in ARMS if arm in words), None)
            if arm is None:
                raise SystemExit(f"{name}: no arm of this study is called {row['arm']}")
            told = "none" if "none" in words else "class"
            budget = "short" if "short" in words else "long"
            self.cells.setdefault((arm, told, budget), {})[row["seed"]] = row

    def column(self, score):
        """The full name of a score: of several feature networks, the first one's, which the others are called after."""
        def short(name):
            return re.sub(r"@[^.]*", "", name)
        found = [c for c in self.columns if c == score or short(c) == score]
        return min(found, key=len) if found else None

    def values(self, arm, told, budget, score):
        column = self.column(score)
        if column is None:
            return {}
        cells = self.cells.get((arm, told, budget), {})
        return {seed: float(row[column]) for seed, row in cells.items() if row.get(column)}


def sign_flips(differences):
    """Two-sided p over all patterns of signs."""
    d = np.asarray(differences)
    signs = np.array(list(itertools.product([1, -1], repeat=len(d))))
    sums = np.abs(signs @ d)
    return float(np.mean(sums >= abs(d.sum()) - 1e-12 * np.abs(d).sum()))


def holm(p):
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
    return adjusted


def interval(values, confidence=0.95):
    x = np.asarray(list(values), float)
    mean, error = x.mean(), x.std(ddof=1) / len(x) ** 0.5
    reach = stats.t.ppf((1 + confidence) / 2, len(x) - 1) * error
    return mean, mean - reach, mean + reach


def endpoints(study):
    """Mean, bounds, p, Holm's p and verdict of each endpoint that has been measured in pairs."""
    found = []
    for title, score, told, budget, against, margins in ENDPOINTS:
        own = study.values("prologue", told, budget, score)
        other = study.values("prologue" if against else "baseline-2d", told, budget, against or score)
        seeds = sorted(set(own) & set(other))
        if len(seeds) < 2:
            continue
        a, b = (np.array([v[s] for s in seeds]) for v in (own, other))
        margin = margins[study.name] if margins else None
        mean, low, high = interval(a - b, 0.95 if margin is None else 0.9)
        if margin is None:
            p = sign_flips(a - b)
        else:
            p = max(stats.ttest_1samp(a - b, -margin, alternative="greater").pvalue,
                    stats.ttest_1samp(a - b, margin, alternative="less").pvalue)
        found.append(dict(title=title, n=len(seeds), mean=mean, low=low, high=high, p=p, margin=margin,
                          higher=score.startswith("rates")))
    for row, p in zip(found, holm([row["p"] for row in found]) if found else []):
        row["holm"] = p
        if row["margin"] is not None:
            row["verdict"] = "equal" if p <= LEVEL else "equality not shown"
        elif p > LEVEL:
            row["verdict"] = "not shown"
        else:
            row["verdict"] = "better" if (row["mean"] > 0) == row["higher"] else "worse"
    return found


def number(x, decimals):
    text = f"{x:.{decimals}f}"
    text = text.lstrip("-") if float(text) == 0 else text
    return text.replace("-", "−")


def tables(study):
    """The tables of README.md as Markdown."""
    lines = [f"*{STUDIES[study.name]}: the six endpoints, prologue − baseline-2d (the probe: prologue − random tokens).*", "",
             "| endpoint | difference | interval | n | p | p, Holm | verdict |", "|:--|--:|:--|--:|--:|--:|:--|"]
    for row in endpoints(study):
        digits = 3 if row["higher"] else 2
        claim = row["title"] + ("" if row["margin"] is None else f", equal within ±{row['margin']:g}")
        lines.append(f"| {claim} | {number(row['mean'], digits)} | {number(row['low'], digits)} to {number(row['high'], digits)} | "
                     f"{row['n']} | {row['p']:.4f} | {row['holm']:.4f} | {row['verdict']} |")
    lines += ["", f"*{STUDIES[study.name]}: means ± 95 % intervals over seeds.*", "",
              "| arm | class | budget | n | " + " | ".join(title for title, _, _ in SCORES) + " |",
              "|:--|:--|:--|--:|" + "--:|" * len(SCORES)]
    for told, budget, arm in itertools.product(["class", "none"], ["long", "short"], ARMS):
        cells = study.cells.get((arm, told, budget))
        if not cells:
            continue
        texts = []
        for _, score, decimals in SCORES:
            values = list(study.values(arm, told, budget, score).values())
            if len(values) < 2:
                texts.append("–")
                continue
            mean, low, high = interval(values)
            texts.append(f"{number(mean, decimals)} ± {number((high - low) / 2, decimals)}")
        lines.append(f"| {arm} | {told} | {budget} | {len(cells)} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def compare_with_prologue(study, folder):
    """What prologue wrote of the endpoints against what is computed here."""
    problems = []
    with open(folder / f"{study.name}-endpoints.csv", newline="") as file:
        written = list(csv.DictReader(file))
    computed = endpoints(study)
    if len(written) != len(computed):
        return [f"{study.name}: {len(written)} endpoints are written, {len(computed)} follow from the values"]
    for row, own in zip(written, computed):
        for key, value in [("difference", own["mean"]), ("low", own["low"]), ("high", own["high"]), ("p", own["p"]), ("p_holm", own["holm"])]:
            if abs(float(row[key]) - value) > 1e-8 * max(1, abs(value)):
                problems.append(f"{study.name}, {own['title']}: {key} is written as {row[key]}, and computed as {value}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE.parents[1] / "results" / "06-confirmatory")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md")
    parser.add_argument("--write", action="store_true", help="put the tables into the text")
    options = parser.parse_args()
    text = options.readme.read_text()
    problems, known = [], [name for name in STUDIES if (options.results / f"{name}-per-seed.csv").exists()]
    if not known:
        sys.exit(f"no results in {options.results} yet; run.sh makes them")
    for name in known:
        study = Study(name, options.results)
        problems += compare_with_prologue(study, options.results)
        if len(study.codes) > 1:
            problems.append(f"{name}: made by several versions of the code: {', '.join(study.codes)}")
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if begin not in text or end not in text:
            problems.append(f"{options.readme.name} has no place for the tables of {name}")
            continue
        before, rest = text.split(begin, 1)
        old, after = rest.split(end, 1)
        new = "\n" + tables(study) + "\n"
        if options.write:
            text = before + begin + new + end + after
        elif old != new:
            differing = [f"  {a}\n  {b}" for a, b in itertools.zip_longest(old.split("\n"), new.split("\n")) if a != b]
            problems.append(f"{options.readme.name}, {name}: written, and computed:\n" + "\n".join(differing[:6]))
    if options.write:
        options.readme.write_text(text)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        sys.exit(1)
    print(f"{', '.join(known)}: every number follows from the values of single runs")


if __name__ == "__main__":
    main()
