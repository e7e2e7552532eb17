.PHONY: run test check demo

run: ## open the explorer on the demo
	streamlit run explorer/app.py

test: ## run all tests
	python -m pytest

check: ## lint, format and types
	ruff check .
	ruff format --check .
	mypy

demo: ## rebuild the demo workspace from nothing
	python -m explorer demo --force
