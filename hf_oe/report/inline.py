"""Figures as part of a page: SVG that takes its colours from the page, and pictures as data URIs."""

from __future__ import annotations

import base64
import re
from io import BytesIO, StringIO
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

from .figures import draw_panel, figure_style, new_figure
from .panels import Panels
from .style import INK, NORMAL_COLOUR, STAGES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_VARIABLES = {INK: "var(--ink)", NORMAL_COLOUR: "var(--normal)"} | {
    colour: f"var(--{stage})" for stage, (_, colour) in STAGES.items()
}
_PANEL_SIDE = 2.1


def panel_svg(panels: Panels, corpus: str, kind: str) -> Markup:
    """One panel, without its title.

    Args:
        kind: of figure, unique on the page.
    """
    with figure_style():
        figure = new_figure(_PANEL_SIDE, _PANEL_SIDE)
        draw_panel(figure.subplots(), panels, corpus)
        return figure_svg(figure, f"{kind}, {corpus}: {panels.note(corpus)}")


def figure_svg(figure: Figure, label: str) -> Markup:
    """A figure, to be drawn under `figure_style`; `label` is read out, and must be unique on the page."""
    from matplotlib import rc_context

    buffer = StringIO()
    # Marks and clips are referred to by ids, which the salt keeps apart from those of other figures.
    with rc_context({"svg.hashsalt": label}):
        unnamed = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=unnamed)
    text = buffer.getvalue()
    view_box = re.search(r'viewBox="[^"]*"', text).group()
    body = text[text.index("<svg") :]
    body = body[body.index(">") + 1 :]
    body = re.sub(r"<style.*?</style>", "", body, flags=re.S)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    return Markup(f'<svg {view_box} role="img" aria-label="{escape(label)}">{body}')


def picture_uri(picture: np.ndarray) -> str:
    """A PNG as data URI; uint8 `(channels, height, width)`, grey or colour."""
    pixels = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
