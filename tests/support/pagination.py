"""Lists, looked through page by page."""

LONGEST = {"per_page": 100}


def by_links(answer):
    return answer.json().get("_links", {}).get("next", {}).get("href")


def by_header(answer):
    return answer.links.get("next", {}).get("url")


def pages(ask, operation, *, path=None, follow=by_links, headers=None, **params):
    """The pages of a list, from the one that *params* name to the last one."""
    answer = ask(operation, path=path or operation.path, params=params, headers=headers or {})
    yield answer
    while following := follow(answer):
        answer = ask(operation, path=following, headers=headers or {})
        yield answer


def items(ask, operation, **asked):
    """What is listed, in its order."""
    return [item for page in pages(ask, operation, **asked) for item in page.json()["items"]]


def ids(ask, operation, **asked):
    return [item["id"] for item in items(ask, operation, **asked)]


def looks(operation, thing):
    """The queries that find *thing* if it is in the list: none at all, and each that says what it says."""
    yield {}
    texts = [value[:100] for name, value in thing.items() if isinstance(value, str) and value and name != "id"]
    for parameter in operation.parameters:
        name, schema = parameter["name"], operation.resolve(parameter["schema"])
        value = thing.get(name)
        if parameter["schema"].get("$ref", "").endswith("/SearchText"):
            yield from ({name: text} for text in texts)
        elif value is not None and value in schema.get("enum", [value]):
            yield {name: value["id"] if isinstance(value, dict) else value}
