"""Files of earlier projects that a worker keeps by their digest, so that only what changed has to travel."""
