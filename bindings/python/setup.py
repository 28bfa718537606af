"""Builds the two extension modules against an installed libwasmrt, and puts that into the package."""

import pathlib
import re
import shutil
import sys

from setuptools import Extension, setup
from setuptools.command.build_py import build_py
from wheel.bdist_wheel import bdist_wheel

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import build_native  # noqa: E402


class BuildPy(build_py):
    """Adds the library and the command."""

    def run(self):
        super().run()
        package = pathlib.Path(self.build_lib) / "wasmrt"
        prefix, soname = build_native.prefix(), f"libwasmrt.so.{'.'.join(version().split('.')[:2])}"
        for source, target in {
            build_native.library() / soname: f"lib/{soname}",
            prefix / "bin/wasmrt": "bin/wasmrt",
        }.items():
            (package / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, package / target)


class Wheel(bdist_wheel):
    """One wheel for all CPythons."""

    def finalize_options(self):
        super().finalize_options()
        self.py_limited_api = "cp39"


def version():
    header = (build_native.include() / "wasmrt.h").read_text()
    return re.search(r'^#define WASMRT_VERSION "(.*)"', header, re.MULTILINE).group(1)


core = Extension(
    "wasmrt._core",
    sorted(str(path.relative_to(HERE)) for path in HERE.glob("native/*.c")),
    depends=["native/core.h"],
    include_dirs=[str(build_native.include())],
    library_dirs=[str(build_native.library())],
    libraries=["wasmrt"],
    extra_compile_args=["-std=gnu11", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-fvisibility=hidden", "-fexceptions"],
    extra_link_args=["-Wl,-rpath,$ORIGIN/lib"],
    define_macros=[("Py_LIMITED_API", build_native.LIMITED_API)],
    py_limited_api=True,
)

setup(
    version=version(),
    ext_modules=[core],
    cffi_modules=["build_native.py:ffibuilder"],
    cmdclass={"build_py": BuildPy, "bdist_wheel": Wheel},
)
