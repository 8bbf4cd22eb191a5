"""Pushing and loading through a Hub of our own, each client in a process of its own as `HF_ENDPOINT` demands."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image

from hf_oe import fit_threshold, pipeline
from hf_oe.config import update_oe_settings
from hf_oe.hub import describe_results, push, push_folder, save_for_hub, write_model_card
from hf_oe.hub.push import _content
from hf_oe.models import SmallImageProcessor, create_classifier
from hf_oe.suite import OODSuite

from .loopback_hub import LoopbackHub, Repository

KEPT_BACK = ("training_args.bin", "report.html", "ood_examples.npz")
POINTS = [
    ("create", "after"),
    ("preupload", "before"),
    ("preupload", "half"),
    ("preupload", "after"),
    ("batch", "before"),
    ("batch", "after"),
    ("put", "half"),
    ("put", "after"),
    ("commit", "before"),
    ("commit", "half"),
    ("commit", "after"),
]

PUSH_TWICE = """
import json, sys
from hf_oe.hub import push
for repo_id in sys.argv[2:]:
    try:
        push(sys.argv[1], repo_id)
        broke = False
    except Exception:
        broke = True
        print(json.dumps({"repo_id": repo_id}), flush=True)
        sys.stdin.readline()
        push(sys.argv[1], repo_id)
"""

PUSH_AND_LOAD = """
import json, sys, warnings
from PIL import Image
from hf_oe import pipeline
from hf_oe.hub import push
folder, repo_id, picture = sys.argv[1:]
commit = push(folder, repo_id).oid
warnings.simplefilter("error", UserWarning)
detector = pipeline("ood-image-classification", model=repo_id, device="cpu")
logits = detector.model(**detector.image_processor(Image.open(picture), return_tensors="pt")).logits.tolist()
print(json.dumps({"commit": commit, "logits": logits, "oe": detector.model.config.oe, "result": detector(picture)}))
"""

LOAD_WITHOUT_HF_OE = """
import json, sys
sys.modules["hf_oe"] = None
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline
processor = AutoImageProcessor.from_pretrained(sys.argv[1], trust_remote_code=True)
model = AutoModelForImageClassification.from_pretrained(sys.argv[1], trust_remote_code=True).eval()
logits = model(**processor(Image.open(sys.argv[2]), return_tensors="pt")).logits
classifier = pipeline("image-classification", model=sys.argv[1], trust_remote_code=True, device="cpu", top_k=1)
print(json.dumps({
    "logits": logits.tolist(),
    "anomaly_score": -logits.softmax(-1).amax(-1).item(),
    "threshold": model.config.oe["threshold"]["value"],
    "label": classifier(sys.argv[2])[0]["label"],
}))
"""


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small detector with everything that belongs to it, its threshold among that."""
    path = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = create_classifier("oe_mnist_convnet", 3, id2label={0: "a", 1: "b", 2: "c"}).eval()
    update_oe_settings(
        model, temperature=1.7, objective="uniform", outlier_weight=0.5, outliers=[{"name": "textures"}], score="msp"
    )
    processor = SmallImageProcessor(28, 1)
    detector = pipeline("ood-image-classification", model=model, image_processor=processor, device="cpu")
    generator = np.random.default_rng(1)
    fit_threshold(detector, list(generator.integers(0, 256, (20, 28, 28, 3), dtype=np.uint8)), target_fpr=0.1)
    logits = generator.normal(size=(60, 3))
    suite_results = OODSuite().evaluate_logits(
        logits, {"textures": generator.normal(size=(30, 3)), "svhn": logits[:30]}, logits.argmax(-1)
    )
    results = describe_results(suite_results, "cifar10")
    save_for_hub(path, model, processor, results=results, scores=suite_results.scores, name="owner/detector")
    for name in KEPT_BACK:
        (path / name).write_bytes(b"not to be published")
    (path / "checkpoint-3").mkdir()
    (path / "checkpoint-3" / "model.safetensors").write_bytes(b"older")
    return path


@pytest.fixture
def hub():
    with LoopbackHub() as server:
        yield server


def run(hub, home, script, *arguments):
    """What a client process prints last, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=home,
        env=hub.client_environment(home),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def published(folder):
    """What belongs on the Hub, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name not in KEPT_BACK}


def test_what_is_pushed_is_what_is_loaded(hub, folder, picture, tmp_path):
    there = run(hub, tmp_path, PUSH_AND_LOAD, folder, "owner/detector", picture)
    repository = hub.repositories["owner/detector"]
    assert repository.files("main") == published(folder) and there["commit"] == repository.branches["main"]
    names = set(repository.files("main"))
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "README.md", "ood_results.csv"} <= names
    detector = pipeline("ood-image-classification", model=str(folder), device="cpu")
    logits = detector.model(**detector.image_processor(Image.open(picture), return_tensors="pt")).logits.tolist()
    assert there["logits"] == logits
    assert there["oe"] == detector.model.config.oe and there["result"] == detector(picture)

    without_hf_oe = run(hub, tmp_path, LOAD_WITHOUT_HF_OE, "owner/detector", picture)
    assert without_hf_oe["logits"] == logits and without_hf_oe["label"] == there["result"]["label"]
    assert without_hf_oe["anomaly_score"] == pytest.approx(there["result"]["anomaly_score"])
    assert without_hf_oe["threshold"] == there["oe"]["threshold"]["value"]


def test_an_upload_that_breaks_anywhere_is_repeated_without_loss(hub, folder, tmp_path):
    repo_ids = {f"owner/{call}-{moment}": (call, moment) for call, moment in POINTS}
    for repo_id, point in repo_ids.items():
        hub.repositories[repo_id] = Repository(drop=point)
    process = subprocess.Popen(
        [sys.executable, "-c", PUSH_TWICE, folder, *repo_ids],
        env=hub.client_environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    broken = []
    for line in process.stdout:
        repo_id = json.loads(line)["repo_id"]
        broken.append(repo_ids[repo_id])
        # Whoever looks now finds nothing or all of it.
        assert hub.repositories[repo_id].files("main") in ({}, published(folder))
        process.stdin.write("\n")
        process.stdin.flush()
    assert process.wait() == 0, process.stderr.read()[-2000:]
    assert {("commit", moment) for moment in ("before", "half", "after")} <= set(broken)
    for repo_id in repo_ids:
        repository = hub.repositories[repo_id]
        assert repository.drop is None, f"{repo_id} was never interrupted"
        assert repository.files("main") == published(folder)
        # The empty one and ours: no commit in between.
        assert len(repository.commits) == 2


REVISIONS = """
import json, sys
from hf_oe import pipeline
from hf_oe.hub import push
folder, repo_id, picture = sys.argv[1:]

def attempt(function, *arguments, **settings):
    try:
        return str(function(*arguments, **settings))
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def classify(**settings):
    return pipeline("ood-image-classification", model=repo_id, device="cpu", **settings)(picture)["label"]

push(folder, repo_id, private=True)
push(folder, repo_id, revision="v2")
open(f"{folder}/notes.txt", "w").write("A suggestion.")
push(folder, repo_id, create_pr=True)
print(json.dumps({
    "owner": attempt(classify, revision="v2"),
    "other revision": attempt(classify, revision="v3"),
    "stranger": attempt(classify, token="hf_wrong", revision="main"),
    "intruder": attempt(push, folder, repo_id, token="hf_wrong"),
}))
"""


def test_revisions_and_who_may_see_a_private_model(hub, folder, picture, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    outcome = run(hub, tmp_path, REVISIONS, copy, "owner/secret", picture)
    repository = hub.repositories["owner/secret"]
    assert repository.private and repository.files("v2") == repository.files("main") == published(folder)
    (suggested,) = (files for files in repository.commits.values() if "notes.txt" in files)
    assert suggested == published(copy)
    assert outcome["owner"] in "abc"
    for refused, reason in (("other revision", "v3"), ("stranger", "owner/secret"), ("intruder", "401")):
        assert "Error" in outcome[refused] and reason in outcome[refused]


TRAINER = """
import json, sys
from tests.tiny import OUTLIERS, tiny_trainer
trainer = tiny_trainer(
    sys.argv[1], OUTLIERS["map-style"](), max_steps=2, hub_model_id="owner/vectors", hub_private_repo=True
)
trainer.train()
trainer.evaluate()
print(json.dumps(trainer.push_to_hub(license="mit", dataset="clusters").oid))
"""


def test_the_trainer_pushes_its_model_with_our_card_at_once(hub, tmp_path):
    (tmp_path / "run").mkdir()
    commit = run(hub, tmp_path, TRAINER, tmp_path / "run")
    repository = hub.repositories["owner/vectors"]
    assert repository.private and len(repository.commits) == 2
    files = repository.files(commit)
    assert {"model.safetensors", "ood_results.json", "ood_results.csv", "roc.png", "histograms.png"} <= set(files)
    assert not any(name.endswith(".bin") or "/" in name for name in files)
    card = ModelCard(files["README.md"].decode())
    assert card.data.license == "mit" and card.data.model_name == "vectors" and "of clusters" in card.text
    assert json.loads(files["config.json"])["oe"]["objective"] == "uniform"


def test_examples_of_a_card_without_a_hub_id_get_it(tmp_path):
    write_model_card(tmp_path / "README.md", create_classifier("wrn_16_1", 2), name="digits-outlier-exposure")
    card = _content(tmp_path / "README.md", "owner/digits").decode()
    assert 'model="owner/digits")' in card and "# digits-outlier-exposure" in card


def test_a_folder_is_pushed_as_it_is(folder):
    with pytest.raises(ValueError, match="A folder is pushed as it is"):
        push(folder, "owner/detector", license="mit")


def test_a_folder_without_a_model_is_not_pushed(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ValueError, match="holds no saved model, which is a config.json and weights in safetensors"):
        push_folder(tmp_path, "owner/nothing")
