"""SAP's Resource Consumption API: the service key, the token, and a report of one month."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ingestion.http import JsonClient, SourceError, json_client
from ingestion.json_text import decode_json, inside

_REPORTS = "/reports/v1"
_PLANS = (
    "the service key must be of plan reporting-ga-admin (scope Reporting.GA_Admin), or of "
    "reporting-directory with `account: directory`"
)


@dataclass(frozen=True)
class ServiceKey:
    """What a binding of Usage Data Management says; it is written in three ways."""

    token_url: str
    reporting_url: str
    client_id: str
    client_secret: str


def read_service_key(text: str, *, token_url: str | None, reporting_url: str | None) -> ServiceKey:
    """The key out of its JSON; addresses given apart come first. Raises SourceError."""
    try:
        key = decode_json(text.encode())
    except ValueError:
        raise SourceError("sap_joule: the service key is not JSON") from None
    found = {
        "token url (uaa_url, url or uaa.url)": token_url
        or _first(key, ("uaa", "url"), ("uaa_url",), ("url",)),
        "target_url (or set reporting_url_env)": reporting_url or _first(key, ("target_url",)),
        "clientid": _first(key, ("uaa", "clientid"), ("clientid",)),
        "clientsecret": _first(key, ("uaa", "clientsecret"), ("clientsecret",)),
    }
    for name, value in found.items():
        if value is None:
            raise SourceError(f"sap_joule: the service key has no {name}")
    return ServiceKey(*(str(value) for value in found.values()))


@dataclass(frozen=True)
class Reports:
    """A signed-in reporting API."""

    client: JsonClient

    def content(self, path: str, *, params: Mapping[str, str]) -> list[Any]:
        """Every row of a report, which has no pages; raises SourceError where it has."""
        answer = self.answer(path, params=params)
        rows = answer.get("content") if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise SourceError(f"sap_joule: {path} answered 200 without its content")
        total = answer.get("totalElements", len(rows))
        if total != len(rows) or answer.get("last") is False:
            raise SourceError(f"sap_joule: {path} answered {len(rows)} rows of more")
        return rows

    def answer(self, path: str, *, params: Mapping[str, str]) -> Any:
        """A report as it is."""
        try:
            return self.client.get(path, params=params)
        except SourceError as error:
            if error.status not in (401, 403):
                raise
            raise SourceError(f"sap_joule: {error}: {_PLANS}", status=error.status) from None


def sign_in(key: ServiceKey) -> Reports:
    """The reporting API with a fresh token, which lives for half a day."""
    basic = b64encode(f"{key.client_id}:{key.client_secret}".encode()).decode()
    client = json_client(key.token_url, headers={"Authorization": f"Basic {basic}"})
    try:
        answer = client.post_form("/oauth/token", form={"grant_type": "client_credentials"})
    except SourceError as error:
        if error.status not in (400, 401, 403):
            raise
        raise SourceError(
            f"sap_joule: signing in was answered {error.status}: the service key is not valid "
            "any more",
            status=error.status,
        ) from None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token:
        raise SourceError("sap_joule: signing in answered 200 without a token")
    base = key.reporting_url.rstrip("/")
    if not urlsplit(base).path.endswith(_REPORTS):
        base += _REPORTS
    return Reports(json_client(base, headers={"Authorization": f"Bearer {token}"}))


def _first(key: Any, *paths: Sequence[str]) -> str | None:
    for path in paths:
        value = inside(key, *path)
        if isinstance(value, str) and value:
            return value
    return None
