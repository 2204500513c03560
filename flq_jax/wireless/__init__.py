"""The radio under the rounds: channels, costs, allocation and scheduling.

Knows bits, hertz, watts, seconds and joules, and nothing of learning. All functions are
pure, jit and vmap over scenarios, and work in the dtype of their arguments. Who cannot
take part is named by a mask, never made to.
"""
