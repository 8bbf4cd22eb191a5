"""ImageNet's bounding boxes, and crops by them."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from PIL import Image

from ._archives import members
from ._errors import corrupt_if


@dataclass(frozen=True)
class Annotation:
    """The class of an image and its largest bounding box: left, top, right, bottom in pixels."""

    wordnet_id: str
    box: tuple[float, float, float, float]


def read_annotations(path: str) -> dict[str, Annotation]:
    """Annotation by image name (without its suffix) from an archive of XML files; raises `CorruptFileError`."""
    annotations = {}
    for name, content in members(path, lambda name: name.endswith(".xml")):
        with corrupt_if(f"{path}, member {name}", ElementTree.ParseError, TypeError, ValueError):
            found = [_annotation(element) for element in ElementTree.fromstring(content).iter("object")]
            annotations[name.rpartition("/")[2].removesuffix(".xml")] = max(found, key=_area)
    return annotations


def _annotation(element: ElementTree.Element) -> Annotation:
    box = tuple(float(element.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))
    return Annotation(element.findtext("name"), box)


def _area(annotation: Annotation) -> float:
    left, top, right, bottom = annotation.box
    return (right - left) * (bottom - top)


def crop(content: bytes, annotation: Annotation | None, size: int = 64) -> Image.Image:
    """The smallest square around the bounding box that lies in the picture, or its centre, at `size` pixels.

    The authors' own rule for Tiny ImageNet's crops was never published.
    """
    image = Image.open(io.BytesIO(content)).convert("RGB")
    left, top, right, bottom = annotation.box if annotation else (0, 0, *image.size)
    side = min(max(right - left, bottom - top, 1), *image.size) if annotation else min(image.size)
    x = min(max((left + right - side) / 2, 0), image.width - side)
    y = min(max((top + bottom - side) / 2, 0), image.height - side)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=(x, y, x + side, y + side))
