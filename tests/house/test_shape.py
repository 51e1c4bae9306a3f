"""How the code is built, where no linter looks."""

import ast

from tests.house import sources

LONGEST = 400
"""Lines of a file. Above it a file holds two things, or stands here with the reason why it does not."""
LONGER: dict[str, str] = {
    "higgins/agent/worker.py": "one capsule's loop, its steps and its reports",
    "higgins/logic/convergence.py": "one decision, read from top to bottom",
    "higgins/model/capsule.py": "one noun with its three sides",
    "higgins/store/capsules.py": "the statements of one table and its three writers",
    "higgins/service/containers.py": "the verbs of a container, each a few lines",
    "higgins/testing/live_contract.py": "a promise is a test, and there are many",
    "higgins/settings.py": "every option of every group, once",
    "higgins/testing/runtime.py": "the runtime in memory, with all that it can be told to do wrong",
    "higgins/testing/runtime_contract.py": "a promise is a test, and there are many",
}

MAY_CATCH_EVERYTHING = {
    "higgins/aio/patrol.py": "the loop under every loop",
    "higgins/aio/beside.py": "raises it again",
    "higgins/aio/ahead.py": "raises it again",
    "higgins/aio/race.py": "raises it again",
    "higgins/agent/agent.py": "the loops of the session and of the watch",
    "higgins/agent/worker.py": "the loop of one capsule",
    "higgins/agent/shelf.py": "the outermost of a fetch: whoever waits for it is told",
    "higgins/control/fetcher.py": "the outermost of a fetch: it is tried again",
    "higgins/control/provisioner.py": "the outermost of one capsule of a visit: it is tried again, and the others go on",
    "higgins/api/zun/door.py": "the outermost of a request: its caller gets an answer",
    "higgins/api/zun/streams.py": "the outermost of an answer: its caller sees that it broke off",
    "higgins/link/client.py": "the outermost of a live call: its caller gets an answer",
    "higgins/link/near.py": "the outermost of a live stream: the others go on",
    "higgins/link/server.py": "the outermost of a session: the host comes again",
    "higgins/store/database.py": "the loop of the writer: it hands the failure to whoever asked",
}


def test_no_file_holds_too_much():
    sizes = {sources.name(path): len(path.read_text().splitlines()) for path in sources.python("higgins", "scripts")}
    assert not {name: size for name, size in sizes.items() if size > LONGEST and name not in LONGER}
    assert not [name for name in LONGER if sizes.get(name, 0) <= LONGEST], "no exception needed any more"


def test_only_loops_and_outermost_calls_catch_everything():
    wrong = []
    for path in sources.python("higgins"):
        for node in ast.walk(sources.tree(path)):
            if isinstance(node, ast.ExceptHandler) and _catches_everything(node):
                if sources.name(path) not in MAY_CATCH_EVERYTHING:
                    wrong.append(f"{sources.name(path)}:{node.lineno}")
    assert not wrong


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        each is None or (isinstance(each, ast.Name) and each.id in ("Exception", "BaseException")) for each in caught
    )


def test_values_are_frozen_and_slotted():
    """Keyword-only too, but for the rows of a table that is written to be read as one."""
    wrong = []
    for path in sources.python("higgins"):
        for node in ast.walk(sources.tree(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                for decorator in map(ast.unparse, node.decorator_list):
                    if decorator.startswith("dataclass") and not decorator.startswith(
                        "dataclass(frozen=True, slots=True"
                    ):
                        wrong.append(f"{sources.name(path)}: {node.name}")
    assert not wrong


def test_no_task_runs_outside_a_group():
    wrong = []
    for path in sources.python("higgins"):
        for node in ast.walk(sources.tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value)
                if node.func.attr in ("create_task", "ensure_future") and ("loop" in owner or owner == "asyncio"):
                    wrong.append(f"{sources.name(path)}:{node.lineno}")
    assert not wrong


def test_no_test_replaces_code():
    """Fakes stand at protocols, and the contract suite runs on them too. The environment and the directory may be changed."""
    forbidden = {"monkeypatch.setattr", "monkeypatch.delattr", "mocker.patch", "mock.patch", "setattr"}
    wrong = []
    for path in sources.python("tests", "higgins/testing"):
        for node in ast.walk(sources.tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in forbidden:
                wrong.append(f"{sources.name(path)}:{node.lineno}: {ast.unparse(node.func)}")
            if isinstance(node, ast.Import | ast.ImportFrom) and "mock" in ast.unparse(node):
                wrong.append(f"{sources.name(path)}:{node.lineno}: {ast.unparse(node)}")
    assert not wrong


def test_every_room_of_python_is_a_package():
    """Without __init__.py a folder is left out of the installed package, silently."""
    folders = {path.parent for path in sources.python("higgins")}
    assert not [sources.name(folder) for folder in folders if not (folder / "__init__.py").exists()]
