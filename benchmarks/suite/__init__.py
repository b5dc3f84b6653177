"""The standard suite against its members, restarts of PGD and ART, on four networks.

`python -m benchmarks.suite` carries out what is missing, one Record per network and run, and
writes the page. A killed call goes on where it was.
"""
