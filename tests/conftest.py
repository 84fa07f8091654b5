"""What all tests share."""

from hypothesis import settings

# On two shared cores the time of one example says nothing about the code.
settings.register_profile("skytrunk", deadline=None)
settings.load_profile("skytrunk")
