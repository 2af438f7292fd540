import os
import tempfile

import pytest

os.environ.setdefault("MPLCONFIGDIR", tempfile.mkdtemp(prefix="oibot-charts-"))

pytest.importorskip("matplotlib")

from bot.charts import figure
from tests.support import gallery


@pytest.fixture(scope="session", autouse=True)
def prepared():
    figure.prepare()


@pytest.fixture(params=sorted(gallery.CHARTS))
def data(request):
    return gallery.CHARTS[request.param]()
