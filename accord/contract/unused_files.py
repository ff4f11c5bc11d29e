"""Files and components under openapi/ that no document refers to, such as a path file that is in no index."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from accord.contract.document import Document
from accord.contract.errors import ContractError, error_at

_REFERENCE = re.compile(r"""\$ref: *["']?([^#"'}\s]+)""")


def unused_files(documents: Sequence[Document]) -> Iterator[ContractError]:
    """Yield an error for each YAML file and each component that none of *documents* refers to.

    Of files that refer to each other only those are named that no other one of them refers to.
    """
    sources = [document.sources for document in documents if document.sources]
    root = next((source.root for source in sources), None)
    if root is None:
        return
    used = {file for source in sources for file in source.files}
    unused = [file for file in sorted(root.joinpath("openapi").rglob("*.y*ml")) if file not in used]
    referred = {file.parent.joinpath(name).resolve() for file in unused for name in _references(file)}
    for file in [file for file in unused if file not in referred] or unused:
        remedy = "name its path in an index" if "paths" in file.parts else "refer to it"
        yield ContractError(f"{file.relative_to(root)}: no document refers to this file; {remedy}, or remove it.")
    referenced = {component for source in sources for component in source.components}
    for file in sorted({file for file, _ in referenced}):
        content = next(source.files[file] for source in sources if file in source.files)
        for name in content if file.parent.name == "components" else ():
            if (file, name) not in referenced:
                yield error_at(content, f"no document refers to the component `{name}`; remove it.", name)


def _references(file: Path) -> list[str]:
    return _REFERENCE.findall(file.read_text("utf-8"))
