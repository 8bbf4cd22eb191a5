"""How diverse must outliers be? CIFAR-10 exposed to 10, 30, 50 and 100 classes of CIFAR-100, and to noise alone.

    accelerate launch recipes/diversity.py --data_dir DATA --output_dir runs/diversity

Section 4.5 of the paper: mean AUPR 78.5 with 10 classes, 85.1 with 30, 85.3 with 50. Prints the table and draws the
curve; arguments are those of `recipes/cifar10_oe.py`, and `--classes` and `--noise`.
"""

from hf_oe.experiments.studies import diversity_study
from hf_oe.protocols.images import CIFAR10

if __name__ == "__main__":
    diversity_study(CIFAR10, "cifar100")
