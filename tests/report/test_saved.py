"""What a run saves for its report comes back as it was."""

import json

import numpy as np
import pytest

from hf_oe.report import Examples, load_run, run_settings, save_run
from hf_oe.suite import OODSuite

from .runs import CORPORA, stage_results


def test_scores_confidences_and_examples_come_back(tmp_path):
    suite = OODSuite(score=["msp", "energy"], trials=1)
    results = {
        stage: stage_results(seed, dict.fromkeys(CORPORA, 1.0), suite) for seed, stage in enumerate(["baseline", "oe"])
    }
    texts = Examples(np.array(["odd"]), np.array(["plain", "even"]), np.array([2.0]), np.array([0.0, 1.0]))
    save_run(tmp_path, results, {"a/b <c> $x$": texts})
    (tmp_path / "ood_results.json").write_text(json.dumps({"rows": [{"score": "energy"}]}))
    run = load_run(tmp_path)
    for stage, result in results.items():
        assert run.scores[stage].keys() == {"msp", "energy"}
        for score, by_corpus in result.scores.items():
            assert list(run.scores[stage][score]) == ["in_distribution", *CORPORA]
            for corpus, values in by_corpus.items():
                assert np.array_equal(run.scores[stage][score][corpus], values)
        assert np.array_equal(run.correct[stage], result.correct)
        assert all(np.array_equal(run.confidence[stage][name], result.confidence[name]) for name in result.confidence)
    assert run.examples["a/b <c> $x$"].least.tolist() == ["plain", "even"]
    assert run.main_score == "energy" and np.array_equal(
        run.main_scores()["oe"]["noise"], run.scores["oe"]["energy"]["noise"]
    )


def test_a_score_of_one_stage_only_is_kept(tmp_path):
    suite = OODSuite(trials=1)
    result = suite.evaluate_scores({"knn": {"in_distribution": np.zeros(3), "noise": np.ones(2)}})
    save_run(tmp_path, {"baseline": result})
    (tmp_path / "ood_results.json").write_text(json.dumps({"rows": result.to_dict("baseline")["rows"]}))
    run = load_run(tmp_path)
    assert run.scores["baseline"]["knn"]["noise"].tolist() == [1, 1]
    assert run.correct == {} and run.confidence == {} and run.examples == {} and run.base_rate == 0.2


def test_folders_without_a_run_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no ood_results\.json: name the output folder"):
        load_run(tmp_path)
    (tmp_path / "ood_results.json").write_text('{"rows": []}')
    with pytest.raises(ValueError, match="holds no rows"):
        load_run(tmp_path)


def test_settings_are_what_decides_the_figures():
    from hf_oe import OETrainingArguments
    from hf_oe.experiments.images import ImageExperimentArguments

    def settings(**changed):
        arguments = ImageExperimentArguments(data_dir=changed.pop("data_dir", None), mode="scratch")
        return run_settings(arguments, OETrainingArguments(**{"output_dir": "a", "use_cpu": True, **changed}))

    same = settings(output_dir="b", seed=7, data_dir="/data", logging_steps=3, save_strategy="no")
    assert settings() == same and same["mode"] == "scratch" and "outlier_weight" not in same
    assert settings(outlier_weight=0.1) == {**same, "outlier_weight": 0.1}
    json.dumps(same)
