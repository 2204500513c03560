"""Who takes part in a round: one `Scheduler` per policy.

A scheduler looks at what the server knows of its clients and answers bool[m]. It takes
only the eligible, and draws lots where its criterion tells no difference: an order by
index would favour the same clients in each round.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Candidates(NamedTuple):
    """What the server knows when it chooses.

    Attributes:
        round_index: i32[], counted from 0.
        eligible: bool[m], who may be chosen at all.
        snr: f[m], of this round.
        mean_snr: f[m], on the long run.
        age: i32[m], rounds since the client was last heard.
        news: f[m], what its message is worth, such as ||innovation||^2.
        num_bits: i32[m], length of its message.
        energy_j: f[m], what the round would cost it.
        battery_j: f[m], what it has left.
    """

    round_index: jax.Array
    eligible: jax.Array
    snr: jax.Array
    mean_snr: jax.Array
    age: jax.Array
    news: jax.Array
    num_bits: jax.Array
    energy_j: jax.Array
    battery_j: jax.Array


Scheduler = Callable[[jax.Array, Candidates], jax.Array]


def highest(
    key: jax.Array, score: jax.Array, eligible: jax.Array, num: int
) -> jax.Array:
    """The num eligible of the highest score, bool[m]; fewer if fewer are eligible.

    Of equal scores any are as likely as others.
    """
    order = _by_score(key, jnp.where(eligible, score, -jnp.inf))
    first = jnp.arange(order.size) < num
    return jnp.zeros(order.shape, bool).at[order].set(first) & eligible


def all_eligible() -> Scheduler:
    """All the eligible."""

    def select(key, candidates):
        del key
        return candidates.eligible

    return select


def random(num: int) -> Scheduler:
    """num of the eligible, uniformly at random."""
    _require_positive("random", num)

    def select(key, candidates):
        # One pair in 2^23 is equal: that its lots are of the same key harms nobody.
        lots = jax.random.clone(key)
        score = jax.random.uniform(key, candidates.eligible.shape)
        return highest(lots, score, candidates.eligible, num)

    return select


def round_robin(num: int) -> Scheduler:
    """Groups of num in turn: in round k, clients k num .. k num + num - 1, modulo m.

    An ineligible client's turn passes unused (Yang et al. 2020, RR).
    """
    _require_positive("round_robin", num)

    def select(key, candidates):
        del key
        m = candidates.eligible.size
        first = _product_modulo(candidates.round_index % m, num, m)
        turn = (jnp.arange(m) - first) % m < num
        return turn & candidates.eligible

    return select


def best_channel(num: int) -> Scheduler:
    """The num of the highest SNR; those at the edge may never speak."""
    _require_positive("best_channel", num)

    def select(key, candidates):
        return highest(key, candidates.snr, candidates.eligible, num)

    return select


def proportional_fair(num: int) -> Scheduler:
    """The num whose SNR is highest against their own mean (Yang et al. 2020, PF).

    Who has no mean yet, as all in the first round, is at its mean.
    """
    _require_positive("proportional_fair", num)

    def select(key, candidates):
        known = candidates.mean_snr > 0.0
        ratio = candidates.snr / jnp.where(known, candidates.mean_snr, 1.0)
        score = jnp.where(known, ratio, 1.0)
        return highest(key, score, candidates.eligible, num)

    return select


def oldest(num: int) -> Scheduler:
    """The num that have not been heard for longest; of equals the highest SNR."""
    _require_positive("oldest", num)

    def select(key, candidates):
        rank = _rank(candidates.age, candidates.snr)
        return highest(key, -rank, candidates.eligible, num)

    return select


def longest_lived(num: int) -> Scheduler:
    """The num that will have most energy left, of those whose battery will last.

    Of equals those that spend least: on mains, where all have any amount left, these are
    the cheapest.
    """
    _require_positive("longest_lived", num)

    def select(key, candidates):
        left = candidates.battery_j - candidates.energy_j
        rank = _rank(left, -candidates.energy_j)
        return highest(key, -rank, candidates.eligible & (left >= 0.0), num)

    return select


def bits_budget(budget_bits: int) -> Scheduler:
    """As much news as a budget of uplink bits carries: a greedy knapsack.

    In the order of news per bit, each client is taken whose message still fits. If none
    is longer than the fraction e of the budget, the news taken is at least 1 - e of the
    best that any choice could take.

    Args:
        budget_bits: of one round's uplink, 1 to 2**31 - 1; ValueError otherwise.
    """
    _require_positive("bits_budget", budget_bits)

    def select(key, candidates):
        willing = candidates.eligible & (candidates.num_bits > 0)
        worth = candidates.news / jnp.maximum(candidates.num_bits, 1)
        order = _by_score(key, jnp.where(willing, worth, -jnp.inf))

        def take(left, client):
            fits = willing[client] & (candidates.num_bits[client] <= left)
            return left - jnp.where(fits, candidates.num_bits[client], 0), fits

        _, taken = jax.lax.scan(take, jnp.int32(budget_bits), order)
        return jnp.zeros_like(willing).at[order].set(taken)

    return select


def drain(battery_j: jax.Array, energy_j: jax.Array) -> jax.Array:
    """The batteries after the round; an empty one stays empty."""
    return jnp.maximum(battery_j - energy_j, 0.0)


def next_age(age: jax.Array, heard: jax.Array) -> jax.Array:
    """Rounds since each client was last heard, i32[m]: 0 for those heard now."""
    return jnp.where(heard, 0, age + 1)


def next_mean(mean: jax.Array, value: jax.Array, memory: float) -> jax.Array:
    """The exponential average: memory x mean + (1 - memory) x value."""
    return memory * mean + (1.0 - memory) * value


def _by_score(key: jax.Array, score: jax.Array) -> jax.Array:
    """Who comes first, second, ...: by score, highest first, of equals by lot, i32[m]."""
    lots = jax.random.permutation(key, score.size)
    return lots[jnp.argsort(-score[lots], stable=True)]


def _rank(score: jax.Array, tie: jax.Array) -> jax.Array:
    """How many are before each: of a higher score, or of the same and a higher tie."""
    by_tie = jnp.argsort(-tie, stable=True)
    order = by_tie[jnp.argsort(-score[by_tie], stable=True)]
    first, second = score[order], tie[order]
    new = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    place = jnp.where(new, jnp.arange(1, order.size), 0)
    place = jnp.concatenate([jnp.zeros(1, place.dtype), jax.lax.cummax(place)])
    return jnp.zeros_like(order).at[order].set(place)


def _product_modulo(k: jax.Array, num: int, m: int) -> jax.Array:
    """k num mod m for 0 <= k < m, by Horner's rule on the bits of num.

    The product would overflow where m is beyond 46,340; here nothing exceeds 3 m.
    """
    product = jnp.zeros_like(k)
    for bit in f"{num % m:b}":
        product = (2 * product + int(bit) * k) % m
    return product


def _require_positive(where: str, num: int) -> None:
    whole = isinstance(num, int) and not isinstance(num, bool)
    if not whole or not 1 <= num < 2**31:
        raise ValueError(f"{where}: must be an integer in 1..2**31 - 1, got {num=}")
