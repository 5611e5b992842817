"""Archives: what of a directory travels in a stream, packed and extracted, fast where there are very many files.

They are zip files as ansible-runner packs and reads them. What comes in is treated as hostile: `checks` judges an
archive, and `extraction` writes nothing of one that is refused. `pack` says what travels, `shares` has several
processes read and compress it; `zip_writer` and `zip_reader` know the format, `references` stand for files that the
reader keeps. `helper_process` starts the other processes, whose work is in `packing_process` and `small_files`.
"""
