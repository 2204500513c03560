"""Every option of an experiment, with its default; other configs list what differs.

`python -m experiments.main --config_help` prints this list. A text is an expression: calls
of public constructors, names and numbers. It may use clients, seed, rounds, step, the names
of `config.let`, those of the config file itself, and what lies in modules (`optax.adam`,
`mine.ternary`). What a run alone knows (labels, d, sizes, loss, ...) is filled in.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """A fresh config: SGD on MNIST, logistic regression, ten clients."""
    config = ConfigDict()
    config.seed = 0  # root of every random stream, 0 or more
    config.rounds = 1000  # communication rounds, 1 or more
    config.clients = 10  # M, at most one per training example
    config.data = "mnist()"  # or synthetic(), npz("my.npz"), idx("folder"), mine.data()
    config.split = "contiguous()"  # or dirichlet(alpha=0.1), ..., see docs/data.md
    config.model = "Logistic()"  # or MLP((200,), bits=Bits(8, 8, 8)), CNN(), SVHNNet()
    config.task = "classification(l2=0.01)"  # loss, with l2/2 ||theta||^2; metrics
    config.step = "0.02 * clients"  # of the server along the mean update, above 0
    config.client = "gradient(batch=500)"  # batch=0: all it has; or local_epochs(...)
    config.uplink = "direct(identity())"  # or any other compressor, see README.md
    config.downlink = "exact()"  # or direct(segmented(uniform(8))), tanh_downlink(8)
    config.server = "optax.sgd(step)"  # or any other of optax, onebit_adam(step, 100)
    config.aggregate = "WEIGHTED_MEAN"  # or MAJORITY_VOTE
    config.network = "everyone()"  # free and lossless; or sampled(10), cell(random(6))
    config.let = ConfigDict()  # names for numbers or expressions: config.let.bits = 4
    config.at_once = 0  # clients computed together; 0: as suits the device
    config.packed = False  # whether tests compute on packed integers

    config.cell = ConfigDict()
    config.cell.blocks = 10  # uplink resource blocks, each for one client a round
    config.cell.inner_m = 1.0  # metres around the base station without clients
    config.cell.radius_m = 500.0  # of the cell
    config.cell.exponent = 2.0  # of the path loss; 3.76 in 3GPP's macro cell
    config.cell.gain_db = 0.0  # of the path at 1 m; -15.3 in 3GPP's macro cell
    config.cell.shadowing_db = 0.0  # standard deviation, 0 or more
    config.cell.power_w = 0.01  # most that a client sends with
    config.cell.block_hz = 1e6  # bandwidth of a block
    config.cell.interference_low_w = 1e-8  # on the first block
    config.cell.interference_high_w = 1.1e-7  # on the last block
    config.cell.waterfall = 1.0053  # of the packet errors; 0: none
    config.cell.downlink_hz = 2e7  # bandwidth of the broadcast
    config.cell.downlink_power_w = 1.0  # of the base station
    config.cell.downlink_interference_w = 1.8e-7  # at each client
    config.cell.deadline_s = 0.5  # of a round, from the start of its broadcast
    config.cell.budget_j = 0.003  # what a client may spend on a round
    config.cell.frequency_low_hz = 1e8  # slowest clock of a client
    config.cell.frequency_high_hz = 1e9  # fastest clock
    config.cell.capacitance = 1e-27  # joules a cycle, over the clock squared
    config.cell.bit_operations_a_cycle = 8192.0  # eight multiply-adds of floats

    config.stop = ConfigDict()
    config.stop.residual = 0.0  # stop when f - f* is at most this; 0: never
    config.stop.optimum = 0.0  # f*, if it is known; 0: solve for it first

    config.accounting = ConfigDict()
    config.accounting.count = "payload"  # payload, laq (codes only, no ranges)
    config.accounting.downlink = "broadcast_once"  # or unicast_uploaders, unicast_all
    config.accounting.float_bits = 32  # of an uncompressed float: 32, 64

    config.log = ConfigDict()
    config.log.every = 50  # rounds between evaluations
    config.log.checkpoint_every = 200  # rounds between checkpoints, a multiple of every
    config.log.study = "none"  # at the end: messages (figure 3), levels (figure 4)
    config.log.tensorboard = False  # also write TensorBoard event files
    config.log.train_loss = 1.0  # share of the examples it is of, a sample; 0: none
    return config
