"""What importers of every family share."""
