"""Any quantizer's codes at the length of an entropy code."""

import jax.numpy as jnp

from flq_jax import coding
from flq_jax.arguments import require_instance
from flq_jax.quantizers.base import Layout, Quantizer


def entropy_coded(quantizer: Quantizer) -> Quantizer:
    """Sends the same codes in fewer bits: x_hat is what it was.

    A message says how often each symbol occurs among its n codes, n_s times, and a range
    coder that knows these frequencies takes for the codes

        L = sum_s n_s log2(n / n_s)

    bits and little more: 0.1 % where L is half a bit a code or more, 2 bits for its end, and
    the frequencies, in Golomb-Rice code (Rice 1979), about log2(n / symbols) + 2 bits each.
    Indices in rising order are sent as the gaps between them, in the same code. What would
    not be shorter so stands as it is, at the cost of one bit. The length is counted inside
    jit and is the message's `num_bits`, see `coding.lengths`; its frame has just as many
    bits, see `wire`, and needs the package's extra `entropy`.

    Args:
        quantizer: a `Quantizer`, else TypeError, with codes of 12 bits or fewer, codes
            that rise, or groups that are `apart`; without options, for which its length would have to stand;
            ValueError otherwise, partly by `layout`.

    Returns:
        A `Quantizer` on f32[d]. A message has the codes and sides of the quantizer's and
        costs 32 bits a side and those of the codes: at most a bit for each group of codes
        more than before.
    """
    require_instance("entropy_coded", "quantizer", quantizer, Quantizer)
    if quantizer.choose is not None:
        raise ValueError(
            "entropy_coded: takes no choice or warm-up, whose options are told by their "
            "lengths"
        )

    def layout(d):
        plain = quantizer.layout(d)
        _require_codable(plain)
        return plain._replace(scheme=f"coded-{plain.scheme}", coded=True)

    def encode(key, x):
        message = quantizer.encode(key, x)
        sent = layout(x.size)
        bits = coding.num_bits(message.codes, sent.runs, sent.rising)
        return message._replace(num_bits=bits + jnp.int32(32 * sent.num_sides))

    schedule = quantizer.schedule
    return quantizer._replace(
        encode=encode,
        layout=layout,
        schedule=schedule and (lambda k: entropy_coded(schedule(k))),
    )


def _require_codable(plain: Layout) -> None:
    if plain.coded:
        raise ValueError("entropy_coded: is coded already")
    found = coding.groups(plain.runs, plain.rising)
    if len(found) < 2 and not any(group.codable for group in found):
        raise ValueError(
            f"entropy_coded: needs codes of {coding.WIDEST} bits or fewer, indices in rising "
            f"order or parts that are apart, got {plain.scheme} with runs {plain.runs}"
        )
    if plain._replace(coded=True).unit > 1:
        raise ValueError(
            "entropy_coded: messages must be shorter than 2**31 bits, which are counted one "
            f"by one, got {plain.num_bits:,}"
        )
