"""URLs of PostgreSQL mean what libpq reads in them (PostgreSQL documentation, sections 34.1.1.2 and 34.1.2)."""

import asyncio
import datetime as dt
import ssl

import pytest
from asyncpg.connect_utils import _parse_connect_arguments
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from sqlalchemy import text

from accord import libpq
from accord.app.container import Container
from accord.settings import Settings
from db import migrations
from db.database import open_database
from db.errors import DatabaseUnavailable
from tests.support.databases import fresh_database
from tests.support.pgbouncer import DEFAULTS, PgBouncer, needs_pgbouncer


def read(url):
    """What asyncpg makes of the URL: addresses and parameters."""
    arguments = dict.fromkeys(
        ("host", "port", "user", "password", "passfile", "database", "ssl", "direct_tls", "server_settings",
         "target_session_attrs", "krbsrvname", "gsslib", "service", "servicefile", "command_timeout"),
    )  # fmt: skip
    caches = {"statement_cache_size": 1, "max_cached_statement_lifetime": 1, "max_cacheable_statement_size": 1}
    addresses, parameters, *_ = _parse_connect_arguments(dsn=libpq.parse(url).dsn, **arguments | caches)
    return addresses, parameters


HOSTED = {
    "Neon": "postgresql://alex:AbC123dEf@ep-cool-darkness-123456.us-east-2.aws.neon.tech/dbname"
            "?sslmode=require&channel_binding=require",
    "Neon, pooled": "postgresql://alex:AbC123dEf@ep-cool-darkness-123456-pooler.us-east-2.aws.neon.tech:5432/dbname"
                    "?sslmode=require&channel_binding=require&connect_timeout=10",
    "Supabase": "postgresql://postgres:pass@db.apbkobhfnmcqqzqeeqss.supabase.co:5432/postgres",
    "Supabase, pooled": "postgres://postgres.apbkobhfnmcqqzqeeqss:pass@aws-0-ap-south-1.pooler.supabase.com:6543/postgres"
                        "?pgbouncer=true",
    "Heroku": "postgres://u7abc:p1234@ec2-12-34-56-78.compute-1.amazonaws.com:5432/d8xyz?sslmode=require",
    "Azure": "postgresql://adm%40shop:p%40ss%2Fw%3A%25@shop.postgres.database.azure.com/shop?sslmode=require"
             "&application_name=accord&keepalives=1&keepalives_idle=30&gssencmode=disable&target_session_attrs=any",
}  # fmt: skip


@pytest.mark.parametrize("url", HOSTED.values(), ids=HOSTED)
def test_urls_of_hosts_are_accepted_and_send_nothing_unknown_to_the_server(url):
    assert Settings(database_url=url).database_url == url
    addresses, parameters = read(url)
    host, port = addresses[0]
    assert f"@{host}" in url
    assert port == (6543 if ":6543" in url else 5432)
    assert parameters.server_settings is None
    assert parameters.sslmode.name == ("require" if "sslmode=require" in url else "prefer")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://adm%40shop:p%40ss%2Fw%3A%25+@h/shop%20db", ("adm@shop", "p@ss/w:%+", "shop db")),
        ("postgresql://h/shop?user=u&password=p%26q", ("u", "p&q", "shop")),
        ("postgresql://a:b:c@h/shop", ("a", "b:c", "shop")),
        ("postgresql://u@h/?dbname=shop", ("u", None, "shop")),
    ],
)
def test_user_password_and_database_are_decoded(url, expected, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    _, parameters = read(url)
    assert (parameters.user, parameters.password, parameters.database) == expected


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("postgresql://u@/d?host=/run/pg", ["/run/pg/.s.PGSQL.5432"]),
        ("postgresql://u@%2Frun%2Fpg/d", ["/run/pg/.s.PGSQL.5432"]),
        ("postgresql://u@%2Frun%2Fpg:5433/d", ["/run/pg/.s.PGSQL.5433"]),
        ("postgresql://u@a:1,b,c:3/d?target_session_attrs=read-write", [("a", 1), ("b", 5432), ("c", 3)]),
        ("postgresql://u@[2001:db8::1]:7/d", [("2001:db8::1", 7)]),
        ("postgresql://u@/d?host=2001:db8::1&port=7", [("2001:db8::1", 7)]),
        ("postgresql://u@/d?host=a,b&port=6", [("a", 6), ("b", 6)]),
    ],
)
def test_hosts_are_read(url, addresses):
    assert read(url)[0] == addresses


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgresql://u:p@h/d", "h:5432/d"),
        ("postgresql:///d", "localhost:5432/d"),
        ("postgresql://u:p@a:1,[2001:db8::1],c:3/d", "a:1,[2001:db8::1]:5432,c:3/d"),
        ("postgresql://u@/d?host=a,b&port=6&password=p", "a:6,b:6/d"),
    ],
)
def test_address_for_messages_has_no_credentials(url, address):
    assert libpq.parse(url).address == address


def test_service_is_built_for_several_hosts(tmp_path):
    settings = Settings(database_url="postgresql://u:p@a:1,b:2/d", data_dir=tmp_path)
    assert "disk" in Container(settings).health_checks


@pytest.mark.parametrize(
    ("options", "settings", "rest"),
    [
        ("-c%20search_path=shop", {"search_path": "shop"}, ""),
        ("-csearch_path=shop%20--work-mem=1MB", {"search_path": "shop", "work_mem": "1MB"}, ""),
        ("-c%20search_path=shop,%5C%20public", {"search_path": "shop, public"}, ""),
        ("endpoint%3Dep-cool-darkness", {}, "endpoint=ep-cool-darkness"),
        ("reference%3Dabc%20-c%20geqo=off", {"geqo": "off"}, "reference=abc"),
    ],
)
def test_options_are_settings_of_the_session_and_the_rest(options, settings, rest):
    parameters = libpq.parse(f"postgresql://h/d?options={options}")
    assert (parameters.settings, parameters.options) == (settings, rest)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sslmod=require", "sslmod"),
        ("statement_cache_size=0", "statement_cache_size"),
        ("search_path=shop", "search_path"),
        ("hostaddr=10.0.0.1", "hostaddr"),
        ("require_auth=scram-sha-256", "require_auth"),
        ("sslmode=no-verify", "verify-full"),
        ("gssencmode=require", "gssencmode"),
        ("target_session_attrs=master", "primary"),
        ("client_encoding=latin1", "UTF8"),
        ("sslmode=verify-full&sslrootcert=/nowhere/root.crt", "sslrootcert"),
        ("sslmode=require&sslrootcert=system", "verify-full"),
        ("sslcert=/nowhere/client.crt", "sslcert"),
        ("connect_timeout=soon", "connect_timeout"),
        ("port=http", "port"),
        ("application_name", "application_name"),
        ("application_name=50%", "application_name"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(query, words):
    with pytest.raises(ValidationError, match=words) as refused:
        Settings(database_url=f"postgresql://u:secret@h/d?{query}")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["postgresql://u@h:0/d", "postgresql://u@h:x/d", "postgresql://u@h:70000/d",
                                 "postgresql://u:100%@h/d", "mysql://h/d"])  # fmt: skip
def test_url_that_is_none_is_refused(url):
    with pytest.raises(ValidationError):
        Settings(database_url=url)


def test_verification_without_a_root_certificate_is_refused_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ValidationError, match="sslrootcert=system"):
        Settings(database_url="postgresql://h/d?sslmode=verify-full")
    assert libpq.parse("postgresql://h/d?sslrootcert=system").ssl_context().verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("password", ["postgres", "p%6Fstgres"])
def test_production_refuses_a_default_password_in_any_form(password):
    for url in (f"postgres://u:{password}@h/d", f"postgresql://u@h/d?password={password}"):
        with pytest.raises(ValidationError, match="ACCORD_DATABASE_URL"):
            Settings(environment="production", database_url=url)


def session(url, statement="SELECT current_setting('application_name'), current_setting('search_path')"):
    """What a unit of work of the service reads at this URL."""

    async def run():
        database = open_database(url)
        try:
            return tuple(await database.run("read", lambda session: session.execute(text(statement)).one()))
        finally:
            await database.close()

    return asyncio.run(run())


PARAMETERS = "application_name=shop&options=-c%20search_path%3Dpg_temp,public&connect_timeout=9&channel_binding=prefer"


def test_parameters_hold_in_a_session(tmp_path):
    url = fresh_database("postgresql", tmp_path).replace("postgresql:", "postgres:")
    assert session(f"{url}&{PARAMETERS}") == ("shop", "pg_temp,public")
    assert session(url)[0] == "accord"
    assert migrations.current_revision(f"{url}&{PARAMETERS}") is None


@needs_pgbouncer
def test_parameters_hold_through_a_pooler(tmp_path):
    pooler = PgBouncer(**DEFAULTS)
    try:
        url = f"{pooler.url(fresh_database('postgresql', tmp_path))}?{PARAMETERS}"
        assert session(url) == ("shop", "pg_temp,public")
        assert migrations.run_with_connection(url, lambda its: its.scalar(text("SHOW search_path"))) == "pg_temp,public"
    finally:
        pooler.stop()


def test_settings_of_the_url_hold_for_migrations(tmp_path):
    url = fresh_database("postgresql", tmp_path)
    migrations.run_with_connection(url, lambda its: its.exec_driver_sql("CREATE SCHEMA shop"))
    shop = f"{url}&options=-c%20search_path%3Dshop"
    migrations.upgrade(shop)
    assert migrations.missing_objects(shop) == []
    tables = text("SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_name = 'products'")
    assert migrations.run_with_connection(url, lambda its: its.scalars(tables).all()) == ["shop"]
    assert session(shop, "SELECT count(*) FROM products") == (0,)


def make_certificate(folder, name, *, issuer=None):
    """Write a certificate and its key, signed by *issuer* or by itself, and return what signs others."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer_name, signer_key = issuer or (subject, key)
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(signer_name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )  # fmt: skip
    certificate = builder.sign(signer_key, hashes.SHA256())
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return subject, key


@needs_pgbouncer
def test_server_is_verified_by_its_certificate(tmp_path):
    """TLS ends at the pooler, as at the hosts."""
    folder = tmp_path
    authority = make_certificate(folder, "authority")
    make_certificate(folder, "stranger")
    make_certificate(folder, "localhost", issuer=authority)
    pooler = PgBouncer(**DEFAULTS, client_tls_sslmode="require", tls_files=folder)
    url = pooler.url(fresh_database("postgresql", tmp_path)).replace("127.0.0.1", "localhost")
    try:
        for query in ("?sslmode=require", "", f"?sslmode=verify-full&sslrootcert={folder}/authority.crt"):
            assert session(url + query)[0] == "accord"
        other_name = url.replace("localhost", "127.0.0.1")
        assert session(f"{other_name}?sslmode=verify-ca&sslrootcert={folder}/authority.crt")[0] == "accord"
        for refused in (
            f"{other_name}?sslmode=verify-full&sslrootcert={folder}/authority.crt",
            f"{url}?sslmode=verify-full&sslrootcert={folder}/stranger.crt",
            f"{url}?sslrootcert=system",
            f"{url}?sslmode=disable",
        ):
            with pytest.raises(DatabaseUnavailable):
                session(refused)
            with pytest.raises(DatabaseUnavailable):
                migrations.current_revision(refused)
    finally:
        pooler.stop()
