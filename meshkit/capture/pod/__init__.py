"""The program that runs in the gateway's pod: the standard library alone, and as little of it as can be."""
