"""What clusters run on: what is known of each platform, as data, and how one is recognised."""
