"""Streamlit widgets and caches that the pages share."""
