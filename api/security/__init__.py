"""Who asks: certificates over mutual TLS for keys, tokens and roles for the management API."""
