"""The control side: everything that submits work to a Receptor node and follows it."""
