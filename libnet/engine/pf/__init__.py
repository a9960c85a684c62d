"""Rule evaluation, state, NAT, tables, normalisation, pflog, /dev/pf."""
