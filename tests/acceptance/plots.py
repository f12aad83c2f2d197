"""Plots of the acceptances, readable at a width of 900 pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from lifelines import KaplanMeierFitter
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.outcomes import OutcomeTable
from lymphoma.simulation.sites import ORGANS
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from sklearn.metrics import roc_curve

from tests.acceptance.concordance import Concordance
from tests.acceptance.images_checks import ORGAN_TARGETS
from tests.acceptance.outcomes import ORACLE

Floats = npt.NDArray[np.float64]

INK, BLUE, ORANGE, GREY = "#222222", "#2b6cb0", "#c05621", "#999999"
_STYLE = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "legend.frameon": False,
}


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=100, bbox_inches="tight", facecolor="white")
    plt.close(figure)


def plot_oracle(curve: Mapping[float, Concordance], path: Path) -> None:
    """C of the true risk against sigma."""
    with plt.rc_context(_STYLE):
        figure, axis = plt.subplots(figsize=(8, 4.5))
        axis.plot(list(ORACLE), list(ORACLE.values()), color=GREY, lw=2, label="analytic")
        found = list(curve.values())
        axis.errorbar(
            list(curve), [c.value for c in found], [2 * c.error for c in found], fmt="o", color=BLUE, capsize=4,
            label="drawn outcomes, 2 standard errors",
        )  # fmt: skip
        axis.set(xlabel="sigma: SD of the log hazard ratio", ylabel="C of the true risk, no censoring")
        axis.legend()
        _save(figure, path)


def plot_survival(outcomes: OutcomeTable, eta: Floats, path: Path) -> None:
    """Kaplan-Meier curves of both endpoints by thirds of the true risk."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True)
        third = np.searchsorted(np.quantile(eta, (1 / 3, 2 / 3)), eta)
        ends = (("Progression-free survival", "pfs"), ("Overall survival", "os"))
        for axis, (title, name) in zip(axes, ends, strict=True):
            months, event = getattr(outcomes, f"{name}_months"), getattr(outcomes, f"{name}_event")
            for number, (label, colour) in enumerate((("low", BLUE), ("middle", GREY), ("high", ORANGE))):
                mine = third == number
                fitted = KaplanMeierFitter().fit(months[mine], event[mine])
                line = fitted.survival_function_
                axis.step(line.index, line.iloc[:, 0], where="post", color=colour, lw=2, label=f"{label} third")
            axis.set(title=title, xlabel="months", xlim=(0, 72), ylim=(0, 1.02))
        axes[0].set_ylabel("share free of the event")
        axes[0].legend(title="true risk", loc="lower left")
        _save(figure, path)


def plot_modes(matrix: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Who tells the true risk in which mechanism."""
    with plt.rc_context(_STYLE):
        rows, columns = list(matrix), list(next(iter(matrix.values())))
        values = np.array([[matrix[row][column] for column in columns] for row in rows])
        figure, axis = plt.subplots(figsize=(9.5, 5))
        image = axis.imshow(values, cmap="RdBu_r", vmin=0.2, vmax=0.8, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            dark = abs(value - 0.5) > 0.2
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if dark else INK)
        axis.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
        axis.set_yticks(range(len(rows)), rows)
        axis.tick_params(length=0)
        figure.colorbar(image, label="concordance with the true risk")
        _save(figure, path)


def plot_candidates(shares: Floats, scores: Floats, truth: npt.NDArray[np.bool_], path: Path) -> None:
    """Over-calls of a plain threshold, and what three numbers know of a candidate."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(10, 4.2))
        axes[0].hist(100 * shares[np.isfinite(shares)], bins=np.arange(0, 101, 10), color=BLUE, edgecolor="white")
        axes[0].axvline(100 * float(np.nanmean(shares)), color=ORANGE, lw=2, label="mean")
        axes[0].set(xlabel="physiological share of SUV >= 4, % of volume", ylabel="patients")
        axes[0].legend()
        false, true, _ = roc_curve(truth, scores)
        axes[1].plot(false, true, color=BLUE, lw=2)
        axes[1].plot([0, 1], [0, 1], color=GREY, lw=1)
        axes[1].set(xlabel="false positive rate", ylabel="true positive rate", title="SUVmax, volume and height only")
        _save(figure, path)


def plot_recovery(planned: Floats, found: Floats, path: Path) -> None:
    """Noise-free volume at SUV 4 against the true map, lesion by lesion."""
    with plt.rc_context(_STYLE):
        figure, axis = plt.subplots(figsize=(8, 4.5))
        axis.axhline(100, color=GREY, lw=1)
        axis.axvline(20, color=GREY, lw=1, ls=":")
        axis.scatter(planned, 100 * found / planned, s=12, color=BLUE, alpha=0.6, edgecolors="none")
        axis.set(xscale="log", ylim=(0, 200), xlabel="volume in the true lesion map, mL")
        axis.set_ylabel("SUV >= 4 on the noise-free PET, % of it")
        _save(figure, path)


def plot_organs(table: FeatureTable, path: Path) -> None:
    """Uptake of organs over patients beside the targets."""
    with plt.rc_context(_STYLE):
        figure, axis = plt.subplots(figsize=(9, 4.8))
        names = [organ.name for organ in ORGANS]
        targets = [target for target in ORGAN_TARGETS if target.suv_mean is not None]
        rows = np.arange(len(targets))
        axis.errorbar(
            [float(t.suv_mean or 0) for t in targets], rows + 0.15, xerr=[float(t.suv_sd or 0) for t in targets],
            fmt="s", color=GREY, capsize=4, label="target, mean and SD",
        )  # fmt: skip
        columns = [table.organs.suv_mean[:, names.index(t.organ)] for t in targets]
        axis.errorbar(
            [float(np.nanmean(c)) for c in columns], rows - 0.15, xerr=[float(np.nanstd(c)) for c in columns],
            fmt="o", color=BLUE, capsize=4, label="virtual patients, mean and SD",
        )  # fmt: skip
        axis.set_yticks(rows, [t.organ.replace("_", " ") for t in targets])
        axis.set(xlabel="mean SUV of the organ, g/mL", xlim=(0, None))
        axis.legend()
        _save(figure, path)


def plot_sampler(images: FeatureTable, sampled: FeatureTable, path: Path) -> None:
    """Distributions of measured and sampled features."""
    panels: Sequence[tuple[str, Floats, Floats, bool]] = [
        ("TMTV, mL", images.tmtv_ml, sampled.tmtv_ml, True),
        ("number of lesions", images.counts.astype(float), sampled.counts.astype(float), False),
        ("Dmax, mm", images.dmax_mm.astype(float), sampled.dmax_mm.astype(float), False),
        *(
            (label, getattr(images.lesions, name).astype(float), getattr(sampled.lesions, name).astype(float), log)
            for label, name, log in (
                ("lesion volume, mL", "volume_ml", True),
                ("lesion SUVpeak, g/mL", "suv_peak", True),
                ("lesion SUV variation", "suv_cv", False),
                ("lesion HU", "hu_mean", False),
                ("lesion height, share of the body", "height", False),
            )
        ),
        ("liver SUV, g/mL", _liver(images), _liver(sampled), False),
    ]
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(3, 3, figsize=(10, 8.5), sharey=True)
        for axis, (label, first, second, log) in zip(axes.flat, panels, strict=True):
            for values, colour, name in ((first, BLUE, "images"), (second, ORANGE, "sampler")):
                ordered = np.sort(values[np.isfinite(values)])
                axis.plot(ordered, np.linspace(0, 1, len(ordered)), color=colour, lw=2, label=name)
            axis.set(xlabel=label, xscale="log" if log else "linear")
            axis.xaxis.set_minor_formatter(NullFormatter())
        axes[0, 0].legend()
        for axis in axes[:, 0]:
            axis.set_ylabel("cumulative share")
        figure.tight_layout()
        _save(figure, path)


def _liver(table: FeatureTable) -> Floats:
    return table.organs.suv_mean[:, [organ.name for organ in ORGANS].index("liver")].astype(float)
