"""How a job is isolated: one file for each kind of engine, behind one small protocol."""
