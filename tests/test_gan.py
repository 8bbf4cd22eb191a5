"""Training a classifier together with a GAN."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset
from transformers import AutoModelForImageClassification

from hf_oe import OETrainer, OETrainingArguments
from hf_oe.data.generated import GeneratedImages
from hf_oe.gan import ClassifierWithGAN, GANTrainer
from hf_oe.models import DCGANConfig, DCGANDiscriminator, DCGANGenerator, WideResNetConfig, create_classifier
from tests.tiny import KillAt, Killed, weights

GAN = DCGANConfig(image_size=8, num_channels=3, latent_size=4, base_channels=2)


class Squares(Dataset):
    """8×8 images, bright on the side that the label says."""

    def __init__(self, size: int, shift: float = 0.0):
        self.size, self.shift = size, shift

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        image = 0.2 * torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(index)) + self.shift
        image[:, :, 4:] += 0.6 * (index % 2)
        return {"pixel_values": image, "labels": index % 2}


def classifier():
    torch.manual_seed(0)
    config = WideResNetConfig(depth=10, widen_factor=1, dropout=0.1, num_labels=2)
    return AutoModelForImageClassification.from_config(config).to(memory_format=torch.channels_last)


def trainer(output_dir, trainer_class=GANTrainer, model=None, callbacks=None, **settings):
    args = {
        "max_steps": 10,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-3,
        "logging_steps": 1,
        "save_steps": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }
    extra = {"gan": GAN} if trainer_class is GANTrainer else {}
    return trainer_class(
        model or classifier(),
        OETrainingArguments(str(output_dir), **args),
        train_dataset=Squares(24),
        eval_dataset=Squares(10),
        ood_datasets={"bright": Squares(6, shift=0.5)},
        callbacks=callbacks,
        **extra,
        **settings,
    )


def joint(beta=1.0):
    torch.manual_seed(1)
    return ClassifierWithGAN(classifier(), DCGANGenerator(GAN), DCGANDiscriminator(GAN), beta).train()


def batch():
    rows = [Squares(4)[index] for index in range(4)]
    return torch.stack([row["pixel_values"] for row in rows]), torch.tensor([row["labels"] for row in rows])


@pytest.mark.parametrize(
    ("part", "learns"),
    [
        ("in_distribution", {"classifier"}),
        ("outlier", {"classifier"}),
        ("discriminator", {"discriminator"}),
        ("generator", {"generator"}),
    ],
)
def test_each_part_teaches_one_network(part, learns):
    networks = joint()
    networks(*batch())["parts"][part].backward()
    moved = {
        name
        for name, network in networks.named_children()
        if any(value.grad is not None for value in network.parameters())
    }
    assert moved == learns


def test_parts_are_those_of_the_source(monkeypatch):
    networks = joint(beta=0.5)
    for module in networks.modules():
        module.training = module is networks  # evaluation of all layers, so that passes can be repeated
    noise = torch.randn(4, GAN.latent_size)
    monkeypatch.setattr(networks.generator, "noise", lambda count: noise[:count])
    images, labels = batch()
    output = networks(images, labels)
    generated = networks.generator(noise)
    log_p = networks.classifier(generated).logits.log_softmax(-1)
    kl = (-math.log(2) - log_p.mean(-1)).mean()
    real, fake = networks.discriminator(images).sigmoid(), networks.discriminator(generated).sigmoid()
    expected = {
        "in_distribution": F.cross_entropy(networks.classifier(images).logits, labels),
        "outlier": 0.5 * kl,
        "discriminator": -real.log().mean() - (1 - fake).log().mean(),
        "generator": -fake.log().mean() + 0.5 * kl,
    }
    torch.testing.assert_close(output["parts"], expected)
    torch.testing.assert_close(output["loss"], sum(expected.values()))


def test_the_generators_lesson_leaves_the_classifiers_statistics_alone():
    networks = joint()
    passes = networks.classifier.wide_resnet.bn1.num_batches_tracked
    before = int(passes)
    networks(*batch())
    assert int(passes) == before + 1


def test_trains_all_three_and_evaluates_the_classifier(tmp_path):
    run = trainer(tmp_path)
    start = weights(run)
    run.train()
    for network in ("classifier", "generator", "discriminator"):
        assert any(
            not torch.equal(value, start[name]) for name, value in weights(run).items() if name.startswith(network)
        )
    logged = [entry for entry in run.state.log_history if "loss_generator" in entry]
    parts = [f"loss_{part}" for part in ("in_distribution", "outlier", "discriminator", "generator")]
    for entry in logged:
        assert entry["loss"] == pytest.approx(sum(entry[part] for part in parts), rel=1e-3)
    rates = [entry["learning_rate"] for entry in logged]
    assert rates[0] == pytest.approx(1e-3) and rates[-1] == pytest.approx(1e-4)
    assert {tuple(group["betas"]) for group in run.optimizer.param_groups} == {(0.9, 0.999), (0.5, 0.999)}
    assert 0 <= run.evaluate()["eval_ood_bright_auroc"] <= 1


def test_a_killed_run_resumes_to_identical_weights(tmp_path):
    whole = trainer(tmp_path / "whole")
    whole.train()
    with pytest.raises(Killed):
        trainer(tmp_path / "killed", callbacks=[KillAt(5)]).train()
    resumed = trainer(tmp_path / "killed")
    resumed.train(resume_from_checkpoint=True)
    for name, value in weights(whole).items():
        assert torch.equal(weights(resumed)[name], value), name


def test_saves_the_classifier_and_its_generator_serves_as_outliers(tmp_path):
    run = trainer(tmp_path)
    run.train()
    run.save_model()
    model = create_classifier(str(tmp_path), 2)
    torch.testing.assert_close(model.state_dict(), run.trained_model.state_dict())
    generator = DCGANGenerator.from_pretrained(tmp_path / "generator")
    torch.testing.assert_close(generator.state_dict(), run.model.generator.state_dict())
    outliers = GeneratedImages(generator, count=20)
    exposed = trainer(tmp_path / "oe", OETrainer, model=run.trained_model, outlier_dataset=outliers)
    exposed.train()
    assert "loss_outlier" in exposed.state.log_history[0]


def test_outliers_of_ones_own_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`outlier_dataset` must be left out"):
        trainer(tmp_path, outlier_dataset=Squares(4))
