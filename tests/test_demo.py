"""The demo page: what it says of an input, of one that will not do, and that a browser shows it."""

import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from hf_oe import fit_threshold, pipeline
from hf_oe.config import update_oe_settings
from hf_oe.demo import build, examine, load_detector, main
from hf_oe.hub import describe_results, save_for_hub
from hf_oe.models import SmallImageProcessor, create_classifier
from hf_oe.suite import OODSuite

from .tiny import tiny_reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "digits"
    torch.manual_seed(0)
    model = create_classifier("oe_mnist_convnet", 3, id2label={0: "zero", 1: "one", 2: "two"})
    update_oe_settings(model, temperature=0.5)
    processor = SmallImageProcessor(28, 1)
    detector = pipeline("ood-image-classification", model=model, image_processor=processor, device="cpu")
    fit_threshold(detector, [np.full((28, 28), grey, np.uint8) for grey in range(0, 250, 10)], target_fpr=0.1)
    logits = np.random.default_rng(0).normal(size=(50, 3))
    results = describe_results(OODSuite().evaluate_logits(logits, {"noise": logits[:20]}), "digits")
    save_for_hub(path, model, processor, results=results, name="owner/digits")
    return path


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("RGB", (30, 30), (90, 90, 90)).save(path)
    return path


def test_an_input_gets_label_both_confidences_score_and_verdict(folder, picture):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'hf_oe[demo]'")
    detector, histogram = load_detector(str(folder))
    text, figure = examine(detector, histogram, str(picture))
    result = detector(str(picture))
    assert f"**{result['label']}**" in text and "## Normal" in text
    logits = detector.model(**detector.data_collator([str(picture)])).logits
    assert f"before calibration | {logits.softmax(-1).max().item():.1%}" in text
    assert f"after calibration (temperature 0.5) | {result['score']:.1%}" in text
    assert f"(`msp`) | {result['anomaly_score']:.4g}" in text and "of in-distribution examples" in text
    assert len(figure.axes[0].lines) == 2

    update_oe_settings(detector.model, threshold={"value": -1.0, "score": "msp"})
    assert "## Anomalous" in examine(detector, histogram, str(picture))[0]
    update_oe_settings(detector.model, threshold=None)
    assert "## No verdict" in examine(detector, None, str(picture))[0]


def write_text(path):
    path.write_text("no image")


def write_truncated(path):
    Image.effect_noise((200, 200), 90).save(path)
    path.write_bytes(path.read_bytes()[:4000])


def write_huge(path):
    Image.new("1", (20_000, 20_000)).save(path)


@pytest.mark.parametrize("write", [write_text, write_truncated, write_huge])
def test_a_wrong_file_gets_a_sentence(folder, picture, write):
    detector, histogram = load_detector(str(folder))
    write(picture)
    text, figure = examine(detector, histogram, str(picture))
    assert text.startswith("**This will not do.** The image 'picture.png'") and figure is None
    assert examine(detector, histogram, None) == ("Drop a file first.", None)


def test_texts_are_examined_and_blank_ones_get_a_sentence():
    reader = tiny_reader()
    text, _ = examine(reader, None, "a film of rare beauty")
    assert "| Label |" in text and "## No verdict" in text
    assert examine(reader, None, "  ") == ("**This will not do.** The text is empty: give at least one word.", None)


def test_a_missing_model_or_extra_ends_in_a_sentence(folder, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(SystemExit, match=r"pip install hf_oe\[demo\]"):
        main([str(folder)])


def test_a_space_shows_a_model_of_the_hub(tmp_path):
    pytest.importorskip("gradio", reason="gradio is not installed: pip install 'hf_oe[demo]'")
    main(["me/digits", "--space", str(tmp_path / "space")])
    assert {path.name for path in (tmp_path / "space").iterdir()} == {"app.py", "requirements.txt", "README.md"}
    assert 'build("me/digits").launch()' in (tmp_path / "space" / "app.py").read_text()


@pytest.fixture
def browser():
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("google-chrome")
    if not driver or not chromium:
        pytest.skip("chromium and its driver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,1000"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def test_a_browser_shows_the_verdict_and_the_sentence(folder, picture, browser):
    pytest.importorskip("gradio", reason="gradio is not installed: pip install 'hf_oe[demo]'")
    from selenium.webdriver.support.ui import WebDriverWait

    page = build(str(folder))
    page.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    try:
        browser.get(page.local_url)
        drop = WebDriverWait(browser, 120).until(
            lambda browser: browser.find_element("css selector", "#source input[type=file]")
        )
        drop.send_keys(str(picture))
        wait = WebDriverWait(browser, 120)
        wait.until(lambda browser: "Normal" in browser.find_element("id", "answer").text)
        assert "Confidence before calibration" in browser.find_element("id", "answer").text
        wait.until(lambda browser: browser.find_elements("css selector", ".matplotlib img, img[src^='data:image']"))
    finally:
        page.close()
