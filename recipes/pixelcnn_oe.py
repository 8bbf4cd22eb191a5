"""A density model of CIFAR-10 against textures, scenes, house numbers, CIFAR-100 and noise (Table 5 of the paper).

    accelerate launch recipes/pixelcnn_oe.py --output_dir runs/pixelcnn

Trains a PixelCNN++, fine-tunes it with the margin loss on outliers, evaluates both and prints the table of before and
after; model, card, plots and `ood_results.json` are in `output_dir`. At full size it takes days on a GPU; in half an
hour on two cores, with other outliers:

    accelerate launch recipes/pixelcnn_oe.py recipes/small/pixelcnn.yaml --outliers tiny_imagenet
"""

from hf_oe.experiments.density import parse_arguments, run_density_experiment


def main() -> None:
    run_density_experiment(*parse_arguments())


if __name__ == "__main__":
    main()
