"""Each detector against the definition of its paper, computed naively in NumPy or scikit-learn."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from hf_oe.detection import auroc
from hf_oe.detectors import DETECTORS, FeatureDetector
from hf_oe.detectors.dice import DICE
from hf_oe.detectors.knn import KNN
from hf_oe.detectors.odin import ODIN
from hf_oe.detectors.vim import ViM

from ..tiny import tiny_model

WIDTH, CLASSES = 12, 3
FEATURE_DETECTORS = sorted(name for name, kind in DETECTORS.items() if issubclass(kind, FeatureDetector))


def clusters(count, shift=0.0, seed=0):
    """Positive features in a cluster for each class, which differ most in the first dimensions."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    features = torch.randn(count, WIDTH, generator=generator) @ torch.linspace(1, 0.1, WIDTH).diag()
    return (features + 4 * torch.eye(CLASSES, WIDTH)[labels] + 1 + shift).clamp(min=0), labels


@pytest.fixture
def head():
    torch.manual_seed(0)
    layer = torch.nn.Linear(WIDTH, CLASSES).requires_grad_(False)
    layer.weight.copy_(torch.eye(CLASSES, WIDTH) + 0.1 * layer.weight)
    return layer


def fitted(detector, head):
    features, labels = clusters(300)
    detector.fit(features, head(features), labels, head)
    return detector


def scored(detector, head, shift=0.0):
    features, _ = clusters(60, shift, seed=1)
    return detector(features, head(features)).numpy()


def test_knn_is_the_distance_to_the_kth_neighbour_on_the_sphere(head, monkeypatch):
    normal, queries = (clusters(*arguments)[0].numpy() for arguments in ((300,), (60, 0.0, 1)))
    normal, queries = (values / np.linalg.norm(values, axis=1, keepdims=True) for values in (normal, queries))
    expected = NearestNeighbors(n_neighbors=7).fit(normal).kneighbors(queries)[0][:, -1]
    np.testing.assert_allclose(scored(fitted(KNN(k=7), head), head), expected, atol=1e-4)
    monkeypatch.setattr("hf_oe.detectors.knn._SIMILARITIES_AT_ONCE", 1000)
    np.testing.assert_allclose(scored(fitted(KNN(k=7), head), head), expected, atol=1e-4)
    farthest = scored(fitted(KNN(k=300), head), head)
    np.testing.assert_array_equal(scored(fitted(KNN(k=1000), head), head), farthest)


@pytest.mark.parametrize("relative", [False, True])
def test_mahalanobis_ranks_as_scikit_learns_covariances_do(head, relative):
    (normal, labels), (queries, _) = clusters(300), clusters(60, 0.3, seed=1)
    normal, labels, queries = normal.double().numpy(), labels.numpy(), queries.double().numpy()
    means = np.stack([normal[labels == label].mean(axis=0) for label in range(CLASSES)])
    within = EmpiricalCovariance(assume_centered=True).fit(normal - means[labels])
    distances = np.stack([within.mahalanobis(queries - mean) for mean in means], axis=1)
    if relative:
        distances -= EmpiricalCovariance().fit(normal).mahalanobis(queries)[:, None]
    detector = fitted(DETECTORS["relative_mahalanobis" if relative else "mahalanobis"](), head)
    scores, expected = scored(detector, head, 0.3), distances.min(axis=1)
    np.testing.assert_allclose(scores / scores.std(), expected / expected.std(), rtol=1e-3, atol=1e-3)


def test_mahalanobis_does_without_a_class_that_the_sample_lacks(head):
    features, labels = clusters(300)
    detector = DETECTORS["mahalanobis"]()
    detector.fit(features, head(features), labels + 5 * (labels == 2), head)
    np.testing.assert_allclose(scored(detector, head), scored(fitted(DETECTORS["mahalanobis"](), head), head))


def test_vim_is_the_scaled_residual_less_the_energy(head):
    (normal, _), (queries, _) = clusters(300), clusters(60, seed=1)
    origin = -np.linalg.pinv(head.weight.numpy()) @ head.bias.numpy()
    # The principal subspace of features that are centred at the origin: of those and their mirror images.
    centred = normal.numpy() - origin
    residual = PCA(WIDTH).fit(np.concatenate([centred, -centred])).components_[WIDTH // 2 :].T
    logits = head(normal).numpy(), head(queries).numpy()
    alpha = logits[0].max(axis=1).mean() / np.linalg.norm(centred @ residual, axis=1).mean()
    virtual = alpha * np.linalg.norm((queries.numpy() - origin) @ residual, axis=1)
    expected = virtual - logsumexp(logits[1], axis=1)
    np.testing.assert_allclose(scored(fitted(ViM(), head), head), expected, rtol=1e-3)


def test_react_ash_and_dice_are_energies_of_shaped_logits(head):
    (normal, _), (queries, _) = (clusters(300), clusters(60, seed=1))
    normal, queries = normal.numpy(), queries.numpy()
    weight, bias = head.weight.numpy(), head.bias.numpy()

    def energy(features, weight=weight):
        return -logsumexp(features @ weight.T + bias, axis=1)

    react = energy(np.minimum(queries, np.quantile(normal, 0.9)))
    np.testing.assert_allclose(scored(fitted(DETECTORS["react"](), head), head), react, rtol=1e-4)
    kept = np.where(queries >= np.sort(queries, axis=1)[:, [-1]], queries, 0)  # a tenth of 12
    ash = energy(kept * np.exp(queries.sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)))
    np.testing.assert_allclose(scored(fitted(DETECTORS["ash"](), head), head), ash, rtol=1e-4)
    contribution = normal.mean(axis=0) * weight
    dice = energy(queries, np.where(contribution > np.quantile(contribution, 0.5), weight, 0))
    np.testing.assert_allclose(scored(fitted(DICE(0.5), head), head), dice, rtol=1e-4)


@pytest.mark.parametrize("name", FEATURE_DETECTORS)
def test_every_detector_tells_features_far_away(name, head):
    detector = fitted(DETECTORS[name](), head)
    features, _ = clusters(60, seed=2)
    # Of the scale of the normal ones, but spread over the directions that those do not use, and for no class.
    far = torch.cat([0.1 * features[:, -CLASSES:], 2 * features[:, :-CLASSES]], dim=1)
    assert auroc(scored(detector, head), detector(far, head(far)).numpy()) > 0.9


@pytest.mark.parametrize("name", FEATURE_DETECTORS)
def test_a_score_is_of_its_own_example_only(name, head):
    detector = fitted(DETECTORS[name](), head)
    features, _ = clusters(60, seed=1)
    single = torch.cat([detector(row[None], head(row[None])) for row in features])
    np.testing.assert_allclose(single.numpy(), scored(detector, head), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FEATURE_DETECTORS)
def test_a_head_may_lack_its_bias(name, head):
    without = torch.nn.Linear(WIDTH, CLASSES, bias=False).requires_grad_(False)
    without.weight.copy_(head.weight)
    head.bias.zero_()
    np.testing.assert_allclose(
        scored(fitted(DETECTORS[name](), without), without), scored(fitted(DETECTORS[name](), head), head), rtol=1e-5
    )


def test_odin_moves_inputs_towards_the_predicted_class():
    model, inputs = tiny_model().eval(), torch.randn(9, 6)
    model.requires_grad_(False)
    moved = inputs.clone().requires_grad_()
    (model(moved).logits / 10).softmax(dim=-1).amax(dim=-1).log().sum().backward()
    with torch.no_grad():
        expected = -(model(inputs + 0.05 * moved.grad.sign()).logits / 10).softmax(dim=-1).amax(dim=-1)
    detector = ODIN(noise=0.05, temperature=10)
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            torch.testing.assert_close(detector(model, {"pixel_values": inputs * 1}), expected)


def test_odin_refuses_words():
    model = tiny_model()
    with pytest.raises(ValueError, match="'pixel_values' are no real numbers"):
        ODIN()(model, {"pixel_values": torch.ones(2, 6, dtype=torch.long)})


def test_knn_needs_no_optional_library_and_the_others_say_which():
    program = (
        "import sys; sys.modules['pytorch_ood'] = None\n"
        "from hf_oe import OODSuite\n"
        "OODSuite(score=['knn', 'energy'])\n"
        "OODSuite(score=['vim'])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 1 and "line 4" in run.stderr
    assert "install it with `pip install hf_oe[detectors]`" in run.stderr.splitlines()[-1]
