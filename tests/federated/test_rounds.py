"""The federated step: whoever is silent, empty or broken, the mean is the right one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax import federated, keys
from flq_jax.compressors import direct, error_feedback, innovation, lazy
from flq_jax.data.clients import ClientData
from flq_jax.federated import Federation
from flq_jax.quantizers import identity, sign, stochastic, top_k, uniform

D = 3


def quadratic(params, inputs, labels, weights, key):
    """1/2 sum_i weights_i ||theta - input_i||^2: the gradient is theta - the mean."""
    del labels, key
    distances = jnp.sum((params[None, :] - inputs) ** 2, axis=1)
    return 0.5 * jnp.dot(weights, distances)


def clients(sizes=(2, 4, 0, 1), broken=()):
    """Client m holds copies of (m, m, m); a broken one holds NaN."""
    width = max(sizes)
    inputs = np.zeros((len(sizes), width, D), np.float32)
    for m, size in enumerate(sizes):
        inputs[m, :size] = np.nan if m in broken else m
    labels = np.zeros(inputs.shape[:2], np.int32)
    return ClientData(inputs, labels, np.int32(sizes))


@functools.cache
def federation(compressor=None, network=None, step=1.0, m=4, **changes):
    ingredients = Federation(
        local_update=federated.gradient(quadratic),
        compressor=compressor or direct(identity()),
        downlink=federated.exact(),
        server_optimizer=optax.sgd(step),
        step_size=step,
        network=network or federated.everyone(m),
        unravel=lambda theta: theta,
    )
    return ingredients._replace(**changes)


@functools.cache
def jitted(fed):
    """A round of the federation: data, state, round index -> state, metrics."""
    return jax.jit(functools.partial(federated.round_step, fed, keys.seed_key(0)))


def run(fed, data, rounds=1, theta=(0.0, 0.0, 0.0)):
    """(final state, list of metrics) after `rounds` jitted rounds, in numpy."""
    state = federated.init(fed, np.asarray(theta, np.float32), len(data.sizes))
    log = []
    for k in range(rounds):
        state, metrics = jitted(fed)(data, state, np.int32(k))
        log.append(jax.tree.map(np.asarray, metrics))
    return jax.tree.map(np.asarray, state), log


def test_one_step_of_one_is_the_weighted_mean_of_the_clients():
    state, (metrics,) = run(federation(), clients())
    # (2 * 0 + 4 * 1 + 1 * 3) / 7
    np.testing.assert_allclose(state.params, 1.0, rtol=1e-6)
    np.testing.assert_array_equal(metrics.uplink_bits, [96, 96, 0, 96])
    # loss at 0: (4 * 1.5 + 1 * 13.5) / 7
    np.testing.assert_allclose(metrics.loss, 19.5 / 7, rtol=1e-6)
    assert metrics.downlink_bits == 96 and metrics.listeners == 4


@pytest.mark.parametrize("link", [direct(identity()), lazy(innovation(identity()))])
def test_a_client_that_is_not_finite_is_silent_and_reported(link):
    state, log = run(federation(link), clients(broken=(3,)), rounds=3)
    assert all(metrics.diverged == 1 for metrics in log)
    assert all(metrics.uplink_bits[3] == 0 for metrics in log)
    assert np.all(np.isfinite(state.params))
    if link.estimate is None:
        np.testing.assert_allclose(state.params, 4 / 6, rtol=1e-6)


@pytest.mark.parametrize("adopted, second", [(False, (-6, -2)), (True, (-6, -1))])
def test_a_server_that_adopts_the_clients_model_feeds_nothing_back(adopted, second):
    """Gradients of (3, 1): w = 0, then theta = (-3, -1) of which top-1 sends -3.

    w = (-3, 0), whence the next step goes, or from theta. Both are seen by the loss, which
    is linear.
    """

    def linear(params, inputs, labels, weights, key):
        del inputs, labels, key
        return jnp.sum(weights) * jnp.dot(params, jnp.float32([3, 1, 0]))

    down = federated.compressed(innovation(top_k(1, D)), adopted=adopted)
    fed = federation(local_update=federated.gradient(linear), downlink=down)
    state, _ = run(fed, clients(), rounds=2)
    np.testing.assert_allclose(state.params[:2], second, rtol=1e-6)


def test_only_a_model_that_is_known_can_be_adopted():
    with pytest.raises(ValueError, match="needs a compressor with an estimate"):
        federated.compressed(direct(sign()), adopted=True)


def test_a_gradient_that_overflows_is_not_finite():
    data = clients(sizes=(1, 1))
    data.inputs[1] = 1e30
    state, (metrics,) = run(federation(m=2), data)
    assert metrics.diverged == 1
    np.testing.assert_array_equal(state.params, 0.0)


@functools.cache
def _overflowing():
    """A quantizer whose norm is infinite where its square is no f32."""
    made = stochastic(1)

    def encode(key, x):
        side = jnp.sqrt(jnp.sum(jnp.square(x)))[None]
        return made.encode(key, x)._replace(side=side)

    return made._replace(encode=encode)


@pytest.mark.parametrize("wrap", [error_feedback, innovation])
def test_a_memory_that_overflows_with_an_update_does_not_poison_the_server(wrap):
    """|x|^2 = 3 (1e19)^2 is an f32, |x + e|^2 and |x - r|^2 of twice x are not."""
    data = clients(sizes=(1, 1))
    fed = federation(wrap(_overflowing()), m=2, step=1e-30)
    state, log = federated.init(fed, np.zeros(D, np.float32), 2), []
    for k in range(4):
        data.inputs[1] = 1e19 if wrap is error_feedback else 1e19 * (-1) ** k
        state, metrics = jitted(fed)(data, state, np.int32(k))
        log.append(int(metrics.diverged))
        assert np.all(np.isfinite(state.params))
        remembered = jax.tree.leaves((state.client_memory, state.server_memory))
        assert all(np.all(np.isfinite(x)) for x in remembered)
    assert log[0] == 0 and sum(log) > 0


def test_if_nobody_speaks_the_model_and_the_optimizer_stay():
    data = clients(broken=(0, 1, 3))
    fed = federation(server_optimizer=optax.adam(0.1))
    state, (metrics,) = run(fed, data, theta=np.ones(D))
    np.testing.assert_array_equal(state.params, 1.0)
    assert jax.tree.leaves(state.opt_state)[0] == 0
    assert np.isnan(metrics.loss) and metrics.diverged == 3


def test_only_empty_clients_move_nothing():
    state, (metrics,) = run(
        federation(m=2),
        clients(sizes=(1, 1))._replace(sizes=np.zeros(2, np.int32)),
    )
    np.testing.assert_array_equal(state.params, 0.0)
    np.testing.assert_array_equal(metrics.uplink_bits, 0)


def test_sampled_clients_alone_speak_and_remember():
    data = clients(sizes=(1,) * 6)
    fed = federation(error_feedback(sign()), federated.sampled(2, 6))
    state, log = run(fed, data, rounds=1, theta=(1.0, 2.0, 4.0))
    spoke = log[0].uplink_bits > 0
    assert spoke.sum() == 2 and log[0].listeners == 2
    remembers = np.abs(state.client_memory).sum(axis=1) > 0
    np.testing.assert_array_equal(remembers, spoke)


def test_those_not_sampled_count_with_their_last_estimate():
    data = clients(sizes=(1,) * 4)
    fed = federation(innovation(identity()), federated.sampled(1, 4), step=0.0)
    state, log = run(fed, data, rounds=60)
    # With a step of 0 all are heard in time: the references are their gradients.
    expected = -np.arange(4.0)[:, None] * np.ones(D)
    np.testing.assert_allclose(state.server_memory, expected, atol=1e-6)
    assert sum(metrics.uplink_bits.sum() for metrics in log) == 60 * 96


def test_a_round_takes_memory_for_the_sampled_alone():
    """Beside the state: not even a byte of each parameter of those who stay away."""
    d = 1000

    def temporary(clients):
        fed = federation(lazy(innovation(sign())), federated.sampled(4, clients))
        shapes = jax.eval_shape(
            lambda: (
                federated.init(fed, jnp.zeros(d), clients),
                ClientData(
                    jnp.zeros((clients, 1, d)),
                    jnp.zeros((clients, 1), jnp.int32),
                    jnp.ones(clients, jnp.int32),
                ),
            )
        )

        def rounds(state, shards):
            step = functools.partial(
                federated.round_step, fed, keys.seed_key(0), shards
            )
            return federated.run_rounds(step, state, jnp.int32(0), jnp.int32(2), 2)

        program = jax.jit(rounds, donate_argnums=0).lower(*shapes).compile()
        return program.memory_analysis().temp_size_in_bytes

    assert temporary(1024) - temporary(64) < 960 * d


def test_movements_are_the_squared_norms_of_mean_updates():
    fed = federation(lazy(innovation(identity()), history=3, weight=0.0), step=0.5)
    state, _ = run(fed, clients(), rounds=2)
    # theta goes 0 -> 1/2 -> 3/4 toward 1: mean updates of norm 1 and 1/2 each entry.
    np.testing.assert_allclose(state.params, 0.75, rtol=1e-6)
    np.testing.assert_allclose(state.movements, [0.25 * D, D, 0.0], rtol=1e-5)


def test_the_mean_of_quantized_messages_is_off_by_the_grid_at_most():
    data = clients(sizes=(1, 1))
    theta = (0.3, -0.2, 0.9)
    state, _ = run(federation(direct(uniform(4)), m=2), data, theta=theta)
    radii = [0.9, 1.2]  # max |theta - m| of the two clients
    assert np.max(np.abs(state.params - 0.5)) <= sum(radii) / 2 / 15 * (1 + 1e-5)


def test_local_epochs_visit_each_example_once():
    data = clients(sizes=(5, 3, 0), broken=())

    @jax.jit
    def seen(data):
        each = jax.vmap(lambda key, shard: federated.local.ordered(key, shard, 3, 2))
        return each(jax.random.split(jax.random.key(0), 3), data)

    rows, present = map(np.asarray, seen(data))
    for m, size in enumerate((5, 3, 0)):
        assert sorted(rows[m][present[m]].tolist()) == list(range(size))


def test_local_epochs_by_hand():
    # One example a step, all alike: theta <- theta - 1/2 (theta - m), `size` times.
    data = clients(sizes=(2, 1, 0))
    local = federated.local_epochs(quadratic, optax.sgd(0.5), batch=1, epochs=1)
    fed = federation(local_update=local, network=federated.everyone(3))
    state, (metrics,) = run(fed, data, theta=np.full(D, 4.0))
    # client 0: 4 -> 2 -> 1; client 1: 4 -> 2.5; mean weighted by (2, 1)
    np.testing.assert_allclose(state.params, (2 * 1.0 + 2.5) / 3, rtol=1e-6)
    np.testing.assert_array_equal(metrics.uplink_bits, [96, 96, 0])


def test_batches_are_drawn_from_the_clients_own_examples():
    @jax.jit
    def drawn(shard):
        return federated.local.drawn(jax.random.key(0), shard, batch=50)

    inputs = np.arange(9, dtype=np.float32).reshape(3, 3)
    shard = ClientData(inputs, np.zeros(3, np.int32), np.int32(2))
    batch = drawn(shard)
    assert set(np.asarray(batch.inputs)[:, 0].tolist()) == {0.0, 3.0}
    np.testing.assert_allclose(np.sum(batch.weights), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(drawn(shard._replace(sizes=np.int32(0))).weights, 0.0)


@pytest.mark.parametrize("make", [federated.uniform_downlink, federated.tanh_downlink])
def test_the_broadcast_is_eight_bits_a_weight(make):
    theta = np.random.default_rng(0).standard_normal(D)
    fed = federation(downlink=make(8, [1, 2]), step=0.0)
    _, (metrics,) = run(fed, clients(), theta=theta)
    ranges = 64 if make is federated.uniform_downlink else 0
    assert metrics.downlink_bits == 8 * D + ranges


def test_the_tanh_downlink_pulls_gradients_back_to_theta():
    theta = np.random.default_rng(0).standard_normal(D).astype(np.float32)
    down = federated.tanh_downlink(8, [D])
    g = np.array([1.0, -2.0, 0.5], np.float32)

    def smooth(t):
        return np.tanh(t) / np.abs(np.tanh(t)).max()

    t, h = np.asarray(theta, np.float64), 1e-6
    slopes = [g @ (smooth(t + h * e) - smooth(t - h * e)) / (2 * h) for e in np.eye(D)]
    pulled = jax.jit(down.pullback)(theta, g)
    np.testing.assert_allclose(pulled, slopes, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(
        federated.uniform_downlink(8, [D]).pullback(theta, g), g
    )


def test_a_loop_of_rounds_is_the_rounds_one_by_one():
    fed, data = federation(lazy(innovation(uniform(4))), step=0.3), clients()
    one_by_one, log = run(fed, data, rounds=7)
    step = functools.partial(federated.round_step, fed, keys.seed_key(0), data)
    traces = []

    @jax.jit
    def chunk(state, start, count):
        traces.append(1)
        return federated.run_rounds(step, state, start, count, 5)

    state = federated.init(fed, np.zeros(D, np.float32), 4)
    state, first, done, reached = chunk(state, np.int32(0), np.int32(5))
    assert int(done) == 5 and not bool(reached)
    state, second, done, _ = chunk(state, np.int32(5), np.int32(2))
    assert int(done) == 2 and len(traces) == 1
    first, second = jax.tree.map(np.asarray, (first, second))
    losses = np.concatenate([first.loss[:5], second.loss[:2]])
    np.testing.assert_allclose(losses, [metrics.loss for metrics in log], rtol=1e-5)
    np.testing.assert_allclose(state.params, one_by_one.params, rtol=1e-5)


def test_a_loop_of_known_length_is_the_same_rounds():
    fed, data = federation(lazy(innovation(uniform(4))), step=0.3), clients()
    step = functools.partial(federated.round_step, fed, keys.seed_key(0), data)
    state = federated.init(fed, np.zeros(D, np.float32), 4)

    @jax.jit
    def both(state):
        start, target = jnp.int32(3), -jnp.inf
        known = federated.run_rounds(step, state, start, None, 4)
        asked = federated.run_rounds(step, state, start, jnp.int32(4), 4)
        aimed = federated.run_rounds(step, state, start, None, 4, target)
        return known, asked, aimed

    known, asked, aimed = both(state)
    assert int(known[2]) == 4 and not bool(known[3])
    jax.tree.map(np.testing.assert_array_equal, known, asked)
    jax.tree.map(np.testing.assert_array_equal, known, aimed)


def test_a_loop_stops_after_the_round_that_reaches_the_target():
    fed, data = federation(step=0.5, m=2), clients(sizes=(1, 1))
    state = federated.init(fed, np.full(D, 4.5, np.float32), 2)
    step = functools.partial(federated.round_step, fed, keys.seed_key(0), data)

    # f - f* = 1.5 * (theta - 1/2)^2 is 24, 6, 1.5, ... above f* = 0.375
    @jax.jit
    def chunk(state):
        return federated.run_rounds(
            step, state, jnp.int32(0), jnp.int32(9), 9, 0.375 + 1.6
        )

    _, metrics, done, reached = jax.tree.map(np.asarray, chunk(state))
    assert done == 3 and reached
    np.testing.assert_allclose(metrics.loss[:3], [24.375, 6.375, 1.875], rtol=1e-6)


def started(d):
    """The shapes of a state of four clients, for a model of d parameters."""
    halves = [jax.ShapeDtypeStruct((d // 2,), jnp.float32)] * 2
    return jax.eval_shape(lambda p: federated.init(federation(), p, 4), halves)


def test_a_model_of_a_billion_parameters_has_a_state():
    assert started(10**9).params.shape == (10**9,)


@pytest.mark.parametrize("length", [1, D - 1, D + 1])
@pytest.mark.parametrize("link", ["uplink", "downlink"])
def test_a_link_that_decodes_to_another_length_is_refused(link, length):
    """One entry would be every entry, and of more than d the last would be cut."""
    wrong = direct(sign()._replace(decode=lambda key, message: jnp.zeros(length)))
    down = federated.exact()._replace(compressor=wrong)
    fed = federation(wrong) if link == "uplink" else federation(downlink=down)
    state = federated.init(fed, np.zeros(D, np.float32), 4)
    match = rf"^{link}: .* f32\[{D}\], got f32\[{length}\]"
    with pytest.raises(ValueError, match=match):
        jitted(fed).trace(clients(), state, np.int32(0))


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: federated.sampled(5, 4), "count=5"),
        (lambda: federated.sampled(0, 4), r"count must be an integer in 1..4"),
        (lambda: federated.gradient(quadratic, -1), "batch=-1"),
        (lambda: federated.local_epochs(quadratic, optax.sgd(1.0), 0, 1), "batch=0"),
        (lambda: federated.local_epochs(quadratic, optax.sgd(1.0), 1, 0), "epochs=0"),
        (
            lambda: started(2**31),
            r"init: .* fewer than 2\*\*31 \(i32 indices\), got 2,147",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
