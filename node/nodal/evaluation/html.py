"""The report as one page of HTML that asks for nothing outside itself."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from nodal.evaluation.forest import Forest, draw_forest
from nodal.evaluation.page import Figure, Page
from nodal.report.draw_chart import draw_chart
from nodal.report.fonts import Typesetter
from nodal.report.svg_sheet import FONT_STACK, SvgSheet

__all__ = ["evaluation_html"]

TEMPLATE = "evaluation.html"


def evaluation_html(page: Page) -> str:
    """The text of ``evaluation.html``; the same page gives the same text."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = (resources.files("nodal.evaluation") / TEMPLATE).read_text(encoding="utf-8")
    template = environment.from_string(source)
    return template.render(page=page, picture=_painter(), font_stack=Markup(FONT_STACK))


def _painter() -> Callable[[Figure], Markup]:
    """Draws a figure as an element of the page; all share what the typesetter has measured."""
    letters = Typesetter()

    def picture(figure: Figure) -> Markup:
        sheet = SvgSheet(figure.width, figure.height, figure.said, letters)
        if isinstance(figure.picture, Forest):
            draw_forest(sheet, figure.picture, 0, 0, figure.width, figure.height)
        else:
            draw_chart(sheet, figure.picture, 0, 0, figure.width, figure.height)
        # The sheet has escaped every text and attribute.
        return Markup(sheet.svg())

    return picture
