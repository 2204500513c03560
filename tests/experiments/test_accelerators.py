"""A whole run's programs, with the packed kernels in them, as accelerators get them."""

import jax
import jax.numpy as jnp
import pytest
from more import more

from flq_jax import data, federated
from flq_jax.configs import default
from flq_jax.experiments.assembly.build import build
from flq_jax.experiments.assembly.programs import Arrays
from flq_jax.kernels import dispatch

# whose kernels: where they run, and what they are called by
CALLS = {
    "gpu": ("cuda", "__gpu$xla.gpu.triton"),
    "ptx": ("cuda", "__gpu$xla.gpu.ptx"),
    "tpu": ("tpu", "tpu_custom_call"),
}


@pytest.fixture(autouse=True)
def gpu_in_place_of_the_mesh_s(monkeypatch):
    """JAX asks from 0.11 on which GPU it lowers for, and the mesh here is of CPUs."""
    try:
        from jax._src.pallas.triton import gpu_info
    except ImportError:
        return
    h100 = gpu_info.get_gpu_info_from_version(gpu_info.GpuVersion.H100)
    monkeypatch.setitem(gpu_info.registry, "cpu", lambda: h100)


@pytest.mark.parametrize("form", ["popcount", more("int8")])
@pytest.mark.parametrize("way", CALLS)
def test_rounds_and_evaluation_lower_with_the_kernels(monkeypatch, way, form):
    """Two rounds of clients' W1A2G6 gradients, then three packed layers' predictions."""
    (platform, call), backend = CALLS[way], f"{way}_{form}"
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    monkeypatch.setattr(dispatch, "choose", lambda platform, shape: backend)
    config = default.get_config()
    options = {
        "clients": 2, "client": "gradient(batch=4)", "packed": True,
        "model": "CNN((2, 3), bits=Bits(1, 2, 6), edge_bits=Bits(1, 2, 6))",
        "uplink": "error_feedback(sign())", "downlink": "direct(segmented(uniform(8)))",
    }  # fmt: skip
    config.update_from_flattened_dict(options)
    run = build(config, data.synthetic(train=20, test=8))
    evaluate = run.assemble(Arrays(run.root, run.data, None, run.numbers)).evaluate

    def program(state, clients, test):
        def step(state, k):
            return federated.round_step(run.federation, run.root, clients, state, k)

        state, metrics = jax.lax.scan(step, state, jnp.arange(2))
        return state, metrics, evaluate(run.root, state, 2, clients, *test)

    given = run.state, run.data, run.test
    lowered = jax.jit(program).trace(*given).lower(lowering_platforms=(platform,))
    calls = lowered.as_text().count(f"@{call}(")
    assert calls == 3
