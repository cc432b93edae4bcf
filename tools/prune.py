# SPDX-License-Identifier: MIT
"""What of a library goes onto the device: the definitions that we use, and nothing else.

microdot reads our requests; routing, answers and files are done by `web/server.py`, within limits that microdot does
not know. Its names that nobody uses, some 150, would stay in the heap for ever, and their code takes 8 KB.
"""

import ast

# definition → methods and classes in it that stay; None: all
MICRODOT = {
    "urldecode": None,
    "NoCaseDict": ("__init__", "__setitem__", "__getitem__", "__contains__", "get"),
    "MultiDict": ("__init__", "__setitem__", "__getitem__"),
    "Request": ("G", "__init__", "create", "_parse_urlencoded", "_safe_readline"),
}


def prune(source, keep):
    """The text of a module with the definitions in `keep`, and the imports that those need."""
    tree = ast.parse(source)
    body = []
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name not in keep:
            continue
        if keep[node.name] is not None:
            node.body = [part for part in node.body if isinstance(part, ast.Assign)
                         or getattr(part, "name", None) in keep[node.name]] or [ast.Pass()]
        body.append(node)
    missing = set(keep) - {node.name for node in body}
    if missing:
        raise ValueError("not in the library: %s" % ", ".join(sorted(missing)))
    used = {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)}
    imports = [node for node in tree.body if isinstance(node, ast.Import)
               and any(alias.name in used for alias in node.names)]
    return ast.unparse(ast.Module(imports + body, [])) + "\n"
