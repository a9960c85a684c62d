"""Virtual NICs between an ifnet and a medium; devnp-* names."""
