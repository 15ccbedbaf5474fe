"""The public names of a package as a page of the API reference."""

import ast
import pathlib
import re


def api_page(root: pathlib.Path, package: str) -> str:
    """A page of the public names of `package`, in the order and under the headings of its docstring.

    Nothing is imported. The docstring lists the names in groups, each name indented by two spaces.

    Raises:
        ValueError: if the docstring lists other names than `__all__`.
    """
    module = ast.parse((root / package / "__init__.py").read_text(encoding="utf-8"))
    documentation = ast.get_docstring(module) or ""
    lines, listed = [f"# {package}", ""], []
    for line in documentation.splitlines():
        if entry := re.match(r"  (\w+) {2,}\S", line):
            listed.append(entry.group(1))
            lines += [f"::: {package}.{entry.group(1)}", ""]
        elif line.endswith(":"):
            lines += [f"## {line.removesuffix(':')}", ""]
        else:
            lines.append(line)
    public = next(
        ast.literal_eval(statement.value)
        for statement in module.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"
    )
    if different := set(public) ^ set(listed):
        raise ValueError(f"{package}: the docstring and __all__ differ in {sorted(different)}")
    return "\n".join(lines)
