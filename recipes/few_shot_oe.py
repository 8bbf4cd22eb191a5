"""A handful of outliers for a pretrained transformer: a ViT on CIFAR-100, exposed to 10 images a class of CIFAR-10.

    accelerate launch recipes/few_shot_oe.py --shots 1 --architecture google/vit-base-patch16-224-in21k

Exploring the Limits of Out-of-Distribution Detection (Fort, Ren and Lakshminarayanan, NeurIPS 2021): AUROC 96 without
outliers, 98.7 with one a class, 99.5 with ten. `--architecture` takes the folder or Hub id of any image classifier;
all other arguments are those of an image recipe.
"""

from hf_oe.experiments.studies import few_shot_experiment
from hf_oe.protocols.images import FEW_SHOT

if __name__ == "__main__":
    few_shot_experiment(FEW_SHOT, "cifar10")
