"""Running Kassa: sockets, deadlines and limits of connections, roles, worker processes, the order of start and stop."""
