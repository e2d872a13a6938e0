"""What runs in each cluster: the same core as the command line's, with a schedule, a memory and a voice.

    prober (child)   the engine, and nothing else: no thread, no rendering, no disk
       | samples, through a socket that never blocks it
    keeper           windows, metrics, judging, the store, HTTP

``main`` has the three ways to run it: ``serve`` (the daemon), ``run`` (one request on stdin), ``job`` (a CronJob's).
"""
