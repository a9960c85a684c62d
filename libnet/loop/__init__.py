"""The only room that reads real time or waits; and its simulated twin."""
