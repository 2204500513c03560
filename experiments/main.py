"""The one command: python -m experiments.main --config=configs/mnist_flq_binary.py"""
