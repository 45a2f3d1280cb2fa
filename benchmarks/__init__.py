"""Benchmarks B1, B3, B5 and P1: Weir as a user runs it, next to floors measured in the same minute on the same files.

Caches of Weir are deleted before every measured run, checkpoints are written, and the end state is judged by the tests'
checker, which shares no code with Weir. The floors use no code of Weir at all.
"""
