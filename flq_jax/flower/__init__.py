"""Rounds on Flower: `client_app` and `server_app`, and a mod for apps that there are.

    pip install 'flq_jax[flower]'

Its modules import Flower, and this package alone does not: `records` is how a frame
travels, `states` what stays at a node, `client_app`, `server_app` and `mod` what a Flower
app names.
"""
