"""Who may push what: tokens and signatures of one source each; who is not known is told nothing."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner
from collector_service import (
    APP_TOKEN,
    ENVIRON,
    LITELLM_TOKEN,
    NOW,
    OTEL_TOKEN,
    OTHER_TOKEN,
    SECRET,
    SOURCES,
    Service,
    collector,
    event,
)

from ingestion.collector.auth import NoSecret, senders_of
from ingestion.collector.pepper import pepper
from ingestion.collector.spool import held, spool_path
from orchestration.cli.collector import collector as command

SPAN = {
    "resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "1" * 32, "spanId": "2" * 16,
        "startTimeUnixNano": "1791190800000000000", "endTimeUnixNano": "1791190802000000000",
        "attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "5"}}],
    }]}]}]
}  # fmt: skip
LOG = {"id": "r-1", "litellm_call_id": "c-1", "startTime": 1795418023.3, "response_cost": 0.1}
BODIES = {"/v1/events": event("a"), "/v1/traces": SPAN, "/litellm": LOG}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with collector(tmp_path_factory.mktemp("home")) as running:
        yield running


def rows(service: Service) -> int:
    found = held(spool_path(service.home))
    return found.rows_count if found else 0


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {APP_TOKEN}", f"Bearer {APP_TOKEN}x"],
)
def test_who_shows_no_known_token_is_told_nothing(
    service: Service, path: str, authorization: str | None
) -> None:
    before = rows(service)
    headers = {} if authorization is None else {"authorization": authorization}
    answer = requests.post(service.url + path, json=BODIES[path], headers=headers, timeout=30)
    assert (answer.status_code, answer.content) == (401, b"")
    assert rows(service) == before


@pytest.mark.parametrize(
    ("token", "path", "status"),
    [
        (APP_TOKEN, "/v1/events", 202),
        (APP_TOKEN, "/v1/traces", 200),
        (APP_TOKEN, "/litellm", 202),
        (OTEL_TOKEN, "/v1/events", 403),
        (OTEL_TOKEN, "/v1/traces", 200),
        (OTEL_TOKEN, "/litellm", 403),
        (LITELLM_TOKEN, "/v1/events", 403),
        (LITELLM_TOKEN, "/v1/traces", 403),
        (LITELLM_TOKEN, "/litellm", 202),
    ],
)
def test_a_token_pushes_what_its_system_has(
    service: Service, token: str, path: str, status: int
) -> None:
    before = rows(service)
    assert service.post(path, BODIES[path], token=token).status_code == status
    assert rows(service) - before == (1 if status < 300 else 0)


@pytest.mark.parametrize("extra", [{}, {"note": "not of the plain shape"}])
def test_a_payload_that_names_another_source_is_refused_whole(
    service: Service, extra: dict[str, str]
) -> None:
    before = rows(service)
    named = [event("a") | extra, event("b") | {"source": "other"}]
    assert service.post("/v1/events", named, token=APP_TOKEN).status_code == 403
    assert rows(service) == before
    # Its own name, or the system's, is as good as none.
    own = [event("a") | extra | {"source": "other"}, event("b") | {"source": "collector"}]
    assert service.post("/v1/events", own, token=OTHER_TOKEN).status_code == 202


def signed(
    service: Service, body: bytes, *, delivery: str, seconds: int = 0, secret: str = SECRET
) -> requests.Response:
    stamp = int((service.now + timedelta(seconds=seconds)).timestamp())
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "webhook_id": delivery,
        "webhook_timestamp": str(stamp),
        # A sender that changes its secret signs with both.
        "webhook_signature": f"v1,AAAA v1,{base64.b64encode(digest).decode()}",
    }
    return service.post("/v1/events", body, token=None, **headers)


def test_a_signature_is_good_for_five_minutes_either_way(service: Service) -> None:
    body = json.dumps(event("signed")).encode()
    answers = {
        seconds: signed(service, body, delivery=f"msg_{seconds}", seconds=seconds).status_code
        for seconds in (-301, -300, 0, 300, 301)
    }
    assert answers == {-301: 401, -300: 202, 0: 202, 300: 202, 301: 401}


def test_a_delivery_comes_once_and_its_retry_is_signed_anew(service: Service) -> None:
    body = json.dumps(event("once")).encode()
    before = rows(service)
    assert signed(service, body, delivery="msg_1").status_code == 202
    assert signed(service, body, delivery="msg_1").status_code == 401
    assert rows(service) == before + 1
    assert signed(service, body, delivery="msg_1", seconds=5).status_code == 202
    # A correction is another delivery of the same event id.
    corrected = json.dumps(event("once", input_tokens=1)).encode()
    assert signed(service, corrected, delivery="msg_2").status_code == 202
    service.now = NOW + timedelta(seconds=301)
    assert signed(service, body, delivery="msg_1", seconds=-301).status_code == 401
    service.now = NOW


def test_a_replay_is_known_after_a_restart(tmp_path: Path) -> None:
    body = json.dumps(event("once")).encode()
    for status in (202, 401):
        with collector(tmp_path) as service:
            assert signed(service, body, delivery="msg_1").status_code == status


def test_a_signature_of_other_bytes_or_another_secret_is_refused(service: Service) -> None:
    body = json.dumps(event("forged")).encode()
    other = "whsec_" + base64.b64encode(b"another secret of enough bytes").decode()
    assert signed(service, body, delivery="msg_f", secret=other).status_code == 401
    assert signed(service, body, delivery="a.b").status_code == 401
    headers = {"webhook_id": "x", "webhook_timestamp": "1", "webhook_signature": "v1,x"}
    for missing in headers:
        shown = {name: value for name, value in headers.items() if name != missing}
        assert service.post("/v1/events", body, token=None, **shown).status_code == 401


def test_tokens_are_kept_hashed_and_each_source_has_its_own() -> None:
    senders = senders_of(SOURCES, ENVIRON)
    assert APP_TOKEN not in repr(senders)
    with pytest.raises(NoSecret, match="two sources have the same token"):
        senders_of(SOURCES, {**ENVIRON, "OTHER_TOKEN": APP_TOKEN})
    with pytest.raises(NoSecret, match="APP_SECRET has 5 bytes: 24 to 64 are needed"):
        senders_of(SOURCES, {"APP_SECRET": "whsec_c2hvcnQ="})
    assert [each.instance for each in senders_of(SOURCES, {"OTEL_TOKEN": "t"})] == ["tracer"]


def test_it_does_not_start_without_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(command, [])
    assert done.exit_code == 2
    assert done.output.startswith("Not started: no sender can sign in: set ")
    assert "COLLECTOR_MAIN_PUSH_TOKEN" in done.output
    assert not (tmp_path / "home").exists()


def test_the_pepper_is_made_once_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    made = pepper(tmp_path / "home", {})
    assert len(made) == 64
    assert pepper(tmp_path / "home", {}) == made
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["pepper"]
    assert (tmp_path / "home" / "pepper").stat().st_mode & 0o777 == 0o600
    assert pepper(tmp_path / "home", {"METERHOUSE_PEPPER": "said"}) == b"said"
