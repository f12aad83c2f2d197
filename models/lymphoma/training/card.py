"""The model card of a bundle: what TRIPOD+AI and CLAIM ask, filled where it is known, "not known" where it is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from lymphoma.prognosis.model import PrognosticModel
from lymphoma.training.config import TrainConfig
from lymphoma.training.evidence import Evidence, MetricEstimate
from lymphoma.training.metadata import Description, Metadata, TensorFormat
from lymphoma.training.statistics import RangeStatistics

__all__ = ["write_card"]

UNKNOWN = "not known"
SIMULATED = "**Simulation-trained, not for clinical use.** No patient contributed to these weights."
NAMES = {"pfs": "progression-free survival", "os": "overall survival"}
Lines = Iterable[str]


def write_card(
    file: Path,
    said: Description,
    metadata: Metadata,
    config: TrainConfig | None,
    statistics: RangeStatistics,
    evidence: Evidence,
    models: Sequence[PrognosticModel] = (),
) -> None:
    """Writes the card in Markdown; a heading with nothing to say says so rather than being left out."""
    sections = (
        ("", _head(said, evidence)),
        ("Intended use", [said.intended_use or UNKNOWN]),
        ("Source of data and participants", _data(said, evidence)),
        ("Reference standard", [UNKNOWN]),
        ("Inputs and outputs", _formats(metadata)),
        ("Training", _training(config, metadata)),
        *((f"Model of {NAMES[model.endpoint]}", _model(model)) for model in models),
        ("Range of the training patients", _range(statistics)),
        ("Performance at export", _performance(evidence)),
        ("Subgroups and fairness", [UNKNOWN]),
        ("Missing data", [UNKNOWN]),
        ("Limitations", [f"- {limit}" for limit in said.limits] or [UNKNOWN]),
        ("Availability", [f"Files and their SHA-256: `configs/metadata.json`. {said.copyright}"]),
        ("Funding, registration, protocol, ethics", [UNKNOWN]),
        ("Changes", [f"- {number}: {change}" for number, change in said.changelog.items()] or [UNKNOWN]),
    )
    text = "\n\n".join("\n".join([*([f"## {title}", ""] if title else []), *lines]) for title, lines in sections)
    file.write_text(text + "\n", encoding="utf-8")


def _head(said: Description, evidence: Evidence) -> list[str]:
    lines = [f"# {said.name} {said.version}", "", said.description, "", f"Authors: {said.authors}"]
    if said.trained_on == "virtual":
        lines += ["", SIMULATED]
    if not evidence.trained:
        lines += ["", "**Not trained:** the loss did not fall below that of a model without any input."]
    return lines


def _data(said: Description, evidence: Evidence) -> Lines:
    return _table(
        ("item", "value"),
        [
            ("trained on", "virtual patients" if said.trained_on == "virtual" else "patients"),
            ("cohort", said.cohort),
            ("digest of the cohort", f"`{said.cohort_digest}`"),
            ("generator", said.generator or "none"),
            ("folds", str(said.folds)),
            ("digest of the folds", f"`{said.folds_digest}`" if said.folds_digest else UNKNOWN),
            ("patients judged on", f"{evidence.n} ({evidence.cohort})"),
            ("events among them", UNKNOWN if evidence.events is None else str(evidence.events)),
            ("eligibility, setting, dates", UNKNOWN),
        ],
    )


def _formats(metadata: Metadata) -> Lines:
    def row(direction: str, name: str, tensor: TensorFormat) -> tuple[str, ...]:
        shape = " x ".join(map(str, tensor.spatial_shape))
        channels = ", ".join(f"{number} {meaning}" for number, meaning in tensor.channel_def.items())
        return direction, name, tensor.format, shape, channels

    form = metadata.network_data_format
    rows = [row("in", *item) for item in form.inputs.items()] + [row("out", *item) for item in form.outputs.items()]
    return _table(("", "name", "values", "shape", "channels"), rows)


def _training(config: TrainConfig | None, metadata: Metadata) -> Lines:
    if config is None:
        return ["No network; the models of survival are fitted by partial likelihood (Cox, ties by Efron)."]
    optimiser = config.optimiser
    return [
        f"{config.steps} updates of {config.accumulation} x {config.batch_size} samples, {optimiser.name} at "
        f"{optimiser.learning_rate:g}, schedule {config.schedule.name}, seed {config.seed}; all settings: "
        "`configs/train.yaml`.",
        "",
        f"torch {metadata.pytorch_version}, MONAI {metadata.monai_version}, numpy {metadata.numpy_version}.",
    ]


def _model(model: PrognosticModel) -> Lines:
    rows = [
        (row.name, f"{row.coefficient:.4f}", f"{row.hazard_ratio:.3f}", f"{row.lower:.3f} to {row.upper:.3f}")
        for row in model.cox.table()
    ]
    seen = "judged by models that never saw them" if model.grouped_out_of_fold else "judged by this model itself"
    groups = [(group.name, str(group.n), str(group.events)) for group in model.groups]
    cuts = ", ".join(f"{cut:.4f}" for cut in model.cutoffs) or "none, as no cut-off did better than chance"
    left_out = [f"{one.months:g} months ({one.reason.replace('_', ' ')})" for one in model.withheld_horizons]
    return [
        f"{model.cox.n} patients, {model.cox.events} events.",
        "",
        *_table(("covariate", "coefficient", "hazard ratio", "95 % interval"), rows),
        "",
        f"Cut-offs of the linear predictor ({model.cutoff_rule}): {cuts}. The training patients, {seen}:",
        "",
        *_table(("group", "patients", "events"), groups),
        "",
        f"Survival is said at {', '.join(f'{months:g}' for months in model.horizons_months) or 'no'} months"
        + (f"; left out: {', '.join(left_out)}." if left_out else "."),
    ]


def _range(statistics: RangeStatistics) -> Lines:
    said = (
        f"{statistics.patients} patients; a study beyond a Mahalanobis distance of {statistics.limit:.2f} is refused."
    )
    rows = [
        (name, f"{low:.3g}", f"{mean:.3g}", f"{high:.3g}")
        for name, low, mean, high in zip(
            statistics.names, statistics.low, statistics.mean, statistics.high, strict=True
        )
    ]
    return [said, "", *_table(("feature", "1 %", "mean", "99 %"), rows)]


def _performance(evidence: Evidence) -> Lines:
    def row(metric: MetricEstimate) -> tuple[str, ...]:
        known = metric.low is not None and metric.high is not None
        interval = f"{metric.low:.3f} to {metric.high:.3f}" if known else UNKNOWN
        return metric.name, f"{metric.value:.3f}", interval, metric.cohort

    rows = [row(metric) for metric in evidence.metrics] or [(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)]
    said = f"Evidence level {evidence.level}. What was found later, at this site, stands in `evidence.json`."
    return [said, "", *_table(("metric", "value", "95 % interval", "cohort"), rows)]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, tuple("---" for _ in head), *rows)]
