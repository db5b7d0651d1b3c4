"""Stand-ins for AWS Lambda's images, made on the spot of real parts.

A root file system holds a CPython of the runtime's version at `/var/lang`, awslambdaric and boto3
from the package index, AWS's own Runtime Interface Emulator, and as few system libraries as Python
itself wants. Symbol versions that Amazon Linux's glibc and libstdc++ do not have are out of reach,
so that a library that needs them gets the loader's own error.

x86_64: pyenv's 3.11, 3.12 and 3.13 with the libraries of this machine. arm64: Debian's 3.11 and 3.13.

What they cannot show: Amazon Linux's own userland and OpenSSL, the exact list of its system
libraries, the patch versions of its Pythons, and Lambda's kernel and system call filter.
"""
