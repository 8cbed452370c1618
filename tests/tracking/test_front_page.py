"""The page of MLflow's UI as `raymm ui` serves it: MLflow's own, with a script before it; all else as it comes."""

import asyncio
import json
import re
from typing import Any

import pytest

from raymm.cli.ui import _command
from raymm.tracking.mlflow.front_page import APP, OPENS_ON, FrontPage, app, is_installed

PAGE = b"<!doctype html><html><head><script defer src=main.js></script></head><body></body></html>"
HEADERS = [(b"content-type", b"text/html"), (b"ETag", b'"1"'), (b"Content-Length", str(len(PAGE)).encode())]


class Mlflow:
    """Another application; its answer comes in two parts."""

    def __init__(self, page: bytes = PAGE, status: int = 200) -> None:
        self.page, self.status = page, status
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope)
        assert (await receive())["type"] == "http.request"
        await send({"type": "http.response.start", "status": self.status, "headers": list(HEADERS)})
        await send({"type": "http.response.body", "body": self.page[:9], "more_body": True})
        await send({"type": "http.response.body", "body": self.page[9:]})


def ask(
    other: Mlflow, path: str = "/", method: str = "GET", headers: Any = ()
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of an answer."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    asyncio.run(FrontPage(lambda: other)(scope, receive, send))
    assert [message["type"] for message in sent][:2] == ["http.response.start", "http.response.body"]
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], dict(sent[0]["headers"]), body


def script_of(body: bytes) -> str:
    found = re.fullmatch(rb"<!doctype html><html><head><script>(.*?)</script>(.*)", body, re.DOTALL)
    assert found is not None
    assert found[2] == PAGE.split(b"<head>")[1]
    return found[1].decode()


def test_the_page_has_the_script_before_any_other_and_no_mark_of_the_file() -> None:
    conditions = [(b"If-None-Match", b'"1"'), (b"if-modified-since", b"today"), (b"accept", b"text/html")]
    other = Mlflow()
    status, headers, body = ask(other, headers=conditions)
    assert status == 200
    assert "localStorage.setItem(name, value)" in script_of(body)
    assert '"mlflow.workflowType_v1": "\\"machine_learning\\""' in script_of(body)
    assert headers == {b"content-type": b"text/html", b"content-length": str(len(body)).encode()}
    assert other.asked[0]["headers"] == [(b"accept", b"text/html")]  # else a page of MLflow's own would stay in use


def test_the_bare_address_leads_where_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    place = "#/experiments/1/runs?a=</script>"
    monkeypatch.setenv(OPENS_ON, place)
    said = re.search(r'if \((".*") && !location.hash\)', script_of(ask(Mlflow())[2]))
    assert said is not None
    assert json.loads(said[1]) == place
    monkeypatch.delenv(OPENS_ON)
    assert 'if ("" && ' in script_of(ask(Mlflow())[2])


@pytest.mark.parametrize(
    ("path", "method"),
    [("/static-files/main.js", "GET"), ("/ajax-api/2.0/mlflow/runs/search", "POST"), ("/", "POST")],
)
def test_other_requests_are_passed_on_as_they_are(path: str, method: str) -> None:
    other = Mlflow()
    assert ask(other, path, method, [(b"if-none-match", b'"1"')]) == (200, dict(HEADERS), PAGE)
    assert other.asked[0]["headers"] == [(b"if-none-match", b'"1"')]


def test_another_answer_than_the_page_goes_as_it_is() -> None:
    for other in (Mlflow(b"Unable to display MLflow UI"), Mlflow(status=403)):
        assert ask(other) == (other.status, dict(HEADERS), other.page)


def test_the_page_may_lie_below_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MLFLOW_STATIC_PREFIX", "/mlflow")
    assert "localStorage" in script_of(ask(Mlflow(), "/mlflow/")[2])
    assert ask(Mlflow(), "/")[2] == PAGE


def test_mlflow_finds_the_application_and_takes_it_for_no_factory() -> None:
    from mlflow.server import _find_app, _is_factory

    assert is_installed(), "install raymm again: `make` does where pyproject.toml has changed"
    assert _find_app(APP) == "raymm.tracking.mlflow.front_page:app"
    assert not _is_factory(_find_app(APP))
    assert isinstance(app, FrontPage)


def test_an_older_installation_serves_mlflows_own(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _command(tmp_path, 5000)[-2:] == ["--app-name", APP]
    monkeypatch.setattr("raymm.tracking.mlflow.front_page.is_installed", lambda: False)
    assert "--app-name" not in _command(tmp_path, 5000)
