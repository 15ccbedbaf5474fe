"""What every suite offers: environments and experts."""
