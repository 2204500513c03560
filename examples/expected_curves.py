"""DIANA and MARINA beside the curves that they have on average, worked out by hand.

    python examples/expected_curves.py

n clients with losses L / 2 ||x - t_m||^2 send full gradients by a link that drops coordinates
at random, unbiased and of relative variance omega exactly. Then the second moments after a
round are linear in those before it, and the mean of ||x - x*||^2 over runs has a known curve,
not only a bound. Printed are that curve, the mean over 4,000 runs, and how many of its standard
errors lie between. DIANA's theorem, at this step and alpha = 1 / (1 + omega), is a bound:
1 - min(step L, alpha / 2) of what was left, 0.875 a round (Gorbunov, Hanzely and Richtarik 2020).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import flq_jax as flq
from flq_jax import federated, keys
from flq_jax.data.clients import ClientData
from flq_jax.quantizers.base import Layout, Message, Quantizer

N, D, SHARE = 4, 200, 0.25  # clients, coordinates, how many of them are kept
OMEGA, L = 1 / SHARE - 1, 1.0
RATE = 1 / (1 + OMEGA)  # DIANA's alpha, and MARINA's p
DIANA = 1 / (L * (1 + 6 * OMEGA / N))
MARINA = 1 / (L * (1 + np.sqrt((1 - RATE) * OMEGA / (RATE * N))))


def dropped(share: float) -> Quantizer:
    """Keeps each coordinate with this chance, over the chance: Var = (1 / share - 1) ||x||^2."""

    def layout(
        d,
    ):  # one number more than floats, so that `marina` can tell it from them
        return Layout.of("dropped", 32, d, 1)

    def encode(key, x):
        kept = jnp.where(jax.random.bernoulli(key, share, x.shape), x / share, 0.0)
        codes = jax.lax.bitcast_convert_type(kept, jnp.uint32)
        return Message(codes, jnp.zeros(1), jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        return jax.lax.bitcast_convert_type(message.codes, jnp.float32)

    return Quantizer(encode, decode, layout)


def diana_curve(rounds: int, start: float, spread: float, step: float = DIANA):
    """E ||u||^2 of u = x - x* after 0, 1, ... rounds.

    With e_m = grad f_m - h_m, a = alpha, w = omega and U, S, C the means of ||u||^2, of
    ||e_m||^2 and of <mean e, u>, the server's u <- u - step (L u + noise) has the noise's
    variance w S / n, and e_m <- e_m - a Q(e_m) - L step (L u + noise):

        U' = (1 - s)^2 U + step^2 w S / n,   s = L step,
        S' = (1 - 2 a + a^2 (1 + w)) S + s^2 (L^2 U + w S / n) - 2 s ((1 - a) L C - a w S / n),
        C' = (1 - a) (1 - s) C - L s (1 - s) U + step (a + s) w S / n.

    Args:
        start: ||u||^2 at first.
        spread: mean of ||t_m - x*||^2; h_m is 0 at first, so that e_m is the gradient.
    """
    s, a, w = L * step, RATE, OMEGA
    u, e, c, found = start, L**2 * (start + spread), L * start, [start]
    for _ in range(rounds):
        noise = w * e / N
        u, e, c = (
            (1 - s) ** 2 * u + step**2 * noise,
            (1 - 2 * a + a**2 * (1 + w)) * e
            + s**2 * (L**2 * u + noise)
            - 2 * s * ((1 - a) * L * c - a * noise),
            (1 - a) * (1 - s) * c - L * s * (1 - s) * u + step * (a + s) * noise,
        )
        found.append(u)
    return np.array(found)


def marina_curve(rounds: int, start: float, spread: float = 0.0, step: float = MARINA):
    """E ||u||^2 of u = x - x* after 0, 1, ... rounds, the first of them in floats.

    With v = g - grad f and U, V, W the means of ||u||^2, of ||v||^2 and of <u, v>, the server's
    u <- u - step (L u + v), and v <- v + noise of variance s^2 w ||L u + v||^2 / n but for a
    round in floats, with probability p, which makes it 0:

        U' = (1 - s)^2 U - 2 step (1 - s) W + step^2 V,   s = L step,
        V' = (1 - p) (V + s^2 w / n (L^2 U + 2 L W + V)),
        W' = (1 - p) ((1 - s) W - step V).
    """
    del spread
    s, p, w = L * step, RATE, OMEGA
    u, v, c, found = start, 0.0, 0.0, [start]
    for _ in range(rounds):
        moved = s**2 * w / N * (L**2 * u + 2 * L * c + v)
        u, v, c = (
            (1 - s) ** 2 * u - 2 * step * (1 - s) * c + step**2 * v,
            (1 - p) * (v + moved),
            (1 - p) * ((1 - s) * c - step * v),
        )
        found.append(u)
    return np.array(found)


def loss(params, inputs, labels, weights, key):
    """L / 2 ||x - t||^2 of the one example of a client."""
    del labels, key
    return L / 2 * jnp.sum(weights * jnp.sum((params[None, :] - inputs) ** 2, axis=1))


@functools.partial(jax.jit, static_argnames=("link", "step", "rounds", "runs"))
def distances(link, step, rounds, runs):
    """||x - x*||^2 of each of so many runs after 0, 1, ... rounds, f32[runs, rounds + 1]."""
    inputs, best, _ = problem()
    data = ClientData(inputs, jnp.zeros((N, 1)), jnp.ones(N, jnp.int32))
    made = federated.federation(
        jnp.zeros(D), flq.gradient(loss), link, optax.sgd(step), flq.everyone(N)
    )

    def one(number):
        root = jax.random.fold_in(keys.seed_key(0), number)

        def turn(state, k):  # rounds of its own: `marina` draws by them
            state, _ = federated.round_step(made, root, data, state, number * 1000 + k)
            return state, jnp.sum((state.params - best) ** 2)

        state = federated.init(made, jnp.zeros(D), N)
        _, after = jax.lax.scan(turn, state, jnp.arange(rounds))
        return jnp.concatenate([jnp.sum(best**2)[None], after])

    return jax.lax.map(one, jnp.arange(runs), batch_size=100)


def problem():
    """(t f32[N, 1, D], x*, mean of ||t_m - x*||^2)."""
    targets = np.random.default_rng(0).standard_normal((N, 1, D)).astype(np.float32)
    best = targets.mean((0, 1))
    return targets, best, float(((targets[:, 0] - best) ** 2).sum(1).mean())


# name: (link, step, curve)
METHODS = {
    "DIANA": (flq.innovation(dropped(SHARE), rate=RATE), DIANA, diana_curve),
    "MARINA": (flq.marina(dropped(SHARE), RATE), MARINA, marina_curve),
}


def compared(name, rounds, runs):
    """(curve, mean of the runs, its standard errors), each f64[rounds + 1]."""
    link, step, curve = METHODS[name]
    _, best, spread = problem()
    found = np.asarray(distances(link, step, rounds, runs), np.float64)
    wanted = curve(rounds, float(best @ best), spread)
    return wanted, found.mean(0), found.std(0) / np.sqrt(runs)


def main(rounds: int = 25, runs: int = 4000) -> None:
    """Prints a line for every fifth round of either method."""
    print("| method | round | by hand | mean of runs | standard errors apart |")
    print("|---|---|---|---|---|")
    for name in METHODS:
        wanted, found, errors = compared(name, rounds, runs)
        for k in range(5, rounds + 1, 5):
            apart = (found[k] - wanted[k]) / errors[k]
            line = f"{k} | {wanted[k]:.3e} | {found[k]:.3e} | {apart:+.1f}"
            print(f"| {name} | {line} |")
        rate = (wanted[rounds] / wanted[rounds - 5]) ** 0.2
        print(f"| {name} | a round leaves {rate:.3f} | | | |")


if __name__ == "__main__":
    main()
