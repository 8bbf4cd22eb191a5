from __future__ import annotations

import dataclasses

import pytest

from hf_oe.protocols.published import PublishedTable
from hf_oe.report import results_table

PUBLISHED = PublishedTable("Table 0", 0.99, {"gaussian": ((1.0, 99.9, 99.4), (0.5, 100.0, 99.8))})


def row(stage, score, corpus, fpr, fpr99):
    return {
        "stage": stage,
        "score": score,
        "corpus": corpus,
        "fpr": fpr,
        "fpr_std": 0.01,
        "fpr_at": {"0.95": fpr, "0.99": fpr99},
        "auroc": 1 - fpr,
        "auroc_std": 0.002,
        "aupr": 0.9,
        "aupr_std": 0.0,
    }


@pytest.fixture
def results():
    rows = [
        row(stage, score, corpus, fpr, 2 * fpr)
        for score in ("msp", "energy")
        for stage, fpr in (("baseline", 0.2), ("oe", 0.05))
        for corpus in ("gaussian", "letters", "error_detection")
    ]
    mean = [
        {"stage": stage, "score": score, "fpr": fpr, "auroc": 1 - fpr, "aupr": 0.9}
        for score in ("msp", "energy")
        for stage, fpr in (("baseline", 0.2), ("oe", 0.05))
    ]
    return {
        "in_distribution": "digits",
        "recall_level": 0.95,
        "trials": 10,
        "test_error": {"baseline": 0.0123, "oe": 0.01},
        "rows": rows,
        "mean": mean,
        "left_out": ["lsun", "svhn"],
    }


def tables(text):
    """Every Markdown table of a text as a list of rows, each a dictionary from header to cell."""
    found, header = [], None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            header = None
        elif header is None:
            header = cells
            found.append([])
        elif set(line) - set("|-: "):
            found[-1].append(dict(zip(header, cells, strict=True)))
    return found


def test_figures_of_both_stages_stand_in_one_cell_in_percent(results):
    msp, energy, _ = tables(results_table(results))
    assert msp[0] == {
        "Corpus": "gaussian",
        "FPR95": "20.00 ± 1.00 → 5.00 ± 1.00",
        "FPR99": "40.00 → 10.00",
        "AUROC": "80.00 ± 0.20 → 95.00 ± 0.20",
        "AUPR": "90.00 ± 0.00 → 90.00 ± 0.00",
    }
    assert (
        [line["Corpus"] for line in msp] == [line["Corpus"] for line in energy] == ["gaussian", "letters", "**Mean**"]
    )
    assert msp[-1]["AUROC"] == "80.00 → 95.00"


def test_published_figures_stand_beside_those_of_the_same_score_only(results):
    msp, energy, _ = tables(results_table(results, PUBLISHED))
    assert msp[0]["published FPR99"] == "1.0 → 0.5" and msp[0]["published AUPR"] == "99.4 → 99.8"
    assert msp[1]["published AUROC"] == msp[-1]["published AUROC"] == "–"
    assert "published AUROC" not in energy[0]
    assert "Table 0" in results_table(results, PUBLISHED)


def test_the_run_needs_no_figures_at_the_published_recall_level(results):
    for line in results["rows"]:
        del line["fpr_at"]["0.99"]
    (first, *_), *_ = tables(results_table(results, PUBLISHED))
    assert "FPR99" not in first and first["published FPR99"] == "1.0 → 0.5"


def test_error_detection_has_its_own_table_without_deviations(results):
    *_, errors = tables(results_table(results))
    assert [line["Score"] for line in errors] == ["`msp`", "`energy`"]
    assert errors[0]["FPR95"] == "20.00 → 5.00"


def test_a_stage_without_errors_has_a_dash(results):
    results["rows"] = [r for r in results["rows"] if (r["stage"], r["corpus"]) != ("oe", "error_detection")]
    *_, errors = tables(results_table(results))
    assert errors[0]["AUROC"] == "80.00 → –"


def test_test_error_and_missing_corpora_are_told(results):
    text = results_table(results)
    assert "Test error: 1.23 → 1.00" in text
    assert "lsun, svhn" in text
    assert "10 draws" in text


def test_unknown_test_error_is_not_told(results):
    results["test_error"] = {"baseline": None, "oe": None}
    assert "Test error" not in results_table(results)


def test_the_baseline_alone_makes_a_table(results):
    for key in ("rows", "mean"):
        results[key] = [entry for entry in results[key] if entry["stage"] == "baseline"]
    results["test_error"] = {"baseline": 0.0123}
    text = results_table(results)
    assert "→" not in text and tables(text)[0][-1]["AUROC"] == "80.00"


def test_a_run_without_rows_is_explained(results):
    with pytest.raises(ValueError, match="`results` holds no rows"):
        results_table({**results, "rows": []})


def test_calibration_is_averaged_over_the_corpora():
    row = {"score": "msp", "corpus": "a", "fpr": 0.1, "auroc": 0.9, "aupr": 0.8, "stage": "oe"}
    errors = [
        {"stage": "oe", "corpus": corpus, "rescaled": rescaled, "rms": rms, "mav": rms / 2, "soft_f1": 0.5}
        for rescaled in (False, True)
        for corpus, rms in (("a", 0.1), ("b", 0.2))
    ]
    results = {
        "in_distribution": "digits",
        "recall_level": 0.95,
        "trials": 10,
        "test_error": {"oe": 0.01},
        "rows": [row],
        "mean": [],
        "calibration": errors,
    }
    lines = [line for line in results_table(results).splitlines() if "15.00" in line]
    assert len(lines) == 2 and "0-1 rescaled" in lines[1] and "7.50" in lines[0]

    published = dataclasses.replace(PUBLISHED, calibration=((13.5, 7.1, 53.9), (12.7, 6.8, 57.3), (5.9, 3.0, 74.4)))
    lines = [line for line in results_table(results, published).splitlines() if "15.00" in line]
    assert [line.split(" | ")[-1].strip(" |") for line in lines] == ["–", "74.4"], "the one without rescaling has none"
