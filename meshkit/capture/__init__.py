"""What passes a mesh gateway, read from its packets: names out of TLS hellos, health out of TCP headers."""
