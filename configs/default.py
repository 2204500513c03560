"""Every option of an experiment, with its default; other configs list what differs.

`python -m experiments.main --config_help` prints this list.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """A fresh config: SGD on MNIST, logistic regression, ten clients."""
    config = ConfigDict()
    config.seed = 0  # root of every random stream, 0 or more
    config.rounds = 1000  # communication rounds, 1 or more
    config.warm_up = 0  # first rounds, in which quantized links carry floats
    config.clients = 10  # M, at most one per training example
    config.sampled = 0  # clients drawn at random each round; 0: all of them
    config.l2 = 0.01  # lambda of lambda/2 ||theta||^2, over all parameters

    config.data = ConfigDict()
    config.data.name = "mnist"  # mnist (shipped), synthetic, or a set in data.dir
    config.data.dir = ""  # folder with NAME.npz or four IDX files; empty: none
    config.data.partition = "contiguous"  # iid, shards, dirichlet, ..., natural
    config.data.alpha = 0.1  # of dirichlet, quantity_skew: the smaller, the more uneven
    config.data.shards = 2  # shards a client, of shards
    config.data.min_size = 0  # examples that each client gets, of the Dirichlet splits

    config.model = ConfigDict()
    config.model.name = "logistic"  # logistic, mlp, cnn, mcmahan_cnn, svhn
    config.model.hidden = (200,)  # units of each of the mlp's hidden layers
    config.model.channels = (8, 16, 24)  # of each of the cnn's convolutions
    config.model.bias = True  # whether layers have a bias
    config.model.weight_bits = 32  # W, 1 to 8; 32: full precision
    config.model.activation_bits = 32  # A, 1 to 8; 32: full precision
    config.model.gradient_bits = 32  # G, 1 to 8; 32: full precision
    config.model.quantize_edges = False  # a cnn's first and last layer as well
    config.model.packed = False  # whether tests compute on packed integers

    config.client = ConfigDict()
    config.client.batch = 500  # examples of a minibatch; 0: all the client has
    config.client.draw = "examples"  # anew each round; batches: one of its fixed ones
    config.client.epochs = 0  # local epochs, then upload a delta; 0: one gradient
    config.client.at_once = 0  # clients computed together; 0: as suits the cache
    config.client.learning_rate = 0.1  # of the local epochs

    config.compressor = ConfigDict()
    config.compressor.quantizer = "identity"  # or any other in README.md
    config.compressor.bits = 4  # a coordinate, 1-8; where one is the sign 2-8
    config.compressor.norm = "l2"  # of stochastic, nuqsgd, alq: l2, max
    config.compressor.bucket = 0  # coordinates that share a range; 0: all of them
    config.compressor.clip = 2.5  # of terngrad: root mean squares, above 0
    config.compressor.keep = 0.01  # of top_k, rand_k: share of coordinates, in (0, 1]
    config.compressor.levels = 4  # of lloyd_max, 2 to 256
    config.compressor.source = "samples"  # of lloyd_max: samples, gaussian, laplace
    config.compressor.warm_start = False  # lloyd_max: from the last message's levels
    config.compressor.fraction = 5  # of fixed_point: bits after the point, -100 to 100
    config.compressor.rate = 1.0  # bits an entry of eden, above 0 to 8
    config.compressor.unbiased = True  # of drive, drive_plus, eden; False: least error
    config.compressor.lattice = "hexagonal"  # of uveqfed: scalar, hexagonal, d3, e8
    config.compressor.reach = 0.0  # of uveqfed, in root mean squares; 0: no overload
    config.compressor.granularity = 30  # of thc: the largest integer, at most 255
    config.compressor.shared_norm = 0.0  # of thc, for all clients; 0: each its own
    config.compressor.radius = "measured"  # of uniform: measured, geometric
    config.compressor.radius_scale = 1.0  # K of the geometric radius K alpha^k
    config.compressor.radius_rate = 0.998  # alpha of the geometric radius, in (0, 1]
    config.compressor.memory = "direct"  # direct, error_feedback, innovation
    config.compressor.momentum = 0.0  # beta of the average that is sent; 0: x itself
    config.compressor.lazy = False  # whether clients with little news stay silent
    config.compressor.lazy_rule = "laq"  # laq: rule (7a), (7b); clag: ||x-q||, ||x-y||
    config.compressor.lazy_zeta = 1.0  # of clag, 0 or more
    config.compressor.lazy_history = 10  # D, rounds of model movement in (7a)
    config.compressor.lazy_weight = 0.8  # xi, the sum of the weights xi_d in (7a)
    config.compressor.lazy_max_silence = 100  # t_bar of (7b)
    config.compressor.lazy_error_weight = 3.0  # of the error terms in (7a); 0: none

    config.downlink = ConfigDict()
    config.downlink.quantizer = "identity"  # identity, uniform, tanh, sign
    config.downlink.memory = "direct"  # direct: the model; innovation: what it is ahead
    config.downlink.bits = 8  # bits a weight, 1 to 8

    config.network = ConfigDict()
    config.network.name = "ideal"  # ideal: free and lossless; cell: one base station
    config.network.scheduler = "random"  # see flq_jax/wireless/scheduling.py
    config.network.scheduled = 10  # most clients that a scheduler takes, 1 or more
    config.network.budget_bits = 1000000  # of a round's uplink, of bits_budget
    config.network.blocks = 10  # uplink resource blocks, each for one client a round
    config.network.assignment = "hungarian"  # of blocks to clients: hungarian, random
    config.network.worth = "examples"  # to "hungarian"; age: times the rounds unheard
    config.network.effort = "least"  # least energy in time, budget, or full power
    config.network.thrift = 0.0  # worth given up for cheaper blocks, in [0, 1)
    config.network.most_loss = 0.3  # packet error that a plan accepts, in (0, 1]
    config.network.widths = (1, 2, 4, 8, 32)  # of adaptive messages, ascending
    config.network.inner_m = 1.0  # metres around the base station without clients
    config.network.radius_m = 500.0  # of the cell
    config.network.exponent = 2.0  # of the path loss; 3.76 in 3GPP's macro cell
    config.network.gain_db = 0.0  # of the path at 1 m; -15.3 in 3GPP's macro cell
    config.network.shadowing_db = 0.0  # standard deviation, 0 or more
    config.network.rician = 0.0  # K of the fading, 0 or more; 0: Rayleigh
    config.network.power_w = 0.01  # most that a client sends with
    config.network.block_hz = 1e6  # bandwidth of a block
    config.network.interference_low_w = 1e-8  # on the first block
    config.network.interference_high_w = 1.1e-7  # on the last block
    config.network.waterfall = 1.0053  # of the packet errors; 0: none
    config.network.downlink_hz = 2e7  # bandwidth of the broadcast
    config.network.downlink_power_w = 1.0  # of the base station
    config.network.downlink_interference_w = 1.8e-7  # at each client
    config.network.deadline_s = 0.5  # of a round, from the start of its broadcast
    config.network.budget_j = 0.003  # what a client may spend on a round
    config.network.battery_j = 0.0  # what it may spend on the run; 0: any amount
    config.network.frequency_low_hz = 1e8  # slowest clock of a client
    config.network.frequency_high_hz = 1e9  # fastest clock
    config.network.capacitance = 1e-27  # joules a cycle, over the clock squared
    config.network.bit_operations_a_cycle = 8192.0  # eight multiply-adds of floats
    config.network.mean_delay = 0.0  # by how much stragglers exceed their time; 0: none

    config.server = ConfigDict()
    config.server.optimizer = "sgd"  # sgd, momentum, adam, onebit_adam
    config.server.learning_rate = 0.02  # alpha, above 0
    config.server.schedule = "constant"  # of the step: constant, cosine (to 0)
    config.server.momentum = 0.9  # of momentum
    config.server.epsilon = 1e-8  # of adam, onebit_adam: added to the root of v
    config.server.aggregate = "sum"  # sum: the step on the mean is alpha M; mean; vote

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
    return config
