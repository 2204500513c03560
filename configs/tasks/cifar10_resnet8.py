"""CIFAR-10 by a ResNet-8 with group normalization: 100 clients, 10 a round, one bit.

    python -m experiments.main --config=configs/tasks/cifar10_resnet8.py
    python -m experiments.main --config=configs/tasks/cifar10_resnet8.py --config.data='cifar10("my/images")'

Images are cropped and mirrored at random; an epoch of batches of 20; floats beside the sign
and a scale for each tensor. The second command takes images of the same layout, such as
examples/made_up_cifar10.py makes; docs/tasks.md says what they come to.
"""

from flq_jax.configs import default

UPLINKS = {
    "floats": "direct(identity())",
    "one_bit": "error_feedback(segmented(sign()))",
}


def get_config():
    config = default.get_config()
    config.data = "cifar10()"
    config.clients = 100
    config.rounds = 100
    config.let.rate = 0.1
    config.split = "iid()"
    config.model = "resnet8()"
    config.task = "classification()"
    config.client = (
        "local_epochs(augmented(loss, crop_and_flip()), "
        "optimizer=optax.sgd(rate), batch=20, epochs=1)"
    )
    config.step = "1.0"
    config.network = "sampled(10)"
    config.log.every = 10
    config.log.checkpoint_every = 10
    return config


def sweep():
    """name -> config of each link."""
    runs = {}
    for name, uplink in UPLINKS.items():
        runs[name] = config = get_config()
        config.uplink = uplink
    return runs
