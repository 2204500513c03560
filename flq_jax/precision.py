"""How exactly products are taken, where a rounded factor would be an error."""

from jax import lax

# Unless told otherwise a TPU rounds the factors of a product to bf16, and a GPU to TF32.
EXACT = lax.Precision.HIGHEST
# Of training's own products, forward and backward: as JAX's option
# `jax_default_matmul_precision` says, so rounded as above unless it says "float32". A CPU
# rounds nothing either way.
TRAINED = None
