"""Writes the dashboards: pages of panels (one module each) become JSON that Grafana provisions."""
