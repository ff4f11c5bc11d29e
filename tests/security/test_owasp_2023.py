"""OWASP API Security Top 10, 2023: each item as attacks that must fail. What stands against them: docs/security.md."""

from tests.security.attacks import authorization, consumption, credentials, injection, surface, watching
from tests.security.target import on_one


def test_api1_broken_object_level_authorization(target):
    authorization.ids_of_others(target)
    authorization.ids_written_in_other_ways(target)
    authorization.lists_of_others(target)
    authorization.keys_of_answers(target)


@on_one
def test_api2_broken_authentication(target, strict):
    credentials.forged_tokens(target)
    credentials.tokens_in_other_places(target)
    credentials.tokens_that_are_over(target)
    credentials.passwords_by_the_dozen(target)
    credentials.passwords(strict)
    credentials.names_that_exist(strict)


def test_api3_broken_object_property_level_authorization(target):
    authorization.members_not_for_callers(target)
    authorization.roles_for_the_asking(target)
    authorization.secrets_in_answers(target)
    authorization.members_for_the_asking(target)


@on_one
def test_api4_unrestricted_resource_consumption(target, strict):
    consumption.bodies_that_explode(target)
    consumption.heads_and_pages_that_explode(target)
    consumption.slow_senders(strict)
    consumption.more_requests_than_allowed(strict)
    consumption.forged_addresses(target)


@on_one
def test_api5_broken_function_level_authorization(target):
    authorization.operations_of_others(target)


@on_one
def test_api6_unrestricted_access_to_sensitive_business_flows(target, strict):
    consumption.accounts_by_the_dozen(strict)
    consumption.stock(target)
    credentials.passwords(strict)


@on_one
def test_api7_server_side_request_forgery(target):
    injection.urls(target)


@on_one
def test_api8_security_misconfiguration(target):
    surface.failures(target)
    surface.heads(target)
    surface.hosts(target)
    surface.defaults(target)


@on_one
def test_api9_improper_inventory_management(target):
    surface.undeclared_paths(target)
    surface.inventory(target)


def test_api10_unsafe_consumption_of_apis(target, strict):
    watching.redis_that_lies(strict)
    watching.keys_that_are_spoilt(target)
    watching.rows_that_cannot_be(target)
