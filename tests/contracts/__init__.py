"""What every implementation of the protocols in ``meshkit.backends.base`` promises.

The classes are abstract tests: a subclass provides the subject as a fixture. ``test_*.py`` here runs them on the fakes,
``integration/contract`` runs the very same on real clusters. A fake that differs from the real thing fails one of them.
"""
