"""What is lost at how many bits: the error of each quantizer, beside the bound.

    python -m benchmarks.distortion [--folder=runs/distortion] [--draws=8]

Normalised mean squared errors E||x - x_hat||^2 / E||x||^2 against measured bits an entry,
of Gaussian, Laplace and lognormal entries and of gradients of SGD on MNIST; a PNG and a
table `distortion.md`. The bound is Shannon's lower bound on the distortion of independent
entries, sigma_h^2 2^(-2 R) with sigma_h^2 the variance of a Gaussian of the same
differential entropy; it is the distortion-rate function where x is Gaussian. Of gradients
the entropy is unknown, and the line is that of a Gaussian. A biased quantizer that shrinks
may do better than an unbiased one at the same bits: see what each is for.
"""

import math
import pathlib

import jax
import jax.numpy as jnp
from absl import app, flags
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from flq_jax import data
from flq_jax.configs import mnist_sgd
from flq_jax.entropy import empirical_entropy
from flq_jax.experiments.assembly.build import build
from flq_jax.experiments.process import surroundings
from flq_jax.experiments.process.errors import one_line_errors
from flq_jax.experiments.reading import studies
from flq_jax.experiments.reading.formats import markdown
from flq_jax.quantizers import Quantizer

from .contestants import contestants

_FOLDER = flags.DEFINE_string(
    "folder", "runs/distortion", "Folder of the PNG and the table."
)
_DRAWS = flags.DEFINE_integer("draws", 8, "Vectors of each source.", 1)
ENTRIES = 8192


def sources(draws: int) -> dict[str, jax.Array]:
    """Vectors f32[draws, d] by name; those of gradients are consecutive rounds'."""
    key = jax.random.key(0)
    shape = draws, ENTRIES
    normal = jax.random.normal(jax.random.fold_in(key, 0), shape)
    signs = jax.random.rademacher(jax.random.fold_in(key, 1), shape, jnp.float32)
    return {
        "Gaussian": normal,
        "Laplace": jax.random.laplace(jax.random.fold_in(key, 2), shape),
        "lognormal": signs * jnp.exp(normal),
        "gradients": gradients(draws),
    }


def gradients(draws: int) -> jax.Array:
    """Client 0's minibatch gradients in the first rounds of SGD, f32[draws, 7850]."""
    run = build(mnist_sgd.get_config(), data.load("mnist"))
    return studies.watch(run, draws).gradient


def shannon(source: str) -> float:
    """The bound at rate 0, over the variance; 1 where the entropy is not known.

    A lognormal magnitude e^g has h = 1/2 log2(2 pi e), E[g] being 0, and a fair sign one
    bit more: 2^(2 h) / (2 pi e) = 4. The second moment is e^2.
    """
    return {"Laplace": math.e / math.pi, "lognormal": 4 / math.e**2}.get(source, 1.0)


def measured(quantizer: Quantizer, xs: jax.Array) -> tuple[float, float, float]:
    """(bits an entry as sent, with ideally coded codes, normalised squared error)."""
    layout, size = quantizer.layout(xs.shape[1]), xs.shape[1]
    alphabet = 2**layout.widest

    def one(key, x):
        message = quantizer.encode(key, x)
        error = jnp.sum(jnp.square(x - quantizer.decode(key, message)))
        if alphabet > 2**16:
            return message.num_bits, jnp.float32(layout.code_bits), error
        entropy = empirical_entropy(message.codes, alphabet)
        return message.num_bits, entropy * layout.num_codes, error

    keys = jax.random.split(jax.random.key(1), len(xs))
    num_bits, coded, error = jax.jit(jax.vmap(one))(keys, xs)
    coded = float(jnp.mean(coded)) + 32 * layout.num_sides
    return (
        float(jnp.mean(num_bits)) / size,
        coded / size,
        float(jnp.sum(error) / jnp.sum(jnp.square(xs))),
    )


@one_line_errors(OSError)
def main(argv: list[str]) -> None:
    """Measures every setting on every source, and writes the figure and the table."""
    del argv
    surroundings.pin()
    folder = pathlib.Path(_FOLDER.value)
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        source: {
            (family, setting): measured(quantizer, xs)
            for family, settings in contestants(xs.shape[1]).items()
            if family != "identity"
            for setting, quantizer in settings.items()
        }
        for source, xs in sources(_DRAWS.value).items()
    }
    table = markdown(lines(found))
    (folder / "distortion.md").write_text(table, encoding="utf-8")
    draw(found, folder / "distortion.png")
    print(table)
    print(folder / "distortion.png")


def lines(found: dict) -> list[list[str]]:
    """A header and a line a setting: bits, and the error of each source in dB.

    In brackets is how many dB above the bound at its measured bits it stands. The bits
    are the first source's; gradients are shorter, and rotations fill them up.
    """
    header = ["quantizer", "bits an entry", *found]
    settings = {name for errors in found.values() for name in errors}
    first = next(iter(found.values()))
    body = []
    for name in sorted(settings, key=lambda name: (first[name][0], name)):
        bits = first[name][0]
        line = [" ".join(name).strip(), f"{bits:.3f}"]
        for source, errors in found.items():
            rate, _, error = errors[name]
            above = error / (shannon(source) * 4.0**-rate)
            line.append(f"{_decibel(error):.2f} (+{_decibel(above):.2f})")
        body.append(line)
    return [header, *body]


def _decibel(ratio: float) -> float:
    return 10.0 * math.log10(max(ratio, 1e-30))


def draw(found: dict, path: pathlib.Path) -> None:
    """Draws the error against the bits as sent, a panel a source."""
    figure = Figure(figsize=(13.0, 9.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    for axes, (source, errors) in zip(panels, found.items(), strict=True):
        rates = [0.0, 9.5]
        bound = [_decibel(shannon(source) * 4.0**-rate) for rate in rates]
        axes.plot(rates, bound, "k--", lw=1.0, label="rate-distortion bound")
        families = list(dict.fromkeys(family for family, _ in errors))
        for i, family in enumerate(families):
            points = sorted(v for (name, _), v in errors.items() if name == family)
            axes.plot(
                [rate for rate, _, _ in points],
                [_decibel(error) for _, _, error in points],
                "osD^v<>P*X"[i % 10] + "-",
                color=f"C{i % 10}",
                mfc="none" if i >= 10 else None,
                ms=5,
                lw=0.9,
                label=family,
            )
        whose = " (bound: of a Gaussian)" if source == "gradients" else ""
        axes.set_title(source + whose, fontsize=10)
        axes.set(xlim=(0.0, 9.5), ylim=(-55.0, 12.0))
        axes.grid(alpha=0.3)
    for axes in panels[2:]:
        axes.set_xlabel("bits an entry, as sent")
    for axes in panels[::2]:
        axes.set_ylabel("normalised squared error (dB)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    app.run(main)
