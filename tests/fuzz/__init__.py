"""Random damages, crafted files and kills: seeded, short in `make test`, long in `make fuzz`."""
