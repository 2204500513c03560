"""FEDL: the trade of energy for time in closed form (Tran et al. 2019).

Clients compute in parallel and send one after another (TDMA). With a price of kappa
watts on time and a local accuracy theta, which costs log(1/theta) local passes and
1 / (1 - theta) rounds, the bill to a given global accuracy is

    (E_com + kappa T_com + log(1/theta) (E_cmp + kappa T_cmp)) / (1 - theta).

The bill of computing, the bill of sending and then theta are minimised one by one
(SUB1, SUB2, SUB3), which is the joint optimum, for theta only scales the other two.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.wireless.cost import compute_energy_j
from flq_jax.wireless.link import LN2
from flq_jax.wireless.special import bisect, one_plus_lambert_w


class Computing(NamedTuple):
    """SUB1's answer.

    Attributes:
        frequency_hz: f[m].
        latency_s: f[], T_cmp, of the slowest feasible client.
        energy_j: f[m]; E_cmp is the sum of the feasible. Infinite if infeasible.
        feasible: bool[m], whether the client has a clock to run at, or nothing to do.
    """

    frequency_hz: jax.Array
    latency_s: jax.Array
    energy_j: jax.Array
    feasible: jax.Array


def cpu_frequencies(
    cycles: jax.Array,
    price_w: jax.Array,
    capacitance: jax.Array | float,
    frequency_min_hz: jax.Array,
    frequency_max_hz: jax.Array,
) -> Computing:
    """min_f sum_n k C_n f_n^2 + kappa T,   T = max_n C_n / f_n   (SUB1).

    Nobody need be faster than the slowest, f_n = clip(C_n / T, f_min, f_max), so T is
    where one more second saves kappa joules,

        kappa = sum_{n: C_n / T > f_min} 2 k C_n^3 / T^3,

    or the end of [max C_n / f_max, max C_n / f_min] nearest to it. Sums and maxima are
    over the feasible clients with cycles; the others change nobody's answer.

    Args:
        cycles: C, f[m], of one local pass; 0 for who takes no part.
        price_w: kappa, f[], above 0.
        capacitance: k, f[] or f[m], J s^2 per cycle; half the paper's alpha.
        frequency_min_hz: f[m], 0 or more; above frequency_max_hz is infeasible.
        frequency_max_hz: f[m]; 0 is infeasible.
    """
    clocked = (frequency_min_hz <= frequency_max_hz) & (frequency_max_hz > 0.0)
    feasible = clocked | (cycles <= 0.0)
    work = jnp.where(clocked, cycles, 0.0)

    def worth_w(needed_hz):
        saved_w = 2.0 * capacitance * needed_hz**3
        return jnp.sum(jnp.where(needed_hz > frequency_min_hz, saved_w, 0.0))

    def slowest_s(frequency_hz, stopped_s):
        seconds = work / jnp.where(frequency_hz > 0.0, frequency_hz, 1.0)
        idle = (frequency_hz <= 0.0) & (work > 0.0)
        return jnp.max(jnp.where(idle, stopped_s, seconds))

    low_s = slowest_s(frequency_max_hz, 0.0)
    some_s = jnp.where(low_s > 0.0, low_s, 1.0)
    # Where a clock may stop, no T is too long; but one at which all that is saved at the
    # shortest T is worth kappa (it falls with T^3) is long enough.
    free_s = some_s * jnp.cbrt(worth_w(work / some_s) / price_w)
    high_s = jnp.maximum(low_s, slowest_s(frequency_min_hz, free_s))
    _, latency_s = bisect(lambda s: worth_w(work / s) > price_w, low_s, high_s)
    needed_hz = work / jnp.where(latency_s > 0.0, latency_s, 1.0)
    frequency_hz = jnp.clip(needed_hz, frequency_min_hz, frequency_max_hz)
    energy_j = compute_energy_j(work, frequency_hz, capacitance)
    energy_j = jnp.where(feasible, energy_j, jnp.inf)
    return Computing(frequency_hz, latency_s, energy_j, feasible)


class Slots(NamedTuple):
    """SUB2's answer.

    Attributes:
        slot_s: f[m]; T_com is their sum. Infinite if infeasible.
        power_w: f[m].
        energy_j: f[m]; E_com is their sum. Infinite if infeasible.
        feasible: bool[m], whether the client's signal reaches the server at all.
    """

    slot_s: jax.Array
    power_w: jax.Array
    energy_j: jax.Array
    feasible: jax.Array


def slot_times(
    num_bits: jax.Array,
    price_w: jax.Array,
    snr_per_w: jax.Array,
    bandwidth_hz: jax.Array,
    power_min_w: jax.Array,
    power_max_w: jax.Array,
) -> Slots:
    """min_tau sum_n tau_n p_n(tau_n) + kappa tau_n,   p_min <= p_n <= p_max   (SUB2).

    The spectral efficiency v_n = Z_n ln 2 / (B tau_n) at which a second is worth kappa,

        v_n = 1 + W_0((kappa snr_per_w_n - 1) / e),

    clipped to those of p_min and p_max; p_n = (e^(v_n) - 1) / snr_per_w_n.

    Args:
        num_bits: Z, f[m]; 0 for who sends nothing, and then gets no slot. The paper
            counts nats, Z ln 2.
        price_w: kappa, f[].
        snr_per_w: h_n / N_0 over the whole band, f[m], 1/W.
        bandwidth_hz: B, f[].
        power_min_w: f[] or f[m].
        power_max_w: f[] or f[m].
    """
    efficiency = one_plus_lambert_w(price_w * snr_per_w)
    ends = jnp.log1p(snr_per_w * power_min_w), jnp.log1p(snr_per_w * power_max_w)
    efficiency = jnp.clip(efficiency, *ends)
    feasible = (num_bits <= 0) | ((efficiency > 0.0) & (ends[0] <= ends[1]))
    safe = jnp.where(efficiency > 0.0, efficiency, 1.0)
    slot_s = jnp.where(feasible, num_bits * LN2 / (bandwidth_hz * safe), jnp.inf)
    power_w = jnp.where(
        num_bits > 0, jnp.expm1(efficiency) / jnp.where(feasible, snr_per_w, 1.0), 0.0
    )
    energy_j = jnp.where(feasible, slot_s * power_w, jnp.inf)
    return Slots(slot_s, power_w, energy_j, feasible)


def local_accuracy(compute_bill: jax.Array, upload_bill: jax.Array) -> jax.Array:
    """min_theta (upload + log(1/theta) compute) / (1 - theta)   (SUB3).

    Its root of ln theta + 1/theta = 1/eta, eta = compute / (compute + upload), is found
    as u = log(1/theta): e^u - 1 - u = upload / compute, by Newton's iteration from above
    on a convex function.

    Args:
        compute_bill: E_cmp + kappa T_cmp, f[...], above 0.
        upload_bill: E_com + kappa T_com, f[...], above 0.

    Returns:
        theta, f[...], in (0, 1).
    """
    target = upload_bill / compute_bill
    u = jnp.log1p(target + jnp.sqrt(2.0 * target))
    for _ in range(8):
        u = u - (jnp.expm1(u) - u - target) / jnp.expm1(u)
    return jnp.exp(-u)


class Optimum(NamedTuple):
    """FEDL's joint optimum.

    Attributes:
        computing: SUB1's answer.
        slots: SUB2's answer.
        theta: local accuracy, f[] in [0, 1].
        bill_j: the minimum over the feasible, energy and priced time to the global
            accuracy, f[].
        feasible: bool[m], of both subproblems.
    """

    computing: Computing
    slots: Slots
    theta: jax.Array
    bill_j: jax.Array
    feasible: jax.Array


def joint_optimum(
    cycles: jax.Array,
    num_bits: jax.Array,
    price_w: jax.Array,
    *,
    capacitance: jax.Array | float,
    frequency_min_hz: jax.Array,
    frequency_max_hz: jax.Array,
    snr_per_w: jax.Array,
    bandwidth_hz: jax.Array,
    power_min_w: jax.Array,
    power_max_w: jax.Array,
) -> Optimum:
    """All three at once; the arguments are those of SUB1 and SUB2.

    The bill is that of the feasible. Who cannot be heard need not compute either, and
    counts as one with 0 cycles. Where nobody computes theta is 0, and where nobody sends
    it is 1: the limits, as is the bill.
    """
    slots = slot_times(
        num_bits, price_w, snr_per_w, bandwidth_hz, power_min_w, power_max_w
    )
    cycles = jnp.where(slots.feasible, cycles, 0.0)
    computing = cpu_frequencies(
        cycles, price_w, capacitance, frequency_min_hz, frequency_max_hz
    )
    feasible = computing.feasible & slots.feasible

    def total(values):
        return jnp.sum(jnp.where(feasible, values, 0.0))

    compute_bill = total(computing.energy_j) + price_w * computing.latency_s
    upload_bill = total(slots.energy_j) + price_w * total(slots.slot_s)
    theta, bill_j = _least_bill(compute_bill, upload_bill)
    return Optimum(computing, slots, theta, bill_j, feasible)


def _least_bill(
    compute_bill: jax.Array, upload_bill: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """SUB3's theta and its minimum, either bill 0 or more."""
    both = (compute_bill > 0) & (upload_bill > 0)
    compute = jnp.where(both, compute_bill, 1.0)
    upload = jnp.where(both, upload_bill, 1.0)
    theta = local_accuracy(compute, upload)
    bill = (upload - jnp.log(theta) * compute) / (1.0 - theta)
    limit = jnp.where(upload_bill > 0, 0.0, 1.0)
    return (
        jnp.where(both, theta, limit),
        jnp.where(both, bill, compute_bill + upload_bill),
    )
