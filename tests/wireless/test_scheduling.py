"""A contract for all schedulers, and each policy by hand."""

import functools

import jax
import numpy as np
import pytest

from flq_jax.wireless import scheduling

M, NUM = 8, 3


def candidates(shape=(M,), share=1.0, **fields):
    """Random candidates; `shape` may have batch dimensions before m."""
    rng = np.random.default_rng(0)
    drawn = scheduling.Candidates(
        round_index=np.full(shape[:-1], 2, np.int32),
        eligible=rng.uniform(size=shape) < share,
        snr=rng.exponential(size=shape).astype(np.float32),
        mean_snr=rng.exponential(size=shape).astype(np.float32),
        age=rng.integers(0, 5, shape, np.int32),
        news=rng.exponential(size=shape).astype(np.float32),
        num_bits=rng.integers(0, 1000, shape, np.int32),
        energy_j=rng.exponential(size=shape).astype(np.float32),
        battery_j=rng.exponential(size=shape).astype(np.float32),
    )
    return drawn._replace(**fields)


@functools.cache
def jitted(scheduler):
    """(seed, candidates) -> who is selected."""
    return jax.jit(lambda seed, fields: scheduler(jax.random.key(seed), fields))


@functools.cache
def over_seeds(scheduler, axis=0):
    """The same for many seeds, each with candidates of its own or all with the same."""
    return jax.jit(jax.vmap(jitted(scheduler), in_axes=(0, axis)))


SCHEDULERS = {
    "all_eligible": (scheduling.all_eligible(), M),
    "random": (scheduling.random(NUM), NUM),
    "round_robin": (scheduling.round_robin(NUM), NUM),
    "best_channel": (scheduling.best_channel(NUM), NUM),
    "proportional_fair": (scheduling.proportional_fair(NUM), NUM),
    "oldest": (scheduling.oldest(NUM), NUM),
    "longest_lived": (scheduling.longest_lived(NUM), NUM),
    "bits_budget": (scheduling.bits_budget(1500), M),
}


@pytest.mark.parametrize("scheduler, most", SCHEDULERS.values(), ids=SCHEDULERS.keys())
def test_takes_only_the_eligible_and_no_more_than_it_may(scheduler, most):
    batch = candidates((50, M), share=0.7)
    selected = np.asarray(over_seeds(scheduler)(np.arange(50), batch))
    assert selected.shape == (50, M) and selected.dtype == bool
    assert not np.any(selected & ~batch.eligible)
    assert np.all(np.sum(selected, axis=1) <= most)
    assert np.any(selected)
    one = jitted(scheduler)(7, jax.tree.map(lambda x: x[7], batch))
    np.testing.assert_array_equal(one, selected[7])


@pytest.mark.parametrize("name", [n for n in SCHEDULERS if n != "all_eligible"])
def test_refuses_nothing_to_do_and_more_than_32_bits(name):
    with pytest.raises(ValueError, match=f"{name}: .*num=0"):
        getattr(scheduling, name)(0)
    with pytest.raises(ValueError, match=f"{name}: .*num=2147483648"):
        getattr(scheduling, name)(2**31)


LOTS = ["random", "best_channel", "proportional_fair", "oldest", "longest_lived"]


@pytest.mark.parametrize("battery_j", [5.0, np.inf], ids=["battery", "mains"])
@pytest.mark.parametrize("name", [*LOTS, "bits_budget"])
def test_equals_are_as_likely_as_each_other(name, battery_j):
    """The first round of a cell without fading: nothing tells one from another."""
    same = jax.tree.map(lambda field: np.ones_like(field), candidates())
    same = same._replace(mean_snr=np.zeros(M, np.float32), num_bits=np.full(M, 500))
    same = same._replace(battery_j=np.full(M, battery_j, np.float32))
    scheduler, _ = SCHEDULERS[name]  # bits_budget too has room for NUM messages
    selected = np.asarray(over_seeds(scheduler, axis=None)(np.arange(4000), same))
    assert np.all(selected.sum(axis=1) == NUM)
    p = NUM / M
    off = np.abs(selected.mean(axis=0) - p)
    assert np.all(off <= 5 * np.sqrt(p * (1 - p) / 4000))


def test_who_has_no_mean_yet_counts_as_at_its_mean():
    snr, mean = np.float32([5.0, 1, 9, 2, 7]), np.float32([10.0, 0, 3, 0, 70])
    fair = scheduling.proportional_fair(3)  # ratios .5, 1, 3, 1, .1
    assert choose(fair, snr=snr, mean_snr=mean) == [1, 2, 3]


def choose(scheduler, **fields):
    selected = jitted(scheduler)(0, candidates((5,), **fields))
    return np.flatnonzero(selected).tolist()


def test_random_is_uniform():
    select = over_seeds(scheduling.random(NUM), axis=None)
    share = np.mean(select(np.arange(4000), candidates()), axis=0)
    p = NUM / M
    assert np.all(np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / 4000))


def test_round_robin_takes_turns():
    robin = scheduling.round_robin(2)
    turns = [choose(robin, round_index=np.int32(k)) for k in range(5)]
    assert turns == [[0, 1], [2, 3], [0, 4], [1, 2], [3, 4]]
    # An ineligible client's turn passes unused.
    absent = np.array([True, False, True, True, True])
    assert choose(robin, round_index=np.int32(0), eligible=absent) == [0]
    late = choose(robin, round_index=np.int32(2**31 - 1))
    assert late == [0, 4]  # 2 (2^31 - 1) = 4 modulo 5


@pytest.mark.parametrize("num", [30_000, 99_999, 2**31 - 1])
def test_turns_of_many_clients_do_not_overflow(num):
    m, k = 100_000, 99_999
    everyone = np.ones(m, bool)
    fields = candidates(round_index=np.int32(k), eligible=everyone)
    selected = np.asarray(scheduling.round_robin(num)(None, fields))
    turn = (k * num + np.arange(min(num, m))) % m  # NumPy's integers have 64 bits
    np.testing.assert_array_equal(np.flatnonzero(selected), np.sort(turn))


def test_channel_policies():
    snr, mean = np.float32([5.0, 1, 9, 2, 7]), np.float32([5.0, 0.1, 9, 1, 70])
    assert choose(scheduling.best_channel(2), snr=snr) == [2, 4]
    fair = scheduling.proportional_fair(2)
    assert choose(fair, snr=snr, mean_snr=mean) == [1, 3]


def test_oldest_first_then_the_best_channel():
    age, snr = np.int32([4, 9, 4, 4, 0]), np.float32([1.0, 0, 3, 2, 99])
    assert choose(scheduling.oldest(2), age=age, snr=snr) == [1, 2]
    aged = jax.jit(scheduling.next_age)(age, age > 4)
    np.testing.assert_array_equal(aged, [5, 0, 5, 5, 1])


def test_batteries_that_empty():
    battery_j = np.float32([1.0, 5, 3, 0.1, 9])
    energy_j = np.float32([0.5, 4.9, 1, 1, 9.1])
    fields = {"battery_j": battery_j, "energy_j": energy_j}
    assert choose(scheduling.longest_lived(2), **fields) == [0, 2]
    assert choose(scheduling.longest_lived(5), **fields) == [0, 1, 2]
    left_j = jax.jit(scheduling.drain)(battery_j, energy_j)
    np.testing.assert_allclose(left_j, [0.5, 0.1, 2, 0, 0], rtol=1e-5)


def test_on_mains_the_cheapest_live_longest():
    energy_j = np.float32([5, 1, 4, 2, 3])
    fields = {"battery_j": np.full(5, np.inf, np.float32), "energy_j": energy_j}
    assert choose(scheduling.longest_lived(2), **fields) == [1, 3]
    fields["battery_j"] = np.float32([np.inf, 9, np.inf, 9, np.inf])
    assert choose(scheduling.longest_lived(4), **fields) == [0, 1, 2, 4]


def test_a_budget_of_bits_takes_the_densest_news():
    fields = {
        "news": np.float32([10.0, 6, 9, 1, 99]),
        "num_bits": np.int32([10, 5, 10, 4, 0]),
    }
    # News per bit 1, 1.2, .9, .25; the last is silent.
    assert choose(scheduling.bits_budget(15), **fields) == [0, 1]
    assert choose(scheduling.bits_budget(19), **fields) == [0, 1, 3]
    assert choose(scheduling.bits_budget(3), **fields) == []


def test_a_budget_of_bits_is_near_the_best_choice():
    """Against all subsets: at least 1 - (longest message / budget) of the best news."""
    budget = 1500
    batch = candidates((1000, M))
    select = over_seeds(scheduling.bits_budget(budget))
    taken = np.asarray(select(np.arange(1000), batch))
    bits, news = batch.num_bits, batch.news
    assert np.all((bits * taken).sum(axis=1) <= budget)
    subsets = (np.arange(2**M)[:, None] >> np.arange(M)) & 1
    speaking = news * (bits > 0)
    fits = bits @ subsets.T <= budget
    best = np.where(fits, speaking @ subsets.T, 0).max(axis=1)
    bound = (1 - bits.max(axis=1) / budget) * best
    assert np.all((news * taken).sum(axis=1) >= bound * (1 - 1e-6))
    assert np.mean((news * taken).sum(axis=1) / best) > 0.95


def test_mean_follows_slowly():
    mean = jax.jit(scheduling.next_mean)(np.float32([1, 0]), np.float32([0, 1]), 0.9)
    np.testing.assert_allclose(mean, [0.9, 0.1], rtol=1e-6)
