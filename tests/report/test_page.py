"""report.html: complete, self-contained, sortable, and laid out well in a real browser, wide and narrow."""

import re
import sys
from html.parser import HTMLParser

import pytest

from hf_oe.report import STAGES, load_run, write_report
from hf_oe.report.__main__ import main

from ..browser import EXECUTABLE, Page
from .runs import CORPORA, write_run

needs_browser = pytest.mark.skipif(EXECUTABLE is None, reason="Chromium is not installed")


class Reader(HTMLParser):
    """Ids, addresses, and the text of every table's cells."""

    def __init__(self, page):
        super().__init__()
        self.ids, self.addresses, self.cells = [], [], []
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.addresses += [attributes[name] for name in ("href", "src", "xlink:href") if name in attributes]
        self._in_cell = tag in ("td", "th") or (self._in_cell and tag in ("button", "small"))
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self._in_cell:
            self.cells[-1] += data


@pytest.fixture(scope="module")
def report(run_folder, tmp_path_factory):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'hf_oe[plots]'")
    return write_report([run_folder], tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    weights = {"a": (0, 0.5), "b": (1, 0.5), "c": (0, 0.1)}
    runs = [write_run(folder / name, seed, outlier_weight=weight) for name, (seed, weight) in weights.items()]
    return write_report(runs, folder / "comparison.html")


def test_a_page_asks_for_nothing_outside_itself(report, comparison):
    for path in (report, comparison):
        page = path.read_text(encoding="utf-8")
        read = Reader(page)
        assert all(address.startswith(("data:", "#")) for address in read.addresses)
        assert "http:" not in page and "https:" not in page and "@import" not in page
        assert "default-src 'none'" in page
        inner = [address[1:] for address in read.addresses if address.startswith("#")]
        assert set(inner) <= set(read.ids) and len(read.ids) == len(set(read.ids))


def test_every_figure_of_the_run_is_in_its_tables(report, run_folder):
    cells = Reader(report.read_text(encoding="utf-8")).cells
    run = load_run(run_folder)
    for row in run.results["rows"]:
        if row["corpus"] != "error_detection":
            for metric in ("fpr", "auroc", "aupr"):
                assert f"{100 * row[metric]:.2f} ± {100 * row[f'{metric}_std']:.2f}" in cells
    assert set(CORPORA) <= set(cells)


def test_names_are_text_and_never_markup(report):
    page = report.read_text(encoding="utf-8")
    assert "<c>" not in page and "a/b &lt;c&gt; $x$" in page


def test_every_kind_of_figure_has_a_panel_a_corpus(report):
    page = report.read_text(encoding="utf-8")
    labels = re.findall(r'aria-label="([^"]*): (?:AUROC|AUPR|RMS)', page)
    kinds = ("ROC curves", "Precision and recall", "Score histograms", "Reliability")
    assert len(labels) == len(set(labels)) == len(kinds) * len(CORPORA)
    assert page.count("data:image/png") == 2 * 8 * (len(CORPORA) + 1)
    assert "#1f5fae" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)  # colours come from the page


def test_warnings_are_on_the_page(tmp_path):
    page = write_report([write_run(tmp_path / "run", worse="letters")]).read_text(encoding="utf-8")
    assert "Outlier Exposure made 1 of 3 corpora worse" in page and "worse with OE" in page
    assert "No warnings" not in page


def test_an_older_run_without_scores_and_a_machine_without_matplotlib_have_a_page(tmp_path, monkeypatch, caplog):
    folder = write_run(tmp_path / "run")
    for name in ("ood_scores.npz", "ood_examples.npz"):
        (folder / name).unlink()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = write_report([folder]).read_text(encoding="utf-8")
    assert "<svg" not in page and "noise" in Reader(page).cells
    assert "pip install hf_oe[plots]" in caplog.text


def test_a_baseline_alone_and_a_score_of_one_stage_have_a_page(tmp_path):
    import json

    folder = write_run(tmp_path / "run")
    results = json.loads((folder / "ood_results.json").read_text())
    for key in ("rows", "mean"):
        results[key] += [
            {**row, "score": "knn"} for row in results[key] if (row["stage"], row["score"]) == ("baseline", "msp")
        ]
    (folder / "ood_results.json").write_text(json.dumps(results))
    assert "knn" in Reader(write_report([folder]).read_text(encoding="utf-8")).cells
    for key in ("rows", "mean", "calibration"):
        results[key] = [row for row in results[key] if row["stage"] == "baseline"]
    results["test_error"] = {"baseline": None}
    (folder / "ood_results.json").write_text(json.dumps(results))
    (folder / "ood_scores.npz").unlink()
    assert "→" not in write_report([folder]).read_text(encoding="utf-8")


def test_a_heat_map_in_the_folder_is_shown(tmp_path):
    folder = write_run(tmp_path / "run")
    (folder / "heat_maps.png").write_bytes(b"picture")
    assert "data:image/png;base64,cGljdHVyZQ==" in write_report([folder]).read_text(encoding="utf-8")


def test_every_stage_has_its_colour_in_both_schemes_and_its_name_in_the_key(tmp_path):
    folder = write_run(tmp_path / "run", stages=("gan", "oe"))
    page = write_report([folder]).read_text(encoding="utf-8")
    for stage in STAGES:
        assert page.count(f"  --{stage}: #") == 2 and f".key .{stage} {{" in page
    assert '<span class="gan">GAN</span><span class="oe">OE</span>' in page and ">baseline<" not in page
    assert "false alarms fall" in page


def test_runs_of_several_seeds_are_compared_as_one(comparison):
    cells = Reader(comparison.read_text(encoding="utf-8")).cells
    assert "0, 1" in cells
    assert any(re.fullmatch(r"[\d.]+ ± [\d.]+ seeds, ± [\d.]+ draws", cell) for cell in cells)


def test_the_command_writes_beside_the_run_or_where_it_is_told(tmp_path, monkeypatch, capsys):
    folder = write_run(tmp_path / "run")
    main([str(folder)])
    assert (folder / "report.html").exists() and capsys.readouterr().out.strip() == str(folder / "report.html")
    monkeypatch.chdir(tmp_path)
    main([str(folder), str(folder)])
    main([str(folder), "--output", "other.html"])
    assert (tmp_path / "report.html").exists() and (tmp_path / "other.html").exists()
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
    assert "holds no ood_results.json" in capsys.readouterr().err


OVERFLOWING = """
[...document.querySelectorAll("main *, header *")].filter((element) =>
  element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroll, nav, svg")
).map((element) => element.outerHTML.slice(0, 80))
"""
OVERLAPPING = """
[...document.querySelectorAll("header, section, .panels, .bars, .cards, .extremes, .thumbs")].flatMap((parent) => {
  const boxes = [...parent.children].map((child) => child.getBoundingClientRect()).filter((box) => box.height);
  const overlap = (a, b) => Math.min(
    Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
  );
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => overlap(a, b) > 1)).map(() => parent.outerHTML);
})
"""


@needs_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_overlaps_fails_or_is_fetched(report, comparison, width, dark):
    for path in (report, comparison):
        with Page(path, width, dark=dark) as page:
            assert page.run("document.documentElement.scrollWidth <= innerWidth")
            assert page.run(OVERFLOWING) == [] and page.run(OVERLAPPING) == []
            background = page.run("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == dark
            assert page.errors == [] and page.requests == [page.address]


@needs_browser
def test_a_click_on_a_heading_sorts_and_a_second_one_turns_round(report):
    read = "[...document.querySelector('#corpora tbody').rows].map((row) => row.cells[1].dataset.value).map(Number)"
    click = "document.querySelectorAll('#corpora th button')[1].click()"
    with Page(report) as page:
        before = page.run(read)
        page.run(click)
        assert page.run(read) == sorted(before)
        page.run(click)
        assert page.run(read) == sorted(before, reverse=True)
        assert page.run("document.querySelectorAll('#corpora th')[1].ariaSort") == "descending"
        assert page.run("document.querySelector('#corpora tfoot td').textContent") == "Mean"
        assert page.errors == []
