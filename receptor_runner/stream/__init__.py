"""The wire between the phases: messages, a decoder and an encoder, without IO.

Both streams, transmit to worker and worker to process, are JSON objects one per line, with archives spliced in:
a header line `{"zipfile": N}` and then the N bytes of a zip file in base64, without a line end. The format is that
of ansible-runner 2.4. Nothing here reads, writes or prints on its own; beside
the standard library it imports only the packages that make it fast.
"""
