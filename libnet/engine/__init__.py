"""One box's network stack; sans-IO; one Stack object per box."""
