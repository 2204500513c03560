"""A cell as a network: whom it asks, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import flq_jax as flq
from flq_jax import keys, networks
from flq_jax.wireless import scheduling
from flq_jax.wireless.cell import Cell

M = 4
EXAMPLES = (10, 0, 10, 10)
D = 100


def place():
    """All near the server, two blocks, no errors, time and energy enough for anyone."""
    each = jnp.ones(M)
    return Cell(
        path_gain=1e-6 * each,
        interference_w=jnp.full(2, 1e-13),
        block_hz=jnp.float32(1e6),
        noise_w=jnp.float32(1e-13),
        power_max_w=0.1 * each,
        frequency_min_hz=1e8 * each,
        frequency_max_hz=1e9 * each,
        capacitance=1e-28 * each,
        downlink_hz=jnp.float32(1e7),
        downlink_power_w=jnp.float32(1.0),
        downlink_noise_w=jnp.float32(1e-13),
        deadline_s=jnp.float32(1.0),
        budget_j=each,
        waterfall=jnp.float32(0.0),
    )


def work(examples=EXAMPLES, quantizer=None):
    layout = flq.direct(quantizer or flq.sign()).layout(D)
    return networks.Work(layout, 32 * D, jnp.full(M, 1e5), jnp.asarray(examples))


def cell(scheduler, examples=EXAMPLES, **options):
    return networks.cell(scheduler, place=place(), work=work(examples), **options)


def played(network, rounds):
    """The network's state after so many rounds in which all send what they were asked."""

    def step(state, k):
        key = jax.random.fold_in(keys.seed_key(0), k)
        key_plan, key_settle = jax.random.split(key)
        plan = network.plan(key_plan, state, k)
        bits = jnp.where(plan.listens, D + 32, 0)
        outcome = network.settle(key_settle, state, plan, bits, jnp.ones(bits.size))
        return outcome.state, None

    return jax.jit(lambda state: jax.lax.scan(step, state, jnp.arange(rounds))[0])(
        network.init()
    )


@pytest.mark.parametrize(
    "scheduler, options",
    [
        (scheduling.oldest(1), {}),
        (scheduling.bits_budget(D + 32), {}),
        (scheduling.all_eligible(), {"assignment": "random"}),
    ],
    ids=["oldest", "bits_budget", "all_eligible"],
)
def test_who_has_no_examples_is_never_asked_and_the_others_are(scheduler, options):
    """It would never be heard, so that it were the oldest, and of most worth, for ever."""
    state = played(cell(scheduler, **options), rounds=12)
    assert state.scheduled[1] == 0
    assert np.all(state.scheduled[np.array([0, 2, 3])] > 0)
    np.testing.assert_array_equal(state.heard, state.scheduled)


def test_with_examples_of_everyone_the_oldest_take_turns():
    state = played(cell(scheduling.oldest(1), (1, 2, 3, 4)), rounds=2 * M)
    np.testing.assert_array_equal(state.heard, 2)


def test_batteries_are_of_any_amount_unless_it_is_said():
    for battery_j, least in ((None, np.inf), (2.5, 2.5), (jnp.arange(1.0, 5.0), 1.0)):
        state = cell(scheduling.oldest(1), battery_j=battery_j).init()
        assert state.cell.battery_j.shape == (M,)
        assert state.cell.battery_j.min() == least


def test_clients_stand_in_the_ring_that_is_told():
    where = networks.positions_m(keys.seed_key(0), 50, 100.0, 110.0)
    distance = np.linalg.norm(where, axis=1)
    assert 100.0 * (1 - 1e-6) <= distance.min() < distance.max() <= 110.0 * (1 + 1e-6)


def test_a_summary_is_of_plain_numbers():
    state = played(cell(scheduling.oldest(1)), rounds=3)
    found = networks.summary(jnp.arange(2.0 * M).reshape(M, 2), state)
    assert (found["x_m"], found["y_m"]) == ([0.0, 2.0, 4.0, 6.0], [1.0, 3.0, 5.0, 7.0])
    assert sum(found["scheduled"]) == sum(found["heard"]) == 3
    assert min(found["joules"]) == 0.0 < sum(found["joules"])


@pytest.mark.parametrize(
    "option, values, must",
    [
        ("thrift", [1.0, -0.1, 1 - 1e-9, "a"], r"in \[0, 1\)"),
        ("most_loss", [0.0, 1.1, 1e-46, None], r"in \(0, 1\]"),
        ("rician", [-1.0, float("inf"), 1e39, "a"], "finite and 0 or more"),
        ("mean_delay", [-1.0, float("nan"), (1,)], "finite and 0 or more"),
        ("battery_j", [0.0, -1.0, float("nan"), 1e-46, "a"], "finite and above 0, or"),
        ("worth", ["news", None, 1], "one of examples, age"),
        ("assignment", ["hamming", ["random"]], "one of hungarian, random"),
        ("effort", ["most", 1], "one of least, budget, full"),
    ],
)
def test_an_option_out_of_its_range_is_one_line(option, values, must):
    for value in [*values, *([float("nan")] if option != "worth" else [])]:
        with pytest.raises(ValueError, match=f"^cell: {option} must be {must}") as told:
            cell(scheduling.oldest(1), **{option: value})
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("scheduler", [scheduling.random, scheduling.all_eligible, 6])
def test_a_scheduler_that_was_not_made_is_told(scheduler):
    with pytest.raises(TypeError, match="^cell: scheduler must .* got "):
        cell(scheduler)


def test_places_and_work_of_another_type_are_told():
    with pytest.raises(TypeError, match="^cell: place must be a Cell, got a str$"):
        networks.cell(scheduling.oldest(1), place="here", work=work())
    with pytest.raises(TypeError, match="^cell: work must be a Work, got a int$"):
        networks.cell(scheduling.oldest(1), place=place(), work=3)


def test_options_go_from_narrow_to_wide():
    up, down = (flq.sign(), flq.uniform(2)), (flq.uniform(2), flq.sign())
    networks.cell(
        scheduling.oldest(1), place=place(), work=work(quantizer=flq.one_of(up))
    )
    with pytest.raises(ValueError, match=r"^cell: .* must ascend, got \(2, 1\)$"):
        networks.cell(
            scheduling.oldest(1), place=place(), work=work(quantizer=flq.one_of(down))
        )
