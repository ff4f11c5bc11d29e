"""OWASP API Security Top 10, 2019: each item as attacks that must fail. What stands against them: docs/security.md."""

from tests.security.attacks import authorization, consumption, credentials, injection, surface, watching
from tests.security.target import on_one


def test_api1_broken_object_level_authorization(target):
    authorization.ids_of_others(target)
    authorization.ids_written_in_other_ways(target)
    authorization.lists_of_others(target)


@on_one
def test_api2_broken_user_authentication(target, strict):
    credentials.forged_tokens(target)
    credentials.tokens_in_other_places(target)
    credentials.tokens_that_are_over(target)
    credentials.passwords_by_the_dozen(target)
    credentials.names_that_exist(strict)


def test_api3_excessive_data_exposure(target):
    authorization.secrets_in_answers(target)
    authorization.members_for_the_asking(target)


@on_one
def test_api4_lack_of_resources_and_rate_limiting(target, strict):
    consumption.bodies_that_explode(target)
    consumption.heads_and_pages_that_explode(target)
    consumption.more_requests_than_allowed(strict)
    consumption.forged_addresses(target)


@on_one
def test_api5_broken_function_level_authorization(target):
    authorization.operations_of_others(target)


@on_one
def test_api6_mass_assignment(target):
    authorization.members_not_for_callers(target)
    authorization.roles_for_the_asking(target)


@on_one
def test_api7_security_misconfiguration(target):
    surface.failures(target)
    surface.heads(target)
    surface.hosts(target)
    surface.defaults(target)


def test_api8_injection(target):
    injection.sql(target)
    injection.texts_that_come_back(target)
    injection.entities(target)
    injection.heads(target)
    injection.names_of_files(target)
    injection.lines_of_the_log(target)


@on_one
def test_api9_improper_assets_management(target):
    surface.undeclared_paths(target)
    surface.inventory(target)


def test_api10_insufficient_logging_and_monitoring(target):
    credentials.forged_tokens(target)
    authorization.ids_written_in_other_ways(target)
    authorization.roles_for_the_asking(target)
    watching.attacks_in_the_log(target)
    watching.attacks_in_the_metrics(target)
    watching.writes_in_the_trail(target)
