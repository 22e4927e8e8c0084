# Kassa in a container: what it runs on from the locked requirements, Kassa itself from the wheel that this folder builds.
#
#   docker build --tag kassa .
#   docker run --rm --publish 8000-8002:8000-8002 --volume kassa:/var/lib/kassa kassa serve --demo
#
# Secrets come by files: KASSA_DATABASE_URL_FILE, KASSA_SECRET_KEY_FILE.

FROM python:3.13-slim AS build

WORKDIR /src
RUN python -m venv /opt/kassa
COPY requirements/run.txt requirements/
RUN /opt/kassa/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/kassa/bin/python -m hatchling build --target wheel --directory /tmp/wheel \
    && /opt/kassa/bin/pip install --no-cache-dir --no-deps --no-index /tmp/wheel/kassa-*.whl

FROM python:3.13-slim

# The embedded PostgreSQL needs a user with an entry in the passwd file, and its home has to be this user's own.
RUN groupadd --system --gid 10001 kassa \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/kassa --create-home --shell /usr/sbin/nologin kassa \
    && chmod 0700 /var/lib/kassa
COPY --from=build /opt/kassa /opt/kassa

ENV PATH=/opt/kassa/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    KASSA_HOME=/var/lib/kassa \
    KASSA_HOST=0.0.0.0 \
    KASSA_HEALTH_PORT=8003

USER 10001:10001
WORKDIR /var/lib/kassa
VOLUME /var/lib/kassa
EXPOSE 8000 8001 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['KASSA_HEALTH_PORT']}/readyz\", timeout=2)"]
ENTRYPOINT ["kassa"]
CMD ["serve"]
