# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/oibot
WORKDIR /src
COPY requirements.lock .ci/build.lock ./
RUN /opt/oibot/bin/python -m pip install --require-hashes -r requirements.lock -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY rules rules
# Compiled once here: the image is read-only at run time, and an uncompiled start takes three times as long.
RUN /opt/oibot/bin/python -m pip install --no-deps --no-build-isolation . \
    && /opt/oibot/bin/python -m compileall -q /opt/oibot/lib \
    && /opt/oibot/bin/python -m pip uninstall -q -y hatchling pathspec pluggy tomlkit trove-classifiers

FROM python:3.11-slim
LABEL org.opencontainers.image.title="oibot" \
      org.opencontainers.image.description="Alerts on open interest and price of crypto futures" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --no-log-init --uid 10001 --home-dir /data --shell /usr/sbin/nologin oibot \
    && mkdir /data && chown 10001:10001 /data
COPY --from=build /opt/oibot /opt/oibot
COPY rules /etc/oibot/rules
ENV PATH=/opt/oibot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OIBOT_DATA_DIR=/data \
    OIBOT_RULES_DIR=/etc/oibot/rules
USER 10001:10001
VOLUME /data
WORKDIR /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=2m --retries=3 CMD ["oibot", "health"]
ENTRYPOINT ["oibot"]
CMD ["run"]
