import json

import audit
import pytest

FLAW = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"], "aliases": [], "description": ""}


def write_report(*packages: dict) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


def test_a_known_vulnerability_fails_and_is_named(capsys: pytest.CaptureFixture) -> None:
    text = write_report(
        *({"name": f"good-{n}", "version": "1.0", "vulns": []} for n in range(9)),
        {"name": "bad", "version": "1.5", "vulns": [FLAW, {**FLAW, "fix_versions": []}]},
        {"name": "own", "skip_reason": "not on PyPI"},
    )
    found = audit.read_report(text, "")
    assert (found.is_done, found.checked, len(found.found)) == (True, 10, 2)
    assert audit.report(found, is_required=False) == 1
    told = capsys.readouterr().out
    assert "bad 1.5: PYSEC-2026-1, fixed in 2.0" in told
    assert "fixed in no version yet" in told


def test_an_audit_without_findings_passes(capsys: pytest.CaptureFixture) -> None:
    found = audit.read_report(write_report({"name": "a", "version": "1", "vulns": []}), "")
    assert audit.report(found, is_required=True) == 0
    assert "1 packages checked, no known vulnerabilities" in capsys.readouterr().out


def test_an_index_without_vulnerability_data_is_not_an_audit(capsys: pytest.CaptureFixture) -> None:
    unknown = [{"name": f"p{n}", "skip_reason": "not found on PyPI"} for n in range(2)]
    known = [{"name": f"q{n}", "version": "1", "vulns": []} for n in range(9)]
    found = audit.read_report(write_report(*known, *unknown), "")
    assert audit.report(found, is_required=True) == 2
    assert "of 11 packages, 2 could not be checked, such as p0" in capsys.readouterr().err
    found = audit.read_report(write_report(*known, unknown[0]), "")
    assert audit.report(found, is_required=True) == 0
    assert "Not checked: p0: not found on PyPI" in capsys.readouterr().out
    # Findings count even if only a few packages were audited.
    bad = {"name": "bad", "version": "1", "vulns": [FLAW]}
    found = audit.read_report(write_report(bad, *unknown), "")
    assert audit.report(found, is_required=False) == 1


@pytest.mark.parametrize("text", ["", "{}", "[]", "Traceback"])
def test_a_missing_audit_is_reported_and_fails_only_if_required(
    text: str, capsys: pytest.CaptureFixture
) -> None:
    found = audit.read_report(text, "\nERROR:pip_audit: Could not connect to PyPI\n")
    assert not found.is_done
    assert audit.report(found, is_required=False) == 0
    assert audit.report(found, is_required=True) == 2
    told = capsys.readouterr().err
    assert "THE AUDIT OF DEPENDENCIES WAS NOT DONE" in told
    assert "Could not connect to PyPI" in told
