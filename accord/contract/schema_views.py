"""Views of schemas for requests and responses, in which members that the direction does not have are not required."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

import jsonschema_rs

from accord.contract.document import Document
from accord.contract.keywords import ANNOTATIONS, IMPLIED, KEYWORDS
from accord.contract.references import fragment, pointer_parts

Direction = Literal["request", "response"]
Names = frozenset[str]

HIDDEN_BY: dict[Direction, str] = {"request": "readOnly", "response": "writeOnly"}
"""The keyword of the members that a direction does not have."""
HIDDEN_MEMBER: dict[str, Any] = {"not": {}}
"""The view of a member that the direction does not have. Unlike `false`, errors can tell it from what is written."""

_APPLICATORS = frozenset({"$ref", "allOf", "anyOf", "oneOf", "if"})
_NONE: Names = frozenset()
_DEFINITIONS = "$defs"
_REFERENCE = f"#/{_DEFINITIONS}/"
_DROPPED = ANNOTATIONS | {_DEFINITIONS, "$schema", "readOnly", "writeOnly"}


def conjuncts(document: Document, schema: dict[str, Any]) -> list[Any]:
    """Return the schemas that apply to every value of *schema*, beside its own keywords, the target of `$ref` first."""
    if _APPLICATORS.isdisjoint(schema):
        return []
    parts = [document.lookup(schema)] if "$ref" in schema else []
    parts += schema.get("allOf", ())
    for keyword in ("anyOf", "oneOf"):
        choices = possible(schema.get(keyword, ()))
        parts += choices if len(choices) == 1 else ()
    if "if" in schema:
        branches = [schema.get(word, True) for word in ("then", "else")]
        parts += branches[:1] if schema["if"] in (True, {}) or branches[0] == branches[1] else ()
        parts += branches[1:] if schema["if"] is False else ()
    return parts


def possible(choices: Any) -> list[Any]:
    """Return those of the schemas *choices* that are not `false`."""
    return [choice for choice in choices if choice is not False]


class SchemaViews:
    """
    The views of the schemas of one document for one direction.

    A member whose schema is `readOnly` is not part of a request, and one that is `writeOnly` is not part of a response,
    if any schema that applies to it says so (JSON Schema Validation, section 9.4). Its name leaves `required` and the
    lists of `dependentRequired` of every schema that applies to the same object, and `minProperties` does not count it.
    What depends on such members cannot be decided, so it is not refused: after a condition (`if`) on them the value
    matches `then` or `else`, and of alternatives that they distinguish (`oneOf`) it may match several.

    A component has one view for each set of names that the schemas around its references hide.
    """

    def __init__(self, document: Document, direction: Direction) -> None:
        self.document = document
        self.direction = direction
        self._definitions: dict[str, Any] = {}
        """The views that references lead to, by the names that they have in references of views."""
        self._own: dict[int, Names] = {}
        self._affected: dict[int, tuple[Names, bool]] = {}
        self._schemas: dict[int, Any] = {}
        """The schemas whose names are cached by id, so that their ids stay unique."""

    def complete(self, view: Any) -> Any:
        """Return *view* with the views that it refers to, in `$defs`."""
        definitions: dict[str, Any] = {}
        pending = [view]
        while pending:
            for name in _referenced_names(pending.pop()):
                if name in self._definitions and name not in definitions:
                    definitions[name] = self._definitions[name]
                    pending.append(definitions[name])
        return {**view, _DEFINITIONS: definitions} if definitions else view

    def target(self, reference: str) -> Any:
        """Return the view to which the `$ref` of another view refers."""
        return self._definitions[pointer_parts(reference)[-1]]

    def view(self, schema: Any, hidden: Names = _NONE) -> Any:
        """Return the view of *schema*, where schemas that apply to the same object hide the names *hidden*."""
        if not isinstance(schema, dict):
            return schema
        own = self._hidden_names(schema)
        everything = hidden | own
        view: dict[str, Any] = {}
        for word, value in schema.items():
            if word in _DROPPED or word in ("if", "then", "else", "anyOf", "oneOf") or word not in KEYWORDS:
                continue
            view[word] = self._keyword(schema, word, value, everything)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                self._add_alternatives(view, word, schema, hidden)
        if "if" in schema:
            self._add_condition(view, schema, everything)
        if schema.get("uniqueItems") and any(self._hidden_names(item) for item in self._items(schema)):
            # Items can be equal in all but what the direction does not have.
            del view["uniqueItems"]
        self._add_implied(view)
        return view

    def hides(self, schema: Any) -> bool:
        """Return whether a member of *schema* is not part of values of this direction."""
        if not isinstance(schema, dict):
            return False
        if schema.get(HIDDEN_BY[self.direction]) is True:
            return True
        if any(map(self.hides, conjuncts(self.document, schema))):
            return True
        for word in ("anyOf", "oneOf"):
            choices = [choice for choice in possible(schema.get(word, ())) if not _is_null(choice)]
            if choices and all(map(self.hides, choices)):
                return True
        return "if" in schema and self.hides(schema.get("then")) and self.hides(schema.get("else"))

    def _keyword(self, schema: dict[str, Any], word: str, value: Any, hidden: Names) -> Any:
        match word:
            case "$ref":
                return self._reference(schema, hidden)
            case "required":
                return [name for name in value if name not in hidden]
            case "dependentRequired":
                return {key: [name for name in names if name not in hidden] for key, names in value.items()}
            case "minProperties":
                # Something must be in a request, even if all else could be what we add to it.
                least = min(value, 1) if self.direction == "request" else 0
                return max(least, value - len(hidden))
            case "properties" | "patternProperties":
                return {name: HIDDEN_MEMBER if self.hides(part) else self.view(part) for name, part in value.items()}
            case "additionalProperties" | "unevaluatedProperties" if self.hides(value):
                return False
            case "allOf":
                return [self.view(part, hidden) for part in value]
            case "dependentSchemas":
                return {name: self.view(part, hidden) for name, part in value.items()}
            case "prefixItems":
                return [self.view(part) for part in value]
        return self.view(value) if KEYWORDS[word].value == "a schema" else value

    def _add_alternatives(self, view: dict[str, Any], word: str, schema: dict[str, Any], hidden: Names) -> None:
        """Add the alternatives *word*, in which names are hidden that this branch and all outside of it hide."""
        outside = hidden | self._hidden_names({key: value for key, value in schema.items() if key != word})
        branches = [self.view(branch, outside) for branch in schema[word]]
        hidden_parts = [
            self._hidden_part(branch, outside | self._hidden_names(branch)) for branch in possible(schema[word])
        ]
        if word == "oneOf" and any(part != hidden_parts[0] for part in hidden_parts):
            view.setdefault("allOf", []).append({"anyOf": branches})
        else:
            view[word] = branches

    def _add_condition(self, view: dict[str, Any], schema: dict[str, Any], hidden: Names) -> None:
        then, otherwise = (self.view(schema.get(word, True), hidden) for word in ("then", "else"))
        view["if"] = self.view(schema["if"], hidden)
        view["then"] = {"anyOf": [then, otherwise]} if self._hidden_part(schema["if"], hidden) else then
        view["else"] = otherwise

    def _add_implied(self, view: dict[str, Any]) -> None:
        """Add the constraints that a format or a type implies. The tighter one of two bounds counts."""
        types = view.get("type", ())
        types = [types] if isinstance(types, str) else [kind for kind in types if kind != "null"]
        formats = [view.get("format"), "int64" if types == ["integer"] else None]
        for word, value in ((w, v) for each in formats for w, v in IMPLIED.get(str(each), {}).items()):
            if word not in view:
                view[word] = value
            elif word == "pattern":
                # A value that matches neither pattern has one error.
                view.setdefault("allOf", []).append({"if": {word: view[word]}, "then": {word: value}})
            else:
                view[word] = (max if word == "minimum" else min)(value, view[word])

    def _reference(self, schema: dict[str, Any], hidden: Names) -> str:
        """Return the reference to the view of the target of *schema*. It is made at its first use."""
        target = self.document.lookup(schema)
        names, counts = self._affected_names(target)
        # A view differs only by the names that it requires. So most references have the view without any.
        relevant = hidden - self._hidden_names(target) if counts else (hidden & names) - self._hidden_names(target)
        # The name is that of the target in any document, so that equal views are equal in all of them.
        name = " ".join([schema["$ref"], *sorted(relevant)])
        if name not in self._definitions:
            # The name is there before the view, so that a cycle ends here.
            self._definitions[name] = None
            self._definitions[name] = self.view(target, relevant)
        return fragment((_DEFINITIONS, name))

    def _hidden_names(self, schema: Any) -> Names:
        """Return the names of members that *schema* hides from its object, in whichever of its parts."""
        if not isinstance(schema, dict):
            return _NONE
        if id(schema) not in self._own:
            self._schemas[id(schema)] = schema
            self._own[id(schema)] = _NONE
            self._own[id(schema)] = frozenset(self._find_hidden(schema))
        return self._own[id(schema)]

    def _find_hidden(self, schema: dict[str, Any]) -> Iterator[str]:
        properties = schema.get("properties", {})
        yield from (name for name, member in properties.items() if self.hides(member))
        patterns = {
            jsonschema_rs.Draft202012Validator({"pattern": pattern}): self.hides(member)
            for pattern, member in schema.get("patternProperties", {}).items()
        }
        hides_others = self.hides(schema.get("additionalProperties"))
        if any(patterns.values()) or hides_others:
            for name in self._demanded_names - properties.keys():
                matching = [hides for pattern, hides in patterns.items() if pattern.is_valid(name)]
                if any(matching) or (hides_others and not matching):
                    yield name
        for part in self._in_place(schema):
            yield from self._hidden_names(part)

    @cached_property
    def _demanded_names(self) -> Names:
        """Every name that a schema of the document requires."""
        return frozenset(name for _, schema in self.document.schema_objects for name in _required_names(schema))

    def _in_place(self, schema: dict[str, Any]) -> Iterator[Any]:
        """Yield the schemas within *schema* that apply to the same value, other than tests (`not`, `if`)."""
        if "$ref" in schema:
            yield self.document.lookup(schema)
        for word in ("allOf", "anyOf", "oneOf"):
            yield from schema.get(word, ())
        yield from schema.get("dependentSchemas", {}).values()
        if "if" in schema:
            yield from (schema[word] for word in ("then", "else") if word in schema)

    def _affected_names(self, schema: Any) -> tuple[Names, bool]:
        """Return the names whose hiding changes the view of *schema*, and whether their number does."""
        if not isinstance(schema, dict):
            return _NONE, False
        if id(schema) not in self._affected:
            self._schemas[id(schema)] = schema
            self._affected[id(schema)] = _NONE, False
            names = set(_required_names(schema))
            tests = [schema["if"]] if "if" in schema else []
            is_test = "oneOf" in schema or "if" in schema
            names |= schema.get("properties", {}).keys() if is_test else set()
            counts = schema.get("minProperties", 0) > 0
            for part in [*self._in_place(schema), *tests]:
                inner, inner_counts = self._affected_names(part)
                names |= inner | (self._mentioned(part) if is_test else _NONE)
                counts = counts or inner_counts
            self._affected[id(schema)] = frozenset(names), counts
        return self._affected[id(schema)]

    def _mentioned(self, schema: Any) -> Names:
        if not isinstance(schema, dict):
            return _NONE
        names = {*schema.get("required", ()), *schema.get("properties", {})}
        return frozenset(names.union(*map(self._mentioned, self._in_place(schema))))

    def _hidden_part(self, schema: Any, hidden: Names) -> list[str]:
        """Return what *schema* says of the members *hidden*, in a form that can be compared."""
        if not isinstance(schema, dict):
            return []
        said = [f"required {name}" for name in schema.get("required", ()) if name in hidden]
        said += [f"{name} {part}" for name, part in schema.get("properties", {}).items() if name in hidden]
        for part in self._in_place(schema):
            said += self._hidden_part(part, hidden)
        return sorted(set(said))

    def _items(self, schema: dict[str, Any]) -> list[Any]:
        return [schema.get("items"), *schema.get("prefixItems", ())]


def _required_names(schema: dict[str, Any]) -> Iterator[str]:
    yield from schema.get("required", ())
    for names in schema.get("dependentRequired", {}).values():
        yield from names


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") in ("null", ["null"])


def _referenced_names(view: Any) -> Iterator[str]:
    """Yield the names of the definitions that *view* refers to. A value of `const` can look like a reference."""
    if isinstance(view, dict):
        reference = view.get("$ref")
        if isinstance(reference, str) and reference.startswith(_REFERENCE):
            yield pointer_parts(reference)[-1]
    if isinstance(view, dict | list):
        for part in view.values() if isinstance(view, dict) else view:
            yield from _referenced_names(part)
