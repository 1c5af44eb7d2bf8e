"""The report viewer: a web page on the published database (`make view`).

Belongs here: how a report is found, filtered, shown, shared and kept. Every number comes from a report
function of the published database or, for the records behind a number, from its tables; nothing is
computed here. The viewer reads that file, its own small database and the settings, and nothing else.
"""
