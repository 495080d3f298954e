"""Records results: in full as a file, and in part in the JSON that is committed."""

import numpy as np


def recorded(value, path, samples):
    """Writes the value to `path` (raw float32); returns the file's name and about `samples` values, evenly spaced."""
    flat = np.asarray(value, np.float32).reshape(-1)
    flat.tofile(path)
    step = max(1, flat.size // samples)
    return {"step": step, "samples": [float(f"{v:.9g}") for v in flat[::step][:samples]], "file": path.name}
