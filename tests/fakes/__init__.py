"""The outside world in memory: one fake per protocol of ``meshkit.backends.base``.

Fakes keep state and rules, not scripts of expected calls, so that tests say what should hold and not how it is done.
What a fake promises is asserted on the real backend too, by the tests in ``contract``.
"""
