"""Reactions that an automation condition cannot express, one file each.

Put here: sensors that look at the lake or the plans and raise or request something.
Keep out: schedules (pipelines/automation.py) and the rules they evaluate (domain/).
"""
