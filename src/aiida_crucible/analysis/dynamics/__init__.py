"""What runs at temperatures say."""
