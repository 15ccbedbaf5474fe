"""What the formats of exports share, with each other and with `gato export`."""
