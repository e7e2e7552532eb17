.PHONY: run test check audit demo readme

run: ## open the explorer
	streamlit run explorer/app.py

test: ## run all tests
	python -m pytest -n auto

check: audit ## lint, format, types and known vulnerabilities
	ruff check .
	ruff format --check .
	mypy

audit: ## ask PyPI for known vulnerabilities of what is installed
	python tools/audit.py

demo: ## rebuild the demo workspace from nothing
	python -m explorer demo --force

readme: ## update the tables and pictures of the README
	python tools/settings_table.py --write
	python -m pytest tests/browser/test_readme.py
	for name in overview photo; do cp test-artefacts/readme-$$name.jpg assets/screenshots/$$name.jpg; done
