"""Every detector of the paper on MNIST in one table, before and after exposure to outliers.

    accelerate launch recipes/mnist_methods.py --data_dir DATA --outliers tiny_imagenet --output_dir runs/methods

Arguments are those of `recipes/mnist_oe.py`, and `--methods` chooses among the objectives.
"""

from hf_oe.experiments.comparison import compare_methods
from hf_oe.protocols.images import MNIST

if __name__ == "__main__":
    compare_methods(MNIST)
