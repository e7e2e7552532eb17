"""Checks the installed packages for known vulnerabilities, with data from PyPI.

No packages are downloaded. The exit status is 1 if a vulnerability is found. If PyPI cannot be
reached, or knows too few of the packages (as a mirror without vulnerability data does), a prominent
warning is printed, and the exit status is 0, or 2 with ``--required``.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

_REQUEST_SECONDS = 15
_MAX_SECONDS = 300.0
_MIN_CHECKED_SHARE = 0.9  # special builds, such as torch for CPUs, are not on PyPI


@dataclass(frozen=True)
class Audit:
    """The result of an audit.

    Attributes
    ----------
    is_done : bool
        Whether nearly all packages were checked.
    checked : int
        Number of packages that were checked.
    skipped : tuple of str
        Packages that could not be checked, each with the reason.
    found : tuple of str
        A line for each known vulnerability.
    reason : str
        Why the audit was not done; empty if it was.
    """

    is_done: bool
    checked: int = 0
    skipped: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    reason: str = ""


def run_audit(options: list[str]) -> Audit:
    """Run pip-audit on this environment with additional `options`."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format=json"]
    command += ["--progress-spinner=off", f"--timeout={_REQUEST_SECONDS}", *options]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Audit(False, reason=f"no answer within {_MAX_SECONDS:.0f} seconds")
    return read_report(done.stdout, done.stderr)


def read_report(output: str, errors: str) -> Audit:
    """Parse the JSON output of pip-audit, or else the last line of its error messages."""
    try:
        report: dict[str, Any] = json.loads(output)
        packages = report["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = [line for line in errors.splitlines() if line.strip()]
        return Audit(False, reason=lines[-1] if lines else "pip-audit printed nothing")
    skipped = tuple(f"{p['name']}: {p['skip_reason']}" for p in packages if "skip_reason" in p)
    checked = len(packages) - len(skipped)
    reason = ""
    if checked < _MIN_CHECKED_SHARE * len(packages):
        reason = f"of {len(packages)} packages, {len(skipped)} could not be checked"
        reason += f", such as {skipped[0]}"
    found = tuple(
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in "
        f"{', '.join(flaw['fix_versions']) or 'no version yet'}"
        for package in packages
        for flaw in package.get("vulns", ())
    )
    return Audit(not reason, checked, skipped, found, reason)


def report(audit: Audit, *, is_required: bool) -> int:
    """Print the result of an audit, and return the exit status."""
    for line in audit.found:
        print(f"Vulnerable: {line}")
    if audit.found:
        return 1
    if not audit.is_done:
        bar = "!" * 80
        print(f"{bar}\nTHE AUDIT OF DEPENDENCIES WAS NOT DONE: {audit.reason}", file=sys.stderr)
        print(f"Run `make audit` again when PyPI can be reached.\n{bar}", file=sys.stderr)
        return 2 if is_required else 0
    for line in audit.skipped:
        print(f"Not checked: {line}")
    print(f"{audit.checked} packages checked, no known vulnerabilities")
    return 0


def main() -> int:
    """Run the audit, print the result, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--required", action="store_true", help="also fail if PyPI cannot be reached"
    )
    options, pip_audit_options = parser.parse_known_args()
    return report(run_audit(pip_audit_options), is_required=options.required)


if __name__ == "__main__":
    sys.exit(main())
