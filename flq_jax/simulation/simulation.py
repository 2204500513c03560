"""A federated run of a caller's own model, loss and arrays."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from flq_jax import federated, ledger
from flq_jax.compressors import Compressor
from flq_jax.federated import Aggregate, Downlink, LocalUpdate, Loss, Network
from flq_jax.quantizers import Quantizer
from flq_jax.simulation import checks, evaluation, intervals, resuming, sample, start
from flq_jax.simulation.checkpoints import Checkpoints
from flq_jax.simulation.examples import Pair, examples
from flq_jax.simulation.parts import federation_of
from flq_jax.simulation.programs import calling, judging, programs
from flq_jax.simulation.progress import Progress, judged_by, line


class Simulation:
    """Clients that train a model together, and the exact count of what they send.

        sim = flq.Simulation(params, loss, data, clients=10, server=optax.sgd(0.1))
        for row in sim.run(rounds=100, every=10):
            print(row)

    Args:
        params: the initial model, any pytree of floats; it is computed in f32.
        loss: (params, inputs, targets, weights, key) -> f32[], of a batch of examples;
            `mean_of` makes one of a loss of each example.
        data: a list with a pair (inputs, targets) for each client; or one pair of all
            examples, with `clients` or `owners`. Inputs [n, ...] are u8, which models see
            as 0..1, integers or finite floats; targets [n, ...] are any numbers.
        server: any optax optimizer of the params; it steps against the mean update.
        clients: so many, who share the examples as they follow one another.
        owners: for each example the name of its client, [n].
        client: what a client computes: None for one gradient of all its examples, see
            `gradient`, `local_epochs`, `scaffold`, `LocalUpdate`.
        uplink: a `Compressor`, or a `Quantizer` for `direct` of it; None for floats.
        downlink: a `Downlink`, or a `Compressor` for `compressed` of it, or a `Quantizer`
            for `compressed(direct(...))`; None for `exact()`, floats.
        network: who takes part; None for `everyone(...)`.
        aggregate: `WEIGHTED_MEAN` or `MAJORITY_VOTE`.
        step: the server's step on the mean update, in which lazy clients measure the
            model's movements; None where SGD tells it, or nobody is lazy.
        test: a pair (inputs, targets), for `evaluate`.
        evaluate: name -> (params, inputs, targets) -> a number for each example, of which
            a line of figures has the mean; or a `Metric`.
        seed: of all that is random, 0 to 2^32 - 1.
        train_loss: the share of the training examples that a line's train loss is of: 1
            is all; below, a sample drawn once, ceil(share n) of them; 0: lines have none.

    Raises:
        ValueError: something of this cannot be; it is said before anything is compiled.
        TypeError: likewise, where the loss of a `gradient` is no function.

    Attributes:
        data: the clients' examples on their devices, `ClientData`.
        federation: what the rounds are made of.
        links: the layouts of the messages.
        rows: all lines of figures so far.
    """

    def __init__(
        self,
        params: Any,
        loss: Loss,
        data: Pair | Sequence[Pair],
        *,
        server: optax.GradientTransformation,
        clients: int | None = None,
        owners: ArrayLike | None = None,
        client: LocalUpdate | None = None,
        uplink: Compressor | Quantizer | None = None,
        downlink: Downlink | Compressor | Quantizer | None = None,
        network: Network | None = None,
        aggregate: Aggregate = federated.WEIGHTED_MEAN,
        step: float | None = None,
        test: Pair | None = None,
        evaluate: Mapping[str, evaluation.Judge] | None = None,
        seed: int = 0,
        train_loss: float = 1.0,
    ):
        sample.require_share("Simulation", train_loss)
        given, params = examples(data, clients, owners), checks.float32_params(params)
        client = federated.gradient(loss) if client is None else client
        longest = checks.require_client(client, loss, params, given)
        count = len(given.parts)
        mesh = self._mesh = federated.suited_mesh(client, params, count)
        self._test, self._metrics = judging(test, evaluate, params, given)
        self._root = checks.root(seed)
        made = self.federation = federation_of(
            params,
            client,
            server,
            count,
            mesh,
            uplink=uplink,
            downlink=downlink,
            network=network,
            aggregate=aggregate,
            step=step,
            sizes=[len(part) for part in given.parts],
        )
        self.rows = []
        self.links = start.links(made, checks.num_broadcast(client, params))
        self._of = resuming.identity(seed, given, params, self.links, train_loss)
        lie = {"batch": client.batch, "longest": longest}
        everyone = made.network.everyone
        self.data = start.spread(*given[:3], mesh, **lie, everyone=everyone)
        self._looked_at = self.data
        if train_loss != 1:
            few = sample.sampled(*given[:3], train_loss, seed)
            self._looked_at = jax.device_put(few)
        state = start.initial_state(made, lambda tree: tree, params, count, mesh)
        self._progress = Progress(0, state)
        self._rounds, self._evaluate = programs(made, loss, self._metrics, state, mesh)

    @property
    def rounds(self) -> int:
        """How many are finished."""
        return self._progress.rounds

    @property
    def stopped(self) -> str:
        """Why no further round makes sense; empty while one does."""
        return self._progress.stopped

    @property
    def params(self) -> Any:
        """The server's model, as the params that it began with."""
        theta = jnp.asarray(np.asarray(self._progress.state.params))
        held = self.federation.unravel(theta)
        return self.federation.local_update.model(held)

    @property
    def heard_params(self) -> Any:
        """The model as the clients will hear it next, by which rows judge."""
        found = evaluation.heard_params(
            self.federation, self._root, self._progress.state, self.rounds
        )
        return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), found)

    @property
    def ledger(self) -> ledger.Ledger:
        """What was sent, message by message length."""
        return self._progress.ledger

    @property
    def bits(self) -> dict[str, dict[str, int]]:
        """All bits so far, counted in every way, see `every_convention`."""
        return ledger.every_convention(self.ledger, self.links)

    def run(
        self,
        rounds: int,
        every: int = 1,
        checkpoints: str | os.PathLike | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Goes on to round `rounds`, and gives a line of figures every so many rounds.

        Rounds are done as lines are asked for: `list(sim.run(100))` does them all. Who
        stops asking, or interrupts, has the simulation as of the last line, and may call
        this again. It ends early where the loss is no longer finite, see `stopped`.

        Args:
            rounds: of the whole simulation, counted from its start; 1 or more.
            every: a line after each round that is a multiple of it, and after the last.
            checkpoints: a folder, in which every line leaves a checkpoint, and from whose
                newest one this goes on if that is further. The ends are the same, bit for
                bit, as if nothing had come between.

        Returns:
            An iterator of lines, see `evaluate`.

        Raises:
            ValueError: a number below 1, or the folder is another simulation's.
        """
        for name, number in {"rounds": rounds, "every": every}.items():
            if not isinstance(number, int) or number < 1:
                raise ValueError(f"run: {name} must be 1 or more, got {number!r}")
        if checkpoints is None:
            return self._lines(rounds, every, None)
        store = resuming.store_in(checkpoints)
        self._go_on(store, self.rounds)
        return self._lines(rounds, every, store)

    def evaluate(self) -> dict[str, Any]:
        """The line of figures of where the simulation stands.

        The round, the train loss, that of a sample of the examples or none where
        `train_loss` said so, the metrics' means, and totals since the start, exact
        integers: uploads, the bits of either link (the messages' own, each broadcast
        counted once), updates that were not finite, and those outside the quantizer's
        range; of a network with costs its lost messages, seconds and joules.
        """
        found = self._evaluate(
            self._root,
            self._progress.state,
            np.int32(self.rounds),
            self._looked_at,
            *self._test,
        )
        loss, sums = jax.device_get(found)
        count = len(self._test[1]) if self._test else 0
        in_order = {name: sums[name] for name in self._metrics}
        said = evaluation.judged(loss, in_order, count, self._metrics)
        costs = self.federation.network.costs
        return line(self._progress, self.links, said, costs)

    def save(self, folder: str | os.PathLike) -> None:
        """Leaves a checkpoint in the folder's `checkpoints`; OSError if it can't."""
        store = resuming.store_in(folder)
        resuming.leave(store, self._progress, self.rows, self._of)
        store.close()

    def restore(self, folder: str | os.PathLike) -> None:
        """Goes on from the newest whole checkpoint in the folder, whatever its round.

        ValueError if there is none, or it is another simulation's: of other shapes,
        examples or another seed. Functions cannot be compared.
        """
        if not self._go_on(resuming.store_in(folder), -1):
            raise ValueError(
                f"restore: must be a folder with a checkpoint, got {folder}"
            )

    def _lines(
        self, rounds: int, every: int, store: Checkpoints | None
    ) -> Iterator[dict[str, Any]]:
        capacity = intervals.most_rounds(every, rounds, self.data.sizes.shape[0])
        call = calling(self._rounds, self._root, self.data, capacity, self._mesh)
        try:
            while self._progress.wanted(rounds):
                end = intervals.next_evaluation(self.rounds, every, rounds)
                begun, alone = self._progress, [self.links]
                (reached,) = intervals.advanced(
                    call, [begun], alone, [end], capacity, [""]
                )
                try:
                    self._progress = reached
                    row = self.evaluate()
                except BaseException:  # a line and its state come together
                    self._progress = begun
                    raise
                self._progress = judged_by(reached, row)
                self.rows.append(row)
                if store is not None:
                    resuming.leave(store, self._progress, self.rows, self._of)
                yield row
        finally:
            if store is not None:
                store.close()

    def _go_on(self, store: Checkpoints, further_than: int) -> bool:
        """Whether there is a checkpoint; taken if it is further than so many rounds."""
        link = self.federation.compressor
        found = resuming.newest(store, link, self._progress.state, self._of)
        if found is not None and found[0].rounds > further_than:
            self._progress, self.rows = found
        return found is not None
