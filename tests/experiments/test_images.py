"""The settings of the image experiments: the paper's by default, adapted where a run is shorter."""

import pytest

from hf_oe.experiments.images import parse_arguments
from hf_oe.protocols.images import CIFAR10, MNIST


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], 0.001),
        (["--oe_epochs", "20"], 0.001),
        (["--oe_epochs", "5"], 0.002),
        (["--baseline_epochs", "50"], 0.002),
        (["--baseline_epochs", "50", "--num_train_epochs", "5"], 0.004),
        (["--baseline_epochs", "5", "--oe_epochs", "1"], 0.1),
        (["--baseline", "user/classifier", "--oe_epochs", "1"], 0.01),
        (["--baseline", "user/classifier", "--baseline_epochs", "20", "--oe_epochs", "1"], 0.05),
        (["--baseline_epochs", "5", "--oe_epochs", "1", "--learning_rate", "0.003"], 0.003),
        (["--baseline_epochs", "5", "--oe_epochs", "1", "--objective", "energy_bounded"], 0.01),
    ],
)
def test_a_shorter_run_takes_larger_steps_up_to_the_baselines(arguments, expected):
    _, training_args = parse_arguments(CIFAR10, arguments)
    assert training_args.learning_rate == pytest.approx(expected)


@pytest.mark.parametrize(
    ("version", "architecture", "outliers"), [("paper", "wrn_40_4", None), ("iclr", "wrn_40_2", 256)]
)
def test_each_version_of_the_paper_has_its_network_and_number_of_outliers(version, architecture, outliers):
    args, training_args = parse_arguments(CIFAR10, ["--protocol", version])
    assert (args.architecture, training_args.outlier_batch_size) == (architecture, outliers)


@pytest.mark.parametrize(
    ("arguments", "batch_size", "outliers", "weight"),
    [
        ([], 128, None, 0.5),
        (["--oe_epochs", "5"], 64, 128, 1.0),
        (["--oe_epochs", "1"], 64, 256, 2.0),
        (["--oe_epochs", "1", "--protocol", "iclr"], 64, 256, 1.0),
        (["--oe_epochs", "1", "--per_device_train_batch_size", "16"], 16, 64, 2.0),
        (["--oe_epochs", "1", "--outlier_weight", "0.7"], 64, 256, 0.7),
        (["--oe_epochs", "1", "--outlier_batch_size", "100"], 128, 100, 0.5),
        (["--oe_epochs", "1", "--objective", "hard_outliers"], 64, 256, 2.0),
        (["--oe_epochs", "1", "--objective", "energy_bounded"], 128, None, 0.1),
        (["--oe_epochs", "1", "--mode", "scratch"], 128, None, 0.5),
    ],
)
def test_a_shorter_run_sees_more_outliers_each_of_the_same_weight(arguments, batch_size, outliers, weight):
    _, training_args = parse_arguments(CIFAR10, arguments)
    assert training_args.per_device_train_batch_size == batch_size
    assert training_args.outlier_batch_size == outliers
    assert training_args.outlier_weight == pytest.approx(weight)


def test_a_file_comes_before_what_the_length_decides(tmp_path):
    (tmp_path / "run.yaml").write_text("oe_epochs: 1\nper_device_train_batch_size: 32\nlearning_rate: 0.02\n")
    _, training_args = parse_arguments(CIFAR10, [str(tmp_path / "run.yaml")])
    assert (training_args.per_device_train_batch_size, training_args.learning_rate) == (32, 0.02)
    assert training_args.outlier_batch_size == 128


def test_mnist_keeps_its_rate_which_is_the_baselines():
    _, training_args = parse_arguments(MNIST, ["--oe_epochs", "1"])
    assert training_args.learning_rate == 0.01


def test_a_misspelt_key_of_a_file_is_named(tmp_path):
    (tmp_path / "run.yaml").write_text("oe_epoch: 3\n")
    with pytest.raises(ValueError, match="sets 'oe_epoch', which is no argument here"):
        parse_arguments(MNIST, [str(tmp_path / "run.yaml")])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("protocol: newest", "--protocol: invalid choice: 'newest'"),
        ("per_device_train_batch_size: 2.5", "invalid int value: '2.5'"),
        ("oe_epochs: {a: 1}", "invalid float value"),
    ],
)
def test_values_of_a_file_are_checked_as_those_of_the_command_line(tmp_path, capsys, line, message):
    (tmp_path / "run.yaml").write_text(f"{line}\n")
    with pytest.raises(SystemExit):
        parse_arguments(MNIST, [str(tmp_path / "run.yaml")])
    assert message in capsys.readouterr().err


def test_a_null_in_a_file_is_the_default_and_lists_and_dictionaries_are_taken(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("architecture: null\noutliers: [a, b]\nlr_scheduler_kwargs: {min_lr: 1.0e-4}\nuse_cpu: true\n")
    args, training_args = parse_arguments(MNIST, [str(path)])
    assert (args.architecture, args.outliers) == ("oe_mnist_convnet", ["a", "b"])
    assert (training_args.lr_scheduler_kwargs, training_args.use_cpu) == ({"min_lr": 1e-4}, True)
