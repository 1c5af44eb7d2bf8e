"""How the viewer is started: on loopback unless told otherwise, and quiet to the outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration import tools
from orchestration.settings import PROJECT_ROOT, Settings, SettingsError, load_settings


def started(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[str]:
    """The command line that `make view` becomes."""
    seen: list[str] = []
    monkeypatch.setattr(tools, "_become", lambda program, *arguments: seen.extend([program.name, *arguments]))
    tools.view(settings)
    return seen


def test_it_listens_on_loopback_and_reports_nothing_home(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    command = started(monkeypatch, Settings())
    assert command[:2] == ["streamlit", "run"]
    assert Path(command[2]) == PROJECT_ROOT / "orchestration" / "viewer" / "app.py"
    assert Path(command[2]).exists()
    for flag in (
        "--server.address=127.0.0.1",
        "--server.port=8501",
        "--browser.gatherUsageStats=false",
        "--client.showErrorDetails=none",
    ):
        assert flag in command
    assert "http://127.0.0.1:8501" in capsys.readouterr().out


def test_host_and_port_are_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    settings = load_settings({"SALES_REPORTS_VIEWER_HOST": "::1", "SALES_REPORTS_VIEWER_PORT": "9000"})
    command = started(monkeypatch, settings)
    assert "--server.address=::1" in command
    assert "--server.port=9000" in command
    assert "http://[::1]:9000" in capsys.readouterr().out
    assert load_settings({"SALES_REPORTS_VIEWER_HOST": "localhost"}).viewer_host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HOST", "reports.example.com", "must be an IP address"),
        ("PORT", "0", "must be 1 to 65535"),
        ("PORT", "http", "invalid literal"),
        ("USER_HEADER", "X User: ada", "name of a header"),
        ("ACCESS_FILE", "who.toml", "needs SALES_REPORTS_VIEWER_USER_HEADER"),
    ],
)
def test_wrong_settings_are_refused_in_words(name: str, value: str, words: str):
    with pytest.raises(SettingsError, match=words):
        load_settings({f"SALES_REPORTS_VIEWER_{name}": value})


def test_logins_are_settings():
    settings = load_settings(
        {
            "SALES_REPORTS_VIEWER_USER_HEADER": "X-Forwarded-Email",
            "SALES_REPORTS_VIEWER_ACCESS_FILE": "/etc/who.toml",
        }
    )
    assert settings.viewer_user_header == "X-Forwarded-Email"
    assert settings.viewer_access_file == Path("/etc/who.toml")
