"""Connectivity and latency probes: observe here, judge elsewhere.

    Probe (what, how often) --engine--> Sample (one observation)
    Sample --summary--> Summary (a series' window) --expect--> Verdict

A mechanism is a generator over one epoll loop that only observes. What should have happened is a value beside it. This
package imports nothing of meshkit but errors, and of other people's code only what a mechanism speaks: it is what the
agents in the clusters run, sent there as one archive (``bundle``).
"""
