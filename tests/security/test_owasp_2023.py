"""The OWASP API Security Top 10 of 2023, each item as attacks that must fail. docs/security.md says what stands there."""

from tests.security import authorization, credentials


def test_api1_broken_object_level_authorization(target):
    authorization.ids_of_others(target)
    authorization.ids_written_in_other_ways(target)
    authorization.lists_of_others(target)
    authorization.things_in_bodies(target)
    authorization.key_of_an_answer(target)


def test_api2_broken_authentication(target, strict):
    credentials.forged_tokens(target)
    credentials.tokens_in_other_places(target)
    credentials.tokens_that_are_over(target)
    credentials.refresh_tokens_used_at_once(target)
    credentials.names_that_exist(strict)
    credentials.passwords(strict)
    credentials.passwords_by_the_dozen(target)


def test_api3_broken_object_property_level_authorization(target):
    authorization.members_not_for_callers(target)
    authorization.roles_for_the_asking(target)
    authorization.secrets_in_answers(target)
    authorization.members_for_the_asking(target)


def test_api5_broken_function_level_authorization(target):
    authorization.operations_of_others(target)
