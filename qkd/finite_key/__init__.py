"""How many secret bits a block of counts holds, and with what proof."""
