package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Config holds settings for engines. What is wrong with them is reported by NewEngineWithConfig; no setting is ignored.
type Config struct {
	settings     []func(*C.wasm_config_t) bool
	err          error // of the first setting that could not be
	interruption bool
}

// Compiler is how modules are compiled.
type Compiler uint32

// Compilers. A backend refuses those of the other.
const (
	// CompilerDefault is Cranelift on wasmtime, eager on wasmi.
	CompilerDefault Compiler = C.WASMRT_COMPILER_DEFAULT
	// CompilerCranelift makes optimised machine code. Of wasmtime.
	CompilerCranelift Compiler = C.WASMRT_COMPILER_CRANELIFT
	// CompilerWinch makes machine code in a single pass. Of wasmtime.
	CompilerWinch Compiler = C.WASMRT_COMPILER_WINCH
	// CompilerPulley makes portable bytecode for an interpreter. Of wasmtime.
	CompilerPulley Compiler = C.WASMRT_COMPILER_PULLEY
	// CompilerEager translates the whole module when it is made. Of wasmi.
	CompilerEager Compiler = C.WASMRT_COMPILER_EAGER
	// CompilerLazyTranslation translates each function on its first call. For trusted modules. Of wasmi.
	CompilerLazyTranslation Compiler = C.WASMRT_COMPILER_LAZY_TRANSLATION
	// CompilerLazy validates and translates each function on its first call. For trusted modules. Of wasmi.
	CompilerLazy Compiler = C.WASMRT_COMPILER_LAZY
	// CompilerLLVM makes machine code that is optimised for long. Of a wasmer that is loaded.
	CompilerLLVM Compiler = C.WASMRT_COMPILER_LLVM
	// CompilerSinglepass makes machine code in a single pass. Of a wasmer that is loaded.
	CompilerSinglepass Compiler = C.WASMRT_COMPILER_SINGLEPASS
)

// Optimization is what a compiler optimises for.
type Optimization uint32

// What to optimise for.
const (
	// OptimizationDefault is speed on wasmtime.
	OptimizationDefault Optimization = C.WASMRT_OPTIMIZATION_DEFAULT
	// OptimizationNone is no optimisation.
	OptimizationNone Optimization = C.WASMRT_OPTIMIZATION_NONE
	// OptimizationSpeed is fast code.
	OptimizationSpeed Optimization = C.WASMRT_OPTIMIZATION_SPEED
	// OptimizationSpeedAndSize is fast and small code.
	OptimizationSpeedAndSize Optimization = C.WASMRT_OPTIMIZATION_SPEED_AND_SIZE
)

// Proposal is an extension of WebAssembly.
type Proposal uint32

// ModuleLimit is a limit on modules before they are compiled.
type ModuleLimit uint32

// Limits on modules. The C library's header says what is limited by default.
const (
	// ModuleLimitBytes is the size of a binary.
	ModuleLimitBytes ModuleLimit = C.WASMRT_MODULE_LIMIT_BYTES
	// ModuleLimitFunctions is the number of functions.
	ModuleLimitFunctions ModuleLimit = C.WASMRT_MODULE_LIMIT_FUNCTIONS
	// ModuleLimitTypes is the number of types.
	ModuleLimitTypes ModuleLimit = C.WASMRT_MODULE_LIMIT_TYPES
	// ModuleLimitLocals is the number of local variables of a function.
	ModuleLimitLocals ModuleLimit = C.WASMRT_MODULE_LIMIT_LOCALS
	// ModuleLimitFunctionBytes is the size of the code of a function.
	ModuleLimitFunctionBytes ModuleLimit = C.WASMRT_MODULE_LIMIT_FUNCTION_BYTES
	// ModuleLimitNesting is how deeply blocks are nested.
	ModuleLimitNesting ModuleLimit = C.WASMRT_MODULE_LIMIT_NESTING
	// ModuleLimitFunctionCost is the estimated cost of compiling a function.
	ModuleLimitFunctionCost ModuleLimit = C.WASMRT_MODULE_LIMIT_FUNCTION_COST
	// ModuleLimitCostPerByte is the estimated cost of compiling a module, per byte.
	ModuleLimitCostPerByte ModuleLimit = C.WASMRT_MODULE_LIMIT_COST_PER_BYTE
	// ModuleLimitConstantTerms is the number of terms of a constant expression.
	ModuleLimitConstantTerms ModuleLimit = C.WASMRT_MODULE_LIMIT_CONSTANT_TERMS
)

// PoolLimit is a limit of an engine's pool of instances.
type PoolLimit uint32

// Limits of a pool.
const (
	// PoolLimitInstances is the number of instances in all stores.
	PoolLimitInstances PoolLimit = C.WASMRT_POOL_LIMIT_INSTANCES
	// PoolLimitMemories is the number of memories in all stores.
	PoolLimitMemories PoolLimit = C.WASMRT_POOL_LIMIT_MEMORIES
	// PoolLimitTables is the number of tables in all stores.
	PoolLimitTables PoolLimit = C.WASMRT_POOL_LIMIT_TABLES
	// PoolLimitMemoryBytes is the size of each memory.
	PoolLimitMemoryBytes PoolLimit = C.WASMRT_POOL_LIMIT_MEMORY_BYTES
	// PoolLimitTableElements is the number of elements of each table.
	PoolLimitTableElements PoolLimit = C.WASMRT_POOL_LIMIT_TABLE_ELEMENTS
)

// Unlimited is no limit, where a number is the most that is allowed, and no maximum of a type.
const Unlimited uint64 = C.WASMRT_UNLIMITED

// NewConfig makes a configuration with the library's defaults.
func NewConfig() *Config { return &Config{} }

func (c *Config) set(f func(*C.wasm_config_t) bool) { c.settings = append(c.settings, f) }

func (c *Config) setString(value string, f func(*C.wasm_config_t, *C.char) bool) {
	if err := noZeros(value); err != nil && c.err == nil {
		c.err = err
	}
	c.set(func(config *C.wasm_config_t) bool {
		text := C.CString(value)
		defer C.free(unsafe.Pointer(text))
		return f(config, text)
	})
}

// SetBackend chooses the backend: see Backends.
func (c *Config) SetBackend(name string) {
	c.setString(name, func(config *C.wasm_config_t, text *C.char) bool {
		return bool(C.wasmrt_config_set_backend(config, text))
	})
}

// SetCompiler chooses the compiler.
func (c *Config) SetCompiler(compiler Compiler) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_compiler(config, C.wasmrt_compiler_t(compiler)))
	})
}

// SetOptimization chooses what the compiler optimises for.
func (c *Config) SetOptimization(optimization Optimization) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_optimization(config, C.wasmrt_optimization_t(optimization)))
	})
}

// SetProposal turns an extension of WebAssembly on or off: see ProposalNamed.
func (c *Config) SetProposal(proposal Proposal, enabled bool) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_proposal(config, C.wasmrt_proposal_t(proposal), C.bool(enabled)))
	})
}

// SetConsumeFuel makes guests consume fuel: see Store.SetFuel.
func (c *Config) SetConsumeFuel(enabled bool) {
	c.set(func(config *C.wasm_config_t) bool { return bool(C.wasmrt_config_set_fuel(config, C.bool(enabled))) })
}

// SetInterruption allows running guests to be stopped: by Func.CallContext, by timeouts, and by an InterruptHandle.
func (c *Config) SetInterruption(enabled bool) {
	c.interruption = enabled
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_interruption(config, C.bool(enabled)))
	})
}

// SetMaxWasmStack sets how many bytes of stack guests may use.
func (c *Config) SetMaxWasmStack(bytes uint64) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_max_wasm_stack(config, C.size_t(bytes)))
	})
}

// SetCache keeps compiled modules in a directory, of at most maxBytes; 0 is the library's default of 1 GiB. Whoever can
// write to it decides what the program runs.
func (c *Config) SetCache(directory string, maxBytes uint64) {
	c.setString(directory, func(config *C.wasm_config_t, text *C.char) bool {
		return bool(C.wasmrt_config_set_cache(config, text, C.uint64_t(maxBytes)))
	})
}

// SetNoCache keeps no compiled modules, whatever the environment says.
func (c *Config) SetNoCache() {
	c.set(func(config *C.wasm_config_t) bool { return bool(C.wasmrt_config_set_cache(config, nil, 0)) })
}

// SetParallelCompilation sets whether the functions of a module are compiled on several threads.
func (c *Config) SetParallelCompilation(enabled bool) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_parallel_compilation(config, C.bool(enabled)))
	})
}

// SetDeterministic sets whether results are the same on every machine.
func (c *Config) SetDeterministic(enabled bool) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_deterministic(config, C.bool(enabled)))
	})
}

// SetDebugInfo sets whether the DWARF sections of a module are translated for native debuggers.
func (c *Config) SetDebugInfo(enabled bool) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_debug_info(config, C.bool(enabled)))
	})
}

// SetTarget compiles for another machine, such as "aarch64-unknown-linux-gnu": see Engine.Precompile.
func (c *Config) SetTarget(triple string) {
	c.setString(triple, func(config *C.wasm_config_t, text *C.char) bool {
		return bool(C.wasmrt_config_set_target(config, text))
	})
}

// SetPooling sets whether the engine sets room for instances aside when it is made.
func (c *Config) SetPooling(enabled bool) {
	c.set(func(config *C.wasm_config_t) bool { return bool(C.wasmrt_config_set_pooling(config, C.bool(enabled))) })
}

// SetPoolLimit sets a limit of the pool, and turns pooling on.
func (c *Config) SetPoolLimit(limit PoolLimit, value uint64) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_pool_limit(config, C.wasmrt_pool_limit_t(limit), C.uint64_t(value)))
	})
}

// SetModuleLimit sets the most that a module may have of something; Unlimited removes a limit.
func (c *Config) SetModuleLimit(limit ModuleLimit, value uint64) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_module_limit(config, C.wasmrt_module_limit_t(limit), C.uint64_t(value)))
	})
}

// SetMemoryReservation sets how much address space each memory is given, in bytes.
func (c *Config) SetMemoryReservation(bytes uint64) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_memory_reservation(config, C.uint64_t(bytes)))
	})
}

// SetMemoryGuardSize sets the size of the inaccessible address space after each memory, in bytes.
func (c *Config) SetMemoryGuardSize(bytes uint64) {
	c.set(func(config *C.wasm_config_t) bool {
		return bool(C.wasmrt_config_set_memory_guard_size(config, C.uint64_t(bytes)))
	})
}

// String returns the name of the proposal, such as "bulk-memory".
func (p Proposal) String() string {
	if name := C.wasmrt_proposal_name(C.wasmrt_proposal_t(p)); name != nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("proposal %d", uint32(p))
}

// ProposalNamed returns the proposal with a name, such as "gc" or "threads", and whether there is one.
func ProposalNamed(name string) (Proposal, bool) {
	for p := Proposal(1); C.wasmrt_proposal_name(C.wasmrt_proposal_t(p)) != nil; p++ {
		if p.String() == name {
			return p, true
		}
	}
	return 0, false
}
