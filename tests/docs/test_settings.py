"""Settings come from the environment and `.env`, and what is wrong with them is said in a line each."""

import re
from pathlib import Path

import pytest

from accord import settings
from accord.settings import production, reference

ROOT = Path(settings.__file__).parents[2]
EXAMPLE = ROOT / ".env.example"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)


def test_example_shows_every_setting_with_its_default():
    assert EXAMPLE.read_text() == reference.example(), "Run `make .env.example`."


def test_document_describes_every_setting():
    assert ROOT.joinpath("docs", "settings.md").read_text() == reference.document(), "Run `make docs/settings.md`."


def test_what_documents_name_can_be_set():
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        named = re.findall(rf"\b{settings.PREFIX}([A-Z_]+)", document.read_text())
        assert {name.lower() for name in named} <= settings.Settings.model_fields.keys(), document


def test_example_with_everything_uncommented_changes_nothing(tmp_path):
    lines = reference.example().splitlines()
    variables = [line.removeprefix("# ") for line in lines if line.startswith("# ACCORD_")]
    tmp_path.joinpath(".env").write_text("\n".join(variables))
    assert settings.load() == settings.Settings.model_validate({})


def test_environment_wins_over_dotenv(monkeypatch, tmp_path):
    tmp_path.joinpath(".env").write_text("ACCORD_PORT=1111\nACCORD_CURRENCY=EUR\n")
    monkeypatch.setenv("ACCORD_PORT", "2222")
    assert (settings.load().port, settings.load().currency) == (2222, "EUR")


def test_every_wrong_setting_is_named_on_its_own_line(monkeypatch):
    monkeypatch.setenv("ACCORD_PORT", "99999")
    monkeypatch.setenv("ACCORD_CURRENCY", "rupees")
    assert sorted(line.split(":")[0] for line in refusal().splitlines()) == ["ACCORD_CURRENCY", "ACCORD_PORT"]


@pytest.mark.parametrize(
    ("origins", "is_taken"),
    [
        ("*", True), ("https://shop.example", True), ("https://shop.example,http://localhost:3000", True),
        ("shop.example", False), ("https://shop.example/", False), ("https://Shop.example", False),
        ("https://shop.example,", False), ("https://shop.example,*", False), ("https://*.example", False),
        ("null", False),
    ],
)  # fmt: skip
def test_origins_are_written_as_browsers_write_them(monkeypatch, origins, is_taken):
    monkeypatch.setenv("ACCORD_CORS_ORIGINS", origins)
    if is_taken:
        assert settings.load().cors_origins == origins
    else:
        assert refusal().startswith("ACCORD_CORS_ORIGINS")


def test_refusal_does_not_repeat_the_value(monkeypatch):
    monkeypatch.setenv("ACCORD_DATABASE_URL", "mysql://root:hunter2@localhost")
    assert "hunter2" not in refusal()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://localhost:port"),
        ("RATE_LIMITS", '{"log-in": '),
        ("RATE_LIMITS", '{"log-in": "5 per minute"}'),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
    ],
)
def test_what_cannot_be_is_refused_by_name(monkeypatch, name, value):
    monkeypatch.setenv(settings.PREFIX + name, value)
    assert refusal().startswith(f"{settings.PREFIX}{name}: ")


def test_secrets_are_not_shown(monkeypatch):
    monkeypatch.setenv("ACCORD_REDIS_URL", "redis://:hunter2@localhost")
    monkeypatch.setenv("ACCORD_DATABASE_URL", "postgresql://accord:hunter2@localhost/accord")
    monkeypatch.setenv("ACCORD_SIGNING_KEYS", '{"keys": ["hunter2"]}')
    assert "hunter2" not in repr(settings.load())


@pytest.mark.parametrize("line", ["ACCORD_PORT 80", "ACCORD_PORT: 80", "ACCORD_PORT", 'ACCORD_PORT="80', "=80"])
def test_line_of_dotenv_that_sets_nothing_is_refused(tmp_path, line):
    tmp_path.joinpath(".env").write_text(f"# comment\n\n\nSOMEBODY_ELSES=2\n\n{line}\nexport ACCORD_WORKERS=2\n")
    assert refusal().startswith(".env:6: this is no NAME=VALUE")


def test_misspelt_setting_in_dotenv_is_refused(tmp_path):
    tmp_path.joinpath(".env").write_text("ACCORD_PROT=1\nSOMEBODY_ELSES=2\n")
    assert refusal() == "ACCORD_PROT: unknown setting; did you mean ACCORD_PORT?"


def test_dotenv_that_is_not_text_is_refused(tmp_path):
    tmp_path.joinpath(".env").write_bytes(b"ACCORD_PORT=\xff")
    assert refusal().startswith(".env cannot be read")


def test_production_refuses_what_is_only_good_for_development(monkeypatch):
    monkeypatch.setenv("ACCORD_ENVIRONMENT", "production")
    monkeypatch.setenv("ACCORD_LOG_LEVEL", "debug")
    monkeypatch.setenv("ACCORD_DATABASE_URL", "postgresql://accord:accord@db/accord")
    monkeypatch.setenv("ACCORD_CORS_ORIGINS", "*")
    monkeypatch.setenv("ACCORD_PASSWORD_MEMORY_COST", "8")
    monkeypatch.setenv("ACCORD_PASSWORD_TIME_COST", "1")
    assert {line.split(":")[0] for line in refusal().splitlines()} == {
        "ACCORD_CORS_ORIGINS",
        "ACCORD_DATABASE_URL",
        "ACCORD_TOKEN_ISSUER",
        "ACCORD_LOG_LEVEL",
        "ACCORD_SIGNING_KEYS",
        "ACCORD_PASSWORD_MEMORY_COST",
        "ACCORD_PASSWORD_TIME_COST",
        "ACCORD_TRUSTED_PROXIES",
    }


def test_production_starts_with_what_it_demands(monkeypatch):
    monkeypatch.setenv("ACCORD_ENVIRONMENT", "production")
    monkeypatch.setenv("ACCORD_TOKEN_ISSUER", "https://accord.example")
    monkeypatch.setenv("ACCORD_SIGNING_KEYS", '{"keys": []}')
    monkeypatch.setenv("ACCORD_TRUSTED_PROXIES", "10.0.0.2")
    assert settings.load().environment == "production"


@pytest.mark.parametrize(
    ("redis", "is_refused"),
    [("redis://redis.internal", True), ("redis://127.0.0.1:6379", False), ("unix:///run/redis.sock", False)],
)
def test_production_refuses_sqlite_where_redis_says_that_there_are_several_hosts(monkeypatch, redis, is_refused):
    monkeypatch.setenv("ACCORD_REDIS_URL", redis)
    assert is_refused == ("ACCORD_REDIS_URL" in production.production_errors(settings.load())[0])
    monkeypatch.setenv("ACCORD_DATABASE_URL", "postgresql://db/accord")
    assert "ACCORD_REDIS_URL" not in production.production_errors(settings.load())[0]


def test_development_is_told_what_production_would_refuse(monkeypatch):
    told = production.production_errors(settings.load())
    monkeypatch.setenv("ACCORD_ENVIRONMENT", "production")
    assert refusal().splitlines() == told


def refusal() -> str:
    with pytest.raises(settings.SettingsError) as refused:
        settings.load()
    return str(refused.value)
