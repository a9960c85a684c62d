"""Hook heads by address family and by interface; treats what it carries as opaque."""
