"""Asks PyPI whether anything that is installed here has a known vulnerability.

Nothing is downloaded but the answers. A known vulnerability ends with code 1. Where PyPI cannot be
reached, or knows too few of the packages, as a mirror without its database does, that is said as
loudly as can be, and work goes on; with ``--required`` it ends with code 2.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

_PATIENCE = 15  # seconds that a server may take for one answer
_LONGEST = 300.0  # seconds for all of them
_ENOUGH = 0.9  # of all packages; a build of one's own, such as torch's for CPUs, is on no list


@dataclass(frozen=True)
class Audit:
    """What became of an audit.

    Attributes
    ----------
    is_done : bool
        Whether PyPI answered for nearly all of them.
    checked : int
        Packages that it knows.
    skipped : tuple of str
        Packages that could not be checked, each with the reason.
    found : tuple of str
        A line for every known vulnerability.
    reason : str
        Why it is not done; empty where it is.
    """

    is_done: bool
    checked: int = 0
    skipped: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    reason: str = ""


def run_audit(options: list[str]) -> Audit:
    """Run pip-audit over this environment; `options` are passed on to it."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format=json"]
    command += ["--progress-spinner=off", f"--timeout={_PATIENCE}", *options]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return Audit(False, reason=f"no answer within {_LONGEST:.0f} seconds")
    return read_report(done.stdout, done.stderr)


def read_report(output: str, complaints: str) -> Audit:
    """Read what pip-audit wrote: JSON where it came to its end, complaints where not."""
    try:
        report: dict[str, Any] = json.loads(output)
        packages = report["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = [line for line in complaints.splitlines() if line.strip()]
        return Audit(False, reason=lines[-1] if lines else "pip-audit said nothing")
    skipped = tuple(f"{p['name']}: {p['skip_reason']}" for p in packages if "skip_reason" in p)
    checked = len(packages) - len(skipped)
    reason = ""
    if checked < _ENOUGH * len(packages):
        reason = f"of {len(packages)} packages, {len(skipped)} could not be checked"
        reason += f", such as {skipped[0]}"
    found = tuple(
        f"{package['name']} {package['version']}: {flaw['id']}, mended in "
        f"{', '.join(flaw['fix_versions']) or 'no version yet'}"
        for package in packages
        for flaw in package.get("vulns", ())
    )
    return Audit(not reason, checked, skipped, found, reason)


def report(audit: Audit, *, is_required: bool) -> int:
    """Tell how an audit went, and return the code to end with."""
    for line in audit.found:
        print(f"Vulnerable: {line}")
    if audit.found:
        return 1
    if not audit.is_done:
        bar = "!" * 80
        print(f"{bar}\nTHE AUDIT OF DEPENDENCIES WAS NOT DONE: {audit.reason}", file=sys.stderr)
        print(f"Run `make audit` again where PyPI can be reached.\n{bar}", file=sys.stderr)
        return 2 if is_required else 0
    for line in audit.skipped:
        print(f"Not checked: {line}")
    print(f"{audit.checked} packages checked, no known vulnerability")
    return 0


def main() -> int:
    """Audit, report, and return the code to end with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--required", action="store_true", help="fail also where PyPI cannot be reached"
    )
    own, others = parser.parse_known_args()
    return report(run_audit(others), is_required=own.required)


if __name__ == "__main__":
    sys.exit(main())
