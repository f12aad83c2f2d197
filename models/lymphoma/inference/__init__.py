"""Networks over whole bodies: the device, the windows, and what is done when memory runs out."""
