"""Whatever is to be drawn, to PNG. Pure: the same data gives the same picture."""

import io
import warnings

from matplotlib.figure import Figure

from bot.charts import backtest_figure, figure, look
from bot.model.charts import BacktestChart, Drawing, Picture


def figure_of(data: Drawing) -> Figure:
    """Before it becomes pixels."""
    return backtest_figure.figure_of(data) if isinstance(data, BacktestChart) else figure.figure_of(data)


def png_of(data: Drawing) -> Picture:
    """Draw."""
    made = figure_of(data)
    out = io.BytesIO()
    with warnings.catch_warnings():
        # A character that no font here has is shown as a box; the chart is worth more than the name.
        warnings.filterwarnings("ignore", message="Glyph")
        made.savefig(out, format="png", facecolor=look.BACKGROUND, pil_kwargs={"optimize": False, "compress_level": 6})
    width, height = (round(inches * look.DPI) for inches in made.get_size_inches())
    return Picture(out.getvalue(), width, height)
