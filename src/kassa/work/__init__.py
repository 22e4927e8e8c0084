"""Work that is due: what runs by itself (``jobs``), how it is taken (``claims``), and who does it (``worker``)."""
