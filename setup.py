"""Setup: what setuptools makes on its way to a wheel goes into a temporary folder, so that a checkout stays as it is.

Else `pip install CHECKOUT` leaves build/, whose files get into later wheels, and src/*.egg-info, by which Python and
pytest take the checkout for installed.
"""

import sys
import tempfile

import setuptools

if "sdist" in sys.argv:  # which takes part of what is made
    setuptools.setup()
else:
    with tempfile.TemporaryDirectory() as folder:
        setuptools.setup(options={"build": {"build_base": folder}, "egg_info": {"egg_base": folder}})
