"""How many bits a client can afford: the largest width that fits, or silence."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.wireless.power import Upload, power_for_deadline, power_for_energy

WIDTHS = (1, 2, 4, 8, 32)


class Width(NamedTuple):
    """A choice among the widths on offer.

    Attributes:
        choice: i32[...], index of the width; -1 for silence.
        bits: i32[...], bits per coordinate; 0 for silence.
        num_bits: i32[...], length of the message; 0 for silence.
        upload: the `Upload` of that message; feasible is false for silence.
    """

    choice: jax.Array
    bits: jax.Array
    num_bits: jax.Array
    upload: Upload


def message_lengths(
    num_parameters: int, widths: tuple[int, ...] = WIDTHS, num_sides: int = 1
) -> jax.Array:
    """Length of a message at each width: width x parameters + 32 x sides, i32[k].

    Floats (width 32) need no side information. ValueError as in `as_lengths`.
    """
    return as_lengths(
        [w * num_parameters + (32 * num_sides if w < 32 else 0) for w in widths]
    )


def as_lengths(num_bits: Sequence[int]) -> jax.Array:
    """Lengths of messages as a plan counts them, i32[k]; ValueError from 2^31 bits on.

    A block of 1 MHz at 10 bits a second and hertz would take 215 s for one of those.
    """
    if max(num_bits) >= 2**31:
        raise ValueError(
            "wireless: a client's message must be shorter than 2**31 bits (i32), got "
            f"{max(num_bits):,}"
        )
    return jnp.asarray(num_bits, jnp.int32)


def widest(
    lengths: jax.Array,
    deadline_s: jax.Array,
    energy_j: jax.Array,
    snr_per_w: jax.Array,
    bandwidth_hz: jax.Array,
    power_max_w: jax.Array,
    widths: tuple[int, ...] = WIDTHS,
    least_energy: bool = True,
    power_min_w: jax.Array | float = 0.0,
) -> Width:
    """The largest width at which some power meets both deadline and energy budget.

    Energy grows with power, so there is one iff the least power allowed and in time is
    within p_max and within the budget. Longer messages need more of both: a client that can afford a
    width can afford all below it.

    Args:
        lengths: i32[k], message lengths at the widths, as `message_lengths` counts.
        deadline_s: f[...], time left for the upload.
        energy_j: f[...], energy left for the upload.
        snr_per_w: f[...].
        bandwidth_hz: f[] or f[...].
        power_max_w: f[...].
        widths: k integers, ascending; ValueError otherwise.
        least_energy: send with the least power that is in time; otherwise with the most
            that the budget allows, for the fewest packet errors (Chen et al. 2021).
        power_min_w: f[...], less is not sent with; above power_max_w is infeasible.

    Returns:
        A `Width` of shape [...].
    """
    if list(widths) != sorted(set(widths)) or len(widths) != lengths.shape[0]:
        raise ValueError(
            f"widest: widths must ascend, one to each length, got {widths=} and "
            f"{lengths.shape=}"
        )
    link = snr_per_w, bandwidth_hz, power_max_w

    def fits(length):
        upload = power_for_deadline(length, deadline_s, *link, power_min_w)
        return upload.feasible & (upload.energy_j <= energy_j)

    # i32[...]: widths ascend and so do the needs, so counting is choosing the largest.
    choice = jnp.sum(jax.vmap(fits)(lengths), axis=0, dtype=jnp.int32) - 1
    speaks = choice >= 0
    index = jnp.maximum(choice, 0)
    num_bits = jnp.where(speaks, lengths[index], 0)
    bits = jnp.where(speaks, jnp.asarray(widths, jnp.int32)[index], 0)
    if least_energy:
        upload = power_for_deadline(num_bits, deadline_s, *link, power_min_w)
    else:
        upload = power_for_energy(num_bits, energy_j, *link)
    return Width(choice, bits, num_bits, upload._replace(feasible=speaks))
