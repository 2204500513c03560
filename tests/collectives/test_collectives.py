"""A mean of messages: what is decoded by hand, the same on all devices, and few bytes."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import arrays, collectives
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from more import more, only

from flq_jax import wire
from flq_jax.collectives import MeanState, compressed_mean, state_specs
from flq_jax.compressors import (
    Broadcast,
    Compressor,
    clag,
    direct,
    econtrol,
    error_feedback,
    innovation,
    lazy,
    marina,
    momentum,
)
from flq_jax.quantizers import (
    eden,
    entropy_coded,
    geometric,
    identity,
    lloyd_max,
    natural,
    one_of,
    rand_k,
    segmented,
    sign,
    stochastic,
    terngrad,
    top_k,
    uniform,
    warm_up,
)
from flq_jax.simulation.checkpoints import Checkpoints

R, D = 4, 24
SHAPES = {"b": (4,), "w": (5, 4)}
LINKS = {
    "EF-sign": error_feedback(sign()),
    "EF-top-k": error_feedback(top_k(3, D)),
    "EF-top-k, quantized": error_feedback(top_k(5, D, values=stochastic(2))),
    "EDEN": direct(eden(2)),
    "EDEN, 0.5 bit": direct(eden(0.5)),
    "rand-k": direct(rand_k(5, D)),
    "floats": direct(identity()),
    "natural": direct(natural()),
    "TernGrad": direct(terngrad()),
    "LAQ's link": innovation(uniform(3)),
    "DIANA": innovation(stochastic(1), rate=0.1),
    "on a schedule": innovation(uniform(4, geometric(8.0, 0.9))),
    "by tensor": error_feedback(segmented(sign(), [4, 20])),
    "Lloyd-Max": direct(lloyd_max(4)),
    "Signum's link": momentum(direct(sign(1.0)), 0.9),
    "EControl": econtrol(top_k(3, D), 0.1),
}
BY_DEFAULT = {"EF-sign", "EF-top-k", "TernGrad", "LAQ's link"}


@functools.cache
def mesh(size=R):
    return Mesh(np.array(jax.devices()[:size]), ("data",))


def trees(seed=0, rows=R, dtype=np.float32):
    """A tree of each replica's, stacked."""
    rng = np.random.default_rng(seed)
    return {
        name: jnp.asarray(rng.normal(size=(rows, *shape)), dtype)
        for name, shape in SHAPES.items()
    }


def row(stacked, r):
    return jax.tree.map(lambda leaf: leaf[r], stacked)


def meaning(mean, state, where):
    """Jitted: (key, state, stacked trees) -> (mean, state, bits) over a mesh."""
    specs = state_specs(state, "data")

    @functools.partial(
        jax.shard_map,
        mesh=where,
        in_specs=(P(), specs, P("data")),
        out_specs=(P(), specs, P()),
    )
    def step(key, state, stacked):
        return mean.apply(key, state, row(stacked, 0))

    return jax.jit(step)


def placed(state, where):
    lies = jax.tree.map(
        lambda spec: NamedSharding(where, spec), state_specs(state, "data")
    )
    return jax.device_put(state, lies)


@functools.cache
def compiled(name, size=R):
    """(the mean, its first state, its program)."""
    mean = compressed_mean(LINKS[name], "data", size)
    state = placed(mean.init(row(trees(), 0)), mesh(size))
    return mean, state, meaning(mean, state, mesh(size))


class ByHand(NamedTuple):
    """What one process makes of the messages, one after another."""

    senders: list
    receivers: list

    def mean(self, link, key, round_index, stacked):
        """(mean f32[D], bits of each frame's payload, those who remember)."""
        heard, layout = Broadcast(round_index), link.layout(D)
        total, bits, senders, receivers = np.zeros(D, np.float32), [], [], []
        for r, memory in enumerate(self.senders):
            leaves = [np.asarray(leaf[r]).ravel() for leaf in stacked.values()]
            x = jnp.asarray(np.concatenate(leaves).astype(np.float32))
            of_replica = jax.random.fold_in(key, r)
            message, memory = jax.jit(link.encode)(of_replica, x, memory, heard)
            frame = wire.pack(message, layout)
            bits.append(8 * (len(frame) - wire.OVERHEAD_BYTES))
            of_replica = jax.random.fold_in(key, r)
            x_hat, server = jax.jit(link.decode)(
                of_replica, wire.unpack(frame, layout), self.receivers[r], heard
            )
            total += np.asarray(x_hat)
            senders.append(memory)
            receivers.append(server)
        return total / len(senders), bits, ByHand(senders, receivers)


@pytest.mark.parametrize("name", only(BY_DEFAULT, LINKS))
def test_the_mean_is_that_of_the_decoded_messages_and_memories_follow(name):
    link, (_, state, step) = LINKS[name], compiled(name)
    client, server = link.init(D)
    by_hand = ByHand([client] * R, [server] * R)
    for k in range(3):
        key, stacked = jax.random.key(k), trees(k)
        got, state, bits = step(key, state, stacked)
        want, frames, by_hand = by_hand.mean(link, jax.random.key(k), k, stacked)
        flat = np.concatenate([np.asarray(leaf).ravel() for leaf in got.values()])
        np.testing.assert_allclose(flat, want, rtol=1e-5, atol=1e-6)
        assert {math.ceil(int(bits) / 8) * 8} == {*frames}
    assert int(state.round_index) == 3
    for ends, stacked in zip(by_hand, state[:2]):
        want = jax.tree.map(lambda *rows: np.stack(rows), *ends)
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6),
            stacked,
            want,
        )


@pytest.mark.parametrize("name", only(BY_DEFAULT, LINKS))
def test_all_replicas_end_with_the_same_bits(name):
    _, state, step = compiled(name)
    got, state, _ = step(jax.random.key(0), state, trees())
    for leaf in jax.tree.leaves((got, state.receivers)):
        copies = {np.asarray(part.data).tobytes() for part in leaf.addressable_shards}
        assert len(leaf.addressable_shards) == R and len(copies) == 1
    for leaf in jax.tree.leaves(state.senders):
        assert {part.data.shape[0] for part in leaf.addressable_shards} == {1}


@pytest.mark.parametrize("name", only(BY_DEFAULT, LINKS))
def test_a_payload_is_the_one_of_its_frame(name):
    """ceil(bits / 8) bytes in a row of 128; a frame has a header and a check besides."""
    link, tree = LINKS[name], row(trees(), 0)
    mean = compressed_mean(link, "data", R)
    sender, _ = link.init(D)
    payload, _ = mean.send(jax.random.key(0), 2, sender, 0, tree)
    flat = jnp.concatenate([jnp.ravel(leaf) for leaf in tree.values()])
    of_replica = jax.random.fold_in(jax.random.key(0), 2)
    message, _ = link.encode(of_replica, flat, sender, Broadcast(0))
    frame = wire.pack(message, link.layout(D))
    (crosses,), n = payload, wire.payload_bytes(mean.layout(tree).num_bits)
    assert frame[wire.OVERHEAD_BYTES - 4 : -4] == np.asarray(crosses[:n]).tobytes()
    assert crosses.size == 128 and not crosses[n:].any()


def assert_codes_alone(program, mean, replicas, tree):
    """Nothing but one all-gather of the payloads' bytes is exchanged."""
    rows = math.ceil(mean.layout(tree).num_bits / 8 / 128)
    ((how, what),) = collectives(program)
    ((dtype, shape),) = arrays(what)
    assert (how, dtype) == ("all-gather", "u8")
    assert math.prod(shape) == replicas * rows * 128


@pytest.mark.parametrize("name", only(BY_DEFAULT, LINKS))
def test_no_float_is_exchanged(name):
    mean, state, step = compiled(name)
    program = step.lower(jax.random.key(0), state, trees()).compile()
    assert_codes_alone(program, mean, R, row(trees(), 0))


def test_a_mean_of_floats_would_be_seen():
    @functools.partial(jax.shard_map, mesh=mesh(), in_specs=P("data"), out_specs=P())
    def floats(x):
        return jax.lax.pmean(x[0], "data")

    program = jax.jit(floats).lower(jnp.zeros((R, D))).compile()
    ((how, what),) = collectives(program)
    assert how == "all-reduce" and ("f32", (D,)) in arrays(what)


LONG = 5000  # numbers, for a TPU: messages of several rows
ON_A_TPU = {
    **{name: LINKS[name] for name in ("EF-sign", "EDEN", "TernGrad", "LAQ's link")},
    "EF-top-k": error_feedback(top_k(0.05, LONG)),
    "rand-k": direct(rand_k(0.05, LONG)),
}


@pytest.mark.aot
@pytest.mark.parametrize("name", ON_A_TPU)
def test_a_tpu_slice_exchanges_no_float(name):
    """Compiled for eight chips that are not there."""
    pod = topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x4").devices
    where, tree = Mesh(np.array(pod), ("data",)), {"w": jnp.zeros(LONG)}
    mean = compressed_mean(ON_A_TPU[name], "data", len(pod))
    state = jax.eval_shape(mean.init, tree)
    stacked = {"w": jnp.zeros((len(pod), LONG))}
    specs = P(), state_specs(state, "data"), P("data")

    def there(spec, part):
        lies = NamedSharding(where, spec)
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=lies),
            part,
        )

    args = jax.tree.map(there, specs, (jax.random.key(0), state, stacked))
    program = meaning(mean, state, where).lower(*args).compile()
    assert_codes_alone(program, mean, len(pod), tree)


def test_error_feedback_keeps_what_was_left_out():
    """The sum of all means differs from that of all x by the last errors' mean alone."""
    _, state, step = compiled("EF-sign")
    said = given = np.zeros(D)
    for k in range(5):
        got, state, _ = step(jax.random.key(k), state, trees(k))
        said = said + np.concatenate([np.ravel(leaf) for leaf in got.values()])
        rows = [np.reshape(leaf, (R, -1)) for leaf in trees(k).values()]
        given = given + np.concatenate(rows, axis=1).mean(0)
    left = np.asarray(state.senders).mean(0)
    np.testing.assert_allclose(said + left, given, rtol=1e-4, atol=1e-5)
    assert np.abs(left).max() > 0.1


@pytest.mark.parametrize("name", ["EF-sign", more("LAQ's link")])
def test_a_restored_state_goes_on_with_the_same_bits(name, tmp_path):
    mean, state, step = compiled(name)
    _, state, _ = step(jax.random.key(0), state, trees(0))
    store = Checkpoints(tmp_path, pytest.fail)
    store.save(1, state, {})
    store.close()
    want = step(jax.random.key(1), state, trees(1))
    blank = placed(mean.init(row(trees(), 0)), mesh())
    _, restored, _ = Checkpoints(tmp_path, pytest.fail).restore(blank)
    got = step(jax.random.key(1), restored, trees(1))
    jax.tree.map(np.testing.assert_array_equal, got, want)


def test_a_replica_alone_decodes_its_own_message():
    """On an axis of one device, and without an axis."""
    mean, state, step = compiled("EF-sign", 1)
    alone = compressed_mean(LINKS["EF-sign"], None, 1)
    stacked = trees(rows=1)
    got = step(jax.random.key(0), state, stacked)
    want = jax.jit(alone.apply)(jax.random.key(0), state, row(stacked, 0))
    jax.tree.map(np.testing.assert_array_equal, got, want)
    x = np.concatenate([np.ravel(leaf) for leaf in row(stacked, 0).values()])
    signs = np.where(x >= 0, 1, -1) * np.abs(x).mean()
    flat = np.concatenate([np.ravel(leaf) for leaf in got[0].values()])
    np.testing.assert_allclose(flat, signs, rtol=1e-6)


def test_leaves_keep_their_shapes_and_dtypes_and_the_mean_is_of_floats():
    """Of bfloat16 one and one and a half, which are 1.25 in the mean."""
    mean = compressed_mean(identity(), "data", 2)
    tree = [jnp.ones((), jnp.bfloat16), {"none": None, "f": jnp.ones((2, 0))}]
    state = mean.init(tree)
    specs = state_specs(state, "data")

    @jax.jit
    @functools.partial(
        jax.shard_map, mesh=mesh(2), in_specs=(specs, P("data")), out_specs=P()
    )
    def step(state, x):
        return mean.apply(jax.random.key(0), state, [x[0], tree[1]])[0]

    got = step(state, jnp.array([1.0, 1.5], jnp.bfloat16))
    assert got[0].dtype == jnp.bfloat16 and got[0] == 1.25
    assert got[1]["none"] is None and got[1]["f"].shape == (2, 0)


def test_several_axes_are_one_and_others_are_left_alone():
    """2 x 2 devices take the mean for each of two parts of a model."""
    where = Mesh(np.array(jax.devices()).reshape(2, 2, 2), ("a", "b", "model"))
    mean = compressed_mean(identity(), ("a", "b"), 4)
    state = mean.init(jnp.zeros(1))

    @jax.jit
    @functools.partial(
        jax.shard_map,
        mesh=where,
        in_specs=(state_specs(state, ("a", "b")), P(("a", "b"), "model")),
        out_specs=P("model"),
    )
    def step(state, x):
        return mean.apply(jax.random.key(0), state, x[0])[0]

    x = jnp.arange(8.0).reshape(4, 2)
    np.testing.assert_array_equal(step(state, x), [3.0, 4.0])


def test_halves_mean_what_a_sharded_array_holds():
    """`send` mapped over rows, `receive` of what the compiler gathered: no shard_map."""
    mean, state, step = compiled("EF-sign")
    everywhere = NamedSharding(mesh(), P())

    @jax.jit
    def halves(key, state, stacked):
        def send(replica, sender, tree):
            return mean.send(key, replica, sender, state.round_index, tree)

        payloads, senders = jax.vmap(send)(jnp.arange(R), state.senders, stacked)
        payloads = jax.lax.with_sharding_constraint(payloads, everywhere)
        like = row(stacked, 0)
        got, receivers = mean.receive(
            key, state.receivers, state.round_index, payloads, like
        )
        return got, MeanState(senders, receivers, state.round_index + 1)

    stacked = jax.device_put(trees(), NamedSharding(mesh(), P("data")))
    program = halves.lower(jax.random.key(0), state, stacked).compile()
    assert_codes_alone(program, mean, R, row(trees(), 0))
    got = program(jax.random.key(0), state, stacked)
    want = step(jax.random.key(0), state, stacked)[:2]
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), got, want)


@pytest.mark.parametrize(
    "link, error, says",
    [
        (lazy(innovation(sign())), ValueError, "may be silent"),
        (clag(innovation(sign()), zeta=1.0), ValueError, "may be silent"),
        (sign, TypeError, r"such as error_feedback\(sign\(\)\), got sign"),
        (Compressor, TypeError, "got Compressor"),
        (3, TypeError, "got int"),
    ],
)
def test_a_link_that_cannot_cross_is_refused(link, error, says):
    with pytest.raises(error, match=f"^compressed_mean: .*{says}.*$"):
        compressed_mean(link, "data", R)


@pytest.mark.parametrize(
    "link",
    [
        direct(one_of((sign(), identity()))),
        error_feedback(warm_up(sign(), 3)),
        marina(stochastic(1), 0.5),
        direct(entropy_coded(stochastic(1))),
    ],
)
def test_messages_of_several_lengths_are_refused(link):
    mean = compressed_mean(link, "data", R)
    with pytest.raises(ValueError, match="^compressed_mean: .*lengths of their own.*$"):
        mean.init(jnp.zeros(D))


@pytest.mark.parametrize(
    "axis, replicas, says",
    [
        ("data", 0, "replicas must be an integer in 1.."),
        ("data", True, "replicas must be an integer in 1.."),
        (None, 2, r"replicas must be an integer in 1\.\.1, got replicas=2"),
        (3, 2, "axis must be a mesh axis, several or None, got axis=3"),
        ((), 1, "axis must be a mesh axis"),
    ],
)
def test_axes_and_numbers_that_are_none_are_refused(axis, replicas, says):
    with pytest.raises(ValueError, match=f"^compressed_mean: {says}.*$"):
        compressed_mean(sign(), axis, replicas)


@pytest.mark.parametrize(
    "tree, error, says",
    [
        ({}, ValueError, "the tree must have numbers, got none"),
        ({"n": jnp.arange(3)}, TypeError, r"got int32 at tree\['n'\]"),
        ([jnp.ones(2), jnp.ones(2, complex)], TypeError, r"complex64 at tree\[1\]"),
    ],
)
def test_trees_of_other_things_are_refused(tree, error, says):
    mean = compressed_mean(sign(), None, 1)
    with pytest.raises(error, match=f"^compressed_mean: .*{says}$"):
        mean.init(tree)


def test_the_axis_must_be_there_and_of_that_size():
    mean = compressed_mean(LINKS["EF-sign"], "data", 2)
    state = mean.init(row(trees(), 0))
    with pytest.raises(ValueError, match="^compressed_mean: .*'data' is mapped.*$"):
        mean.apply(jax.random.key(0), state, row(trees(), 0))
    mean = compressed_mean(LINKS["EF-sign"], "data", 4)
    state = mean.init(row(trees(), 0))
    with pytest.raises(ValueError, match="^compressed_mean: .*replicas=4 .*, got 2"):
        meaning(mean, state, mesh(2))(jax.random.key(0), state, trees())


def test_a_state_that_is_not_shared_out_or_of_another_tree_is_refused():
    mean, state, _ = compiled("EF-sign")
    everywhere = MeanState(P(), P(), P())
    step = jax.shard_map(
        lambda key, state, x: mean.apply(key, state, row(x, 0)),
        mesh=mesh(),
        in_specs=(P(), everywhere, P("data")),
        out_specs=(P(), everywhere, P()),
    )
    says = r"float32\[1, 24\], int32\[\], got float32\[4, 24\], int32\[\]"
    with pytest.raises(ValueError, match=f"^compressed_mean: the state .*{says}"):
        step(jax.random.key(0), state, trees())
    other = compressed_mean(LINKS["EF-sign"], "data", R).init(jnp.zeros(7))
    with pytest.raises(ValueError, match=r"^compressed_mean: .*got float32\[1, 7\]"):
        meaning(mean, other, mesh())(jax.random.key(0), other, trees())


def test_specs_find_the_means_in_a_larger_state():
    state = compressed_mean(LINKS["LAQ's link"], "data", R).init(jnp.zeros(3))
    specs = state_specs({"a": (state, jnp.zeros(2)), "b": ()}, "data")
    assert specs == {"a": (MeanState(P("data"), P(), P()), P()), "b": ()}
