"""Finds PyTorch grad-mode mistakes in one file, and mends them.

Start reading at ``engine``, which says in two functions what happens to a
file; CONTRIBUTING.md describes the house.
"""
