"""A LiteLLM proxy from outside: its spend log, its keys, teams and customers, its chat endpoint.

`GET /spend/logs/v2` answers with the bounds, pages, cap and errors of the real one. Management
calls need the admin key; the viewer key reads. A refused chat call leaves no spend row here (the
real proxy writes one), so that a demo may probe a blocked key as often as it likes.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.company import TEAM_ALIASES, TEAMS, Key, email_of, hash_key
from sandbox.litellm_keys import Keyring
from sandbox.proxy_http import (
    JsonObject,
    ProxyError,
    answering,
    authentication_error,
    bad_request,
    bearer,
    date_bound,
    json_body,
    json_response,
    unknown_token,
    whole_number,
)
from sandbox.spend_logs import Page, SpendLog
from sandbox.state import State
from sandbox.world import milliseconds

TOTAL_CAP = 10_000
MASTER_KEY = "sk-sandbox-master"
VIEWER_KEY = "sk-sandbox-viewer"
_SORT_FIELDS = {
    "spend", "total_tokens", "startTime", "endTime", "request_duration_ms", "model", "ttft_ms",
}  # fmt: skip
# Query parameter -> column, for the filters that compare a column with a value.
_EQUALITY_FILTERS = {
    "api_key": "api_key", "user_id": "user", "request_id": "request_id", "team_id": "team_id",
    "end_user": "end_user", "model": "model", "model_id": "model_id",
    "model_group": "model_group", "status_filter": "status",
}  # fmt: skip
_ADMIN, _VIEWER, _KEY = "proxy_admin", "proxy_admin_viewer", "unknown"


class Proxy:
    """The proxy's endpoints over one spend log and one keyring."""

    def __init__(self, *, log: SpendLog, keyring: Keyring, state: State, master_key: str) -> None:
        self._log = log
        self._keyring = keyring
        self._state = state
        self._master_key = master_key

    def routes(self) -> list[Route]:
        """Every route but the chat endpoint."""
        return [
            Route("/health/liveliness", self._alive),
            Route("/spend/logs/v2", answering(self._spend_logs)),
            Route("/key/info", answering(self._key_info)),
            Route("/key/list", answering(self._key_list)),
            Route("/key/generate", answering(self._new_key), methods=["POST"]),
            Route("/team/info", answering(self._team_info)),
            Route("/team/list", answering(self._team_list)),
            Route("/user/list", answering(self._user_list)),
            Route("/customer/info", answering(self._customer_info)),
            *(
                Route(f"/customer/{verb}", answering(self._change_customer), methods=["POST"])
                for verb in ("block", "unblock", "update")
            ),
            *(
                Route(f"/{kind}/{verb}", answering(self._change), methods=["POST"])
                for kind in ("key", "team")
                for verb in ("block", "unblock", "update")
            ),
        ]

    async def _alive(self, request: Request) -> Response:
        return json_response("I'm alive!")

    async def _spend_logs(self, request: Request) -> Response:
        role, caller = self._caller(request)
        query = request.query_params
        page = whole_number(query, "page", default=1, low=1, high=None)
        size = whole_number(query, "page_size", default=50, low=1, high=1000)
        sort_by, order = query.get("sort_by", "startTime"), query.get("sort_order", "desc").lower()
        _check_one_of("sort_by", sort_by, _SORT_FIELDS, shown=", ".join(sorted(_SORT_FIELDS)))
        _check_one_of("sort_order", order, {"asc", "desc"}, shown="asc, desc")
        hits = query.get("cache_hit_filter", "hit")
        _check_one_of("cache_hit_filter", hits, {"hit", "miss"}, shown="hit, miss")
        if "start_date" not in query or "end_date" not in query:
            raise bad_request("Start date and end date are required", param=None)
        window: dict[str, Any] = {
            "from_ms": milliseconds(date_bound(query["start_date"])),
            "to_ms": milliseconds(date_bound(query["end_date"])),
            "offset": (page - 1) * size,
            "limit": size,
            "is_descending": order == "desc",
        }
        wanted = {
            column: query[name] for name, column in _EQUALITY_FILTERS.items() if name in query
        }
        if role == _KEY:
            wanted["api_key"] = hash_key(caller)
        if wanted or "cache_hit_filter" in query or "key_alias" in query or sort_by != "startTime":

            def keeps(row: JsonObject) -> bool:
                return (
                    all(row.get(column) == value for column, value in wanted.items())
                    and _alias(row) == query.get("key_alias", _alias(row))
                    and (
                        "cache_hit_filter" not in query
                        or (row.get("cache_hit") == "True") == (hits == "hit")
                    )
                )

            found = self._log.filtered(
                **window, keeps=keeps, sort_by=lambda row: row.get(sort_by) or 0
            )
        else:
            found = self._log.page(**window)
        return json_response(_page_body(found, page=page, size=size))

    async def _key_info(self, request: Request) -> Response:
        role, caller = self._caller(request)
        wanted = request.query_params.get("key", caller)
        if role == _KEY and self._keyring.hash_of(wanted) != hash_key(caller):
            raise _not_admin(request, role=role)
        info = self._keyring.key(wanted)
        return json_response({"key": wanted, "info": info})

    async def _key_list(self, request: Request) -> Response:
        self._refuse(request, _KEY)
        query = request.query_params
        page = whole_number(query, "page", default=1, low=1, high=None)
        size = whole_number(query, "size", default=10, low=1, high=100)
        records = [self._keyring.key(hashed) for hashed in self._keyring.hashes()]
        for name in ("team_id", "user_id", "key_alias"):
            if name in query:
                records = [record for record in records if record[name] == query[name]]
        shown = records[(page - 1) * size : page * size]
        is_full = query.get("return_full_object", "false").lower() == "true"
        return json_response(
            {
                "keys": shown if is_full else [record["token"] for record in shown],
                "total_count": len(records),
                "current_page": page,
                "total_pages": -(-len(records) // size),
            }
        )

    async def _new_key(self, request: Request) -> Response:
        self._refuse(request, _KEY, _VIEWER)
        body = await json_body(request)
        key = Key(str(body.get("key_alias", "")), str(body.get("team_id", "")))
        return json_response({**self._keyring.issue(key), "key": key.raw})

    async def _team_list(self, request: Request) -> Response:
        self._refuse(request, _KEY)
        return json_response([self._keyring.team(team_id) for team_id in TEAM_ALIASES])

    async def _user_list(self, request: Request) -> Response:
        self._refuse(request, _KEY)
        query = request.query_params
        page = whole_number(query, "page", default=1, low=1, high=None)
        size = whole_number(query, "page_size", default=25, low=1, high=100)
        users = [
            {
                "user_id": email_of(name),
                "user_email": email_of(name),
                "user_alias": name.capitalize(),
                "user_role": "internal_user",
                "teams": [team.team_id],
                "max_budget": None,
                "metadata": {},
            }
            for team in TEAMS
            for name in team.members
        ]
        return json_response(
            {
                "users": users[(page - 1) * size : page * size],
                "total": len(users),
                "page": page,
                "page_size": size,
                "total_pages": -(-len(users) // size),
            }
        )

    async def _team_info(self, request: Request) -> Response:
        self._refuse(request, _KEY)
        team_id = request.query_params.get("team_id", "")
        team = self._keyring.team(team_id)
        keys = [self._keyring.key(hashed) for hashed in self._keyring.hashes()]
        return json_response(
            {
                "team_id": team_id,
                "team_info": team,
                "keys": [key for key in keys if key["team_id"] == team_id],
                "team_memberships": [],
            }
        )

    async def _customer_info(self, request: Request) -> Response:
        self._refuse(request, _KEY)
        name = request.query_params.get("end_user_id", "")
        return json_response(self._keyring.customers.info(name))

    async def _change_customer(self, request: Request) -> Response:
        self._refuse(request, _KEY, _VIEWER)
        body = await json_body(request)
        if request.url.path != "/customer/update":
            raise self._keyring.customers.failing(request.url.path, names=body.get("user_ids", []))
        target = str(body.pop("user_id", ""))
        answer = self._keyring.customers.update(target, changes=body)
        self._record(request, target=target, changes=body)
        return json_response(answer)

    async def _change(self, request: Request) -> Response:
        self._refuse(request, _KEY, _VIEWER)
        body = await json_body(request)
        _, kind, verb = request.url.path.split("/")
        changes = body if verb == "update" else {"blocked": verb == "block"}
        if kind == "key":
            target = self._keyring.hash_of(body.get("key"))
            record = self._keyring.update_key(target, changes=changes)
            answer = {"key": target, **record} if verb == "update" else record
        else:
            target = str(body.get("team_id", ""))
            record = self._keyring.update_team(target, changes=changes)
            answer = {"team_id": target, "data": record} if verb == "update" else record
        self._record(request, target=target, changes=changes)
        return json_response(answer)

    def _record(self, request: Request, *, target: str, changes: JsonObject) -> None:
        self._state.record(
            "action",
            name=request.url.path,
            body={
                "path": request.url.path,
                "target": target,
                "changes": {name: value for name, value in changes.items() if name != "key"},
                "changed_by": request.headers.get("litellm-changed-by"),
            },
        )

    def _refuse(self, request: Request, *roles: str) -> None:
        """Ends with the proxy's refusal if who asks has one of these roles."""
        role, _ = self._caller(request)
        if role in roles:
            raise _not_admin(request, role=role)

    def _caller(self, request: Request) -> tuple[str, str]:
        """The role and the raw key of who asks; 401 in the proxy's words."""
        raw = bearer(request)
        if raw == self._master_key:
            return _ADMIN, raw
        if raw == VIEWER_KEY:
            return _VIEWER, raw
        if self._keyring.is_known(hash_key(raw)):
            return _KEY, raw
        raise unknown_token(raw)


def _page_body(found: Page, *, page: int, size: int) -> JsonObject:
    total = min(found.total, TOTAL_CAP)
    return {
        "data": found.rows,
        "total": total,
        "page": page,
        "page_size": size,
        "total_pages": -(-total // size),
        "total_is_capped": found.total > TOTAL_CAP,
    }


def _alias(row: JsonObject) -> Any:
    metadata = row.get("metadata")
    return metadata.get("user_api_key_alias") if isinstance(metadata, dict) else None


def _check_one_of(name: str, value: str, allowed: set[str], *, shown: str) -> None:
    if value not in allowed:
        raise bad_request(f"Invalid {name}: {value}. Must be one of: {shown}", param=name)


def _not_admin(request: Request, *, role: str) -> ProxyError:
    return authentication_error(
        "Only proxy admin can be used to generate, delete, update info for new keys/users/teams. "
        f"Route={request.url.path}. Your role={role}. Your user_id=*******"
    )
