"""Parts of a message that are coded each for itself."""

from flq_jax.arguments import require_instance
from flq_jax.quantizers.base import Quantizer


def apart(quantizer: Quantizer) -> Quantizer:
    """Sends the same, but leaves an entropy code to each run of codes: x_hat is what it was.

    Around `segmented(q, sizes)` a run is a tensor, whose codes have frequencies of their own
    then, and a tensor of zeros costs a few bits, or 33 where its codes are floats:

        entropy_coded(apart(segmented(identity(), sizes))).

    Args:
        quantizer: a `Quantizer`, else TypeError; not coded, and without a schedule or a
            choice, else ValueError.
    """
    require_instance("apart", "quantizer", quantizer, Quantizer)
    if quantizer.choose is not None or quantizer.schedule is not None:
        raise ValueError(
            "apart: takes no choice and no prescribed radius, whose messages are not coded"
        )

    def layout(d):
        plain = quantizer.layout(d)
        if plain.coded:
            raise ValueError("apart: belongs within, entropy_coded(apart(...))")
        parted = [part for run in plain.runs for part in ((0, 0), run)]
        return plain._replace(scheme=f"apart-{plain.scheme}", runs=tuple(parted))

    return quantizer._replace(layout=layout)
