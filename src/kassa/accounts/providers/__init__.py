"""The merchant's accounts at providers, and the services that each of them covers."""
