"""The demonstration, and the world around Weir that it needs: a Git server, a plain REST client, a Pulumi stack.

Nothing here imports Weir's core: the benchmarks and the test checker judge with these same few modules.
"""
