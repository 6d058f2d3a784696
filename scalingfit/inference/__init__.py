"""Runs, a law and a noise model in; a posterior out."""
