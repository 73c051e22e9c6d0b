"""Drives dramatiq and dramatiq-workflow and captures what they write."""
