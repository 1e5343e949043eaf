"""Renders the results of the check as docs/models.md."""
import re
import textwrap

CHECKS = ("inspect", "verify", "edge", "device", "middle", "dynamic", "client")
COLUMNS = 100
EXACT = "exact"


def kind_of(error):
    """Returns the error without the names, paths and numbers of its one model."""
    text = re.sub(r"(?:/[^\s/:]+)+/([^\s:]+)", "PATH", error)
    text = re.sub(r"'[^']*'", "'…'", text)
    text = re.sub(r"\[[^\[\]]*\]", "[…]", text)
    text = re.sub(r"\b[\w./-]+\.onnx\b", "FILE", text)
    text = re.sub(r"\bfor \w+\(\d+\) node\b", "for OPERATOR node", text)
    text = re.sub(r"\d[\d.]*(e-?\d+)?", "N", text)
    return " ".join(text.split())


def runs_plainly(entry):
    return "error" not in entry["plain"]


def passes(entry):
    return bool(entry["checks"]) and all(check["pass"] for check in entry["checks"].values())


def largest_difference(entry):
    found = [check["difference"] for check in entry["checks"].values()
             if check["difference"] is not None]
    return max(found) if found else None


def amount(difference):
    return EXACT if difference == 0 else f"{difference:.0e}"


def one_line(entry):
    """Says in one line how a model did, for the terminal."""
    if not runs_plainly(entry):
        return f"ONNX Runtime does not {entry['plain']['stage']} it"
    if passes(entry):
        return f"passes, {amount(largest_difference(entry))}"
    name, check = next((name, check) for name, check in entry["checks"].items()
                       if not check["pass"])
    return f"{name}: {check['error'][:160]}"


def _counts(results):
    entries = results["models"]
    plain = [entry for entry in entries if runs_plainly(entry)]
    passed = [entry for entry in plain if passes(entry)]
    exact = [entry for entry in passed if largest_difference(entry) == 0]
    return len(entries), len(plain), len(passed), len(exact)


def summary_line(results):
    total, plain, passed, exact = _counts(results)
    return (f"{total} models: ONNX Runtime runs {plain}; cleave passes every check on {passed}, "
            f"on {exact} of them without any difference")


class Kinds:
    """Numbers the kinds of errors in the order in which they first come up."""

    def __init__(self):
        self.numbers = {}
        self.entries = {}

    def number(self, error, entry):
        kind = kind_of(error)
        number = self.numbers.setdefault(kind, len(self.numbers) + 1)
        self.entries.setdefault(number, []).append((entry["bytes"], entry["file"], error))
        return number

    def rows(self):
        for number, found in sorted(self.entries.items()):
            files = {file for _, file, _ in found}
            _, smallest, error = min(found)
            yield number, len(files), smallest, error


def _escape(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _check_cell(entry, name, kinds):
    check = entry["checks"].get(name)
    if check is None:
        return "–"
    if check["pass"]:
        return "yes" if check["difference"] is None else amount(check["difference"])
    return f"no ({kinds.number(check['error'], entry)})"


def _row(entry, kinds):
    name = entry["file"].split("/", 1)[1]
    cells = [f"`{name}`", entry["package"], entry["licence"]]
    if not runs_plainly(entry):
        number = kinds.number(f"ONNX Runtime: {entry['plain']['error']}", entry)
        cells += [f"no ({number})"] + ["–"] * (len(CHECKS) + 2)
    else:
        plain = "runs" if entry["plain"]["repeatable"] else "runs, differs each time"
        worst = largest_difference(entry)
        cells += [plain, str(entry["cuts"] or "–")]
        cells += [_check_cell(entry, name, kinds) for name in CHECKS]
        cells += ["–" if worst is None else amount(worst)]
    return "| " + " | ".join(map(_escape, cells)) + " |"


def _table(header, rows):
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header), *rows]


def _prose(text):
    return textwrap.fill(" ".join(text.split()), COLUMNS, break_on_hyphens=False,
                         break_long_words=False).splitlines()


def _failed_exports(results):
    failed = results["failed_exports"]
    if not failed:
        return []
    rows = [f"| `{one['name']}` | {_escape(one['package'])} | {_escape(one['error'][:300])} |"
            for one in failed]
    return ["", "## Exports that could not be made", "",
            *_table(["export", "made by", "error"], rows)]


def render(results):
    total, plain, passed, exact = _counts(results)
    kinds = Kinds()
    rows = [_row(entry, kinds) for entry in results["models"]]
    kind_rows = [f"| {number} | {files} | `{smallest}` | {_escape(error[:400])} |"
                 for number, files, smallest, error in kinds.rows()]
    share = 100 * passed / plain if plain else 0
    lines = ["# Real models", ""]
    lines += _prose(
        f"`tools/real_models all` made this document with cleave {results['program']}: it fetches the "
        "ONNX files inside published packages, pinned by version and SHA-256, exports others as "
        "people do, and compares cleave with plain ONNX Runtime on each of them. No file is part "
        "of this repository.")
    lines += [""]
    lines += _prose(
        f"Of {total} files plain ONNX Runtime runs {plain}. On {passed} of those ({share:.0f}%) "
        f"cleave passes every check, on {exact} without any difference.")
    if results["unchecked"]:
        lines += [""] + _prose(
            f"This run left out {len(results['unchecked'])} files: "
            + ", ".join(f"`{file}`" for file in results["unchecked"]) + ".")
    lines += ["", "## What is checked", ""]
    for name, text in (
            ("plain", "whether ONNX Runtime alone loads and runs the file, with inputs that are "
                      "guessed from names and shapes (batch 1, pictures of 320 x 320, lengths of "
                      "16), or with those that the package ships."),
            ("cuts", "how many cuts `cleave inspect` lists."),
            ("inspect, verify", "whether these commands end well; `verify` fails where head and "
                                "tail differ from the whole model by more than 1e-3 of it."),
            ("edge, device, middle", "`cleave run` with a server, at the first, the last and a "
                                     "middle cut. The check fails where it ran elsewhere."),
            ("dynamic", "the same with the policy that chooses by itself."),
            ("client", "a plain client of the Open Inference Protocol that asks the server.")):
        item = _prose(f"- {name}: {text}")
        lines += [item[0]] + ["  " + line for line in item[1:]]
    lines += [""]
    lines += _prose(
        "A number is the largest difference as a share of the largest value of that output; 1e-3 "
        f"is allowed. `{EXACT}` means that no value differs. `no (3)` refers to kind 3 of the "
        "errors below. A dash says that the check was not made.")
    lines += ["", "## The models", ""]
    lines += _table(["file", "package", "licence", "plain", "cuts", *CHECKS, "largest"], rows)
    if kind_rows:
        lines += ["", "## Kinds of errors", ""]
        lines += _table(["kind", "files", "smallest file", "its error"], kind_rows)
    lines += _failed_exports(results)
    return "\n".join(lines) + "\n"
