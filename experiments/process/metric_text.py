"""A task's metrics as people read them."""

ACCURACY = "test_accuracy"
# What a run's summary has beside a line's figures; a metric so named would be lost.
OF_SUMMARY = (
    *("name", "stopped", "metrics", "parameters", "accounting", "bits", "wall_seconds"),
    *("data", "partition", "clients", "cell", "about", "command", "source", "versions"),
    *("settings", "device", "earlier", "train_loss_share"),
)


def is_share(metric: str) -> bool:
    """Whether its values are shares of one, and told in percent."""
    return metric.endswith("accuracy")


def words(metric: str, share: float = 1.0) -> str:
    """ "test accuracy" of test_accuracy, and of which share of the examples if not of all."""
    of = f" ({100 * share:g} % of the examples)" if share != 1 else ""
    return metric.replace("_", " ") + of


def heading(metric: str) -> str:
    """Its words and unit, for a column or an axis."""
    return words(metric) + (" (%)" if is_share(metric) else "")


def scaled(metric: str, value: float | None) -> float | None:
    """The value in the unit of its heading."""
    return 100.0 * value if is_share(metric) and value is not None else value


def shown(metric: str, value: float | None) -> str:
    """A value with its unit."""
    if value is None:
        return "not finite"
    return f"{100 * value:.2f} %" if is_share(metric) else f"{value:.4g}"


def aim(metric: str, value: float) -> str:
    """What a cost is the cost of: "90 %", "test rmse 0.5"."""
    text = f"{100 * value:g} %" if is_share(metric) else f"{value:g}"
    return text if metric == ACCURACY else f"{words(metric)} {text}"
