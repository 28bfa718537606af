"""Builds wasmrt from the checkout around this file: conan create packaging/conan. docs/install.md says what it needs."""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rm, rmdir

required_conan_version = ">=2.0"
ENGINES = ["wasmtime", "wasmi"]


class Wasmrt(ConanFile):
    name = "wasmrt"
    description = "The standard WebAssembly C API (wasm.h) over pluggable engines"
    license = "Apache-2.0 WITH LLVM-exception"
    topics = ("webassembly", "wasm", "wasi", "runtime")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], **{engine: [True, False] for engine in ENGINES}}
    default_options = {"shared": False, **{engine: True for engine in ENGINES}}
    no_copy_source = True

    def set_version(self):
        manifest = load(self, os.path.join(self.recipe_folder, "../../Cargo.toml"))
        self.version = self.version or re.search(r'^version *= *"(.*?)"', manifest, re.MULTILINE).group(1)

    def export_sources(self):
        copy(self, "*", os.path.join(self.recipe_folder, "../.."), self.export_sources_folder,
             excludes=("build/*", "target/*", ".git", ".git/*"))

    def configure(self):
        # The library is a C library; what it has for C++ are headers.
        self.settings.rm_safe("compiler.cppstd")
        self.settings.rm_safe("compiler.libcxx")

    def package_id(self):
        del self.info.settings.build_type  # cargo's profile is the same for each

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("wasmrt builds on Linux only")
        if not self.engines():
            raise ConanInvalidConfiguration(f"wasmrt needs an engine: {' or '.join(ENGINES)}")

    def engines(self):
        return [engine for engine in ENGINES if self.options.get_safe(engine)]

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables.update({
            "WASMRT_BACKENDS": ";".join(self.engines()),
            "WASMRT_BUILD_COMMAND": bool(self.options.shared),
            "WASMRT_BUILD_EXAMPLES": False,
            "WASMRT_BUILD_TESTS": False,
            "WASMRT_CARGO_TARGET_DIR": os.path.join(self.build_folder, "target"),
        })
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        for file in ("LICENSE", "THIRD-PARTY.txt"):
            copy(self, file, self.source_folder, os.path.join(self.package_folder, "licenses"))
        # conan writes these itself
        for folder in ("lib/cmake", "lib/pkgconfig", "share/doc"):
            rmdir(self, os.path.join(self.package_folder, folder))
        rm(self, "*.a" if self.options.shared else "*.so*", os.path.join(self.package_folder, "lib"))

    def package_info(self):
        self.cpp_info.libs = ["wasmrt"]
        self.cpp_info.set_property("cmake_file_name", "wasmrt")
        self.cpp_info.set_property("cmake_target_name", "wasmrt::wasmrt")
        self.cpp_info.set_property("pkg_config_name", "wasmrt")
        if not self.options.shared:
            self.cpp_info.set_property("cmake_target_aliases", ["wasmrt::wasmrt-static"])
            self.cpp_info.system_libs = ["pthread", "dl", "m"]
