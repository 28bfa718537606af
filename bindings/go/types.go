package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"strings"
)

// ValType is a type of values.
type ValType uint8

// Types of values.
const (
	// I32 is a 32-bit integer: int32 in Go.
	I32 ValType = C.WASM_I32
	// I64 is a 64-bit integer: int64 in Go.
	I64 ValType = C.WASM_I64
	// F32 is a float32.
	F32 ValType = C.WASM_F32
	// F64 is a float64.
	F64 ValType = C.WASM_F64
	// V128 is a vector of 16 bytes: [16]byte in Go.
	V128 ValType = C.WASMRT_V128
	// ExternRef is a reference to any value of Go, or nil.
	ExternRef ValType = C.WASM_EXTERNREF
	// FuncRef is a reference to a function: *Func in Go, or nil.
	FuncRef ValType = C.WASM_FUNCREF
	// AnyRef is a reference to a garbage-collected value: *Ref in Go, or nil. As with ExternRef, it may be to any value
	// of Go.
	AnyRef ValType = C.WASMRT_ANYREF
	// ExnRef is a reference to an exception: *Ref in Go, or nil.
	ExnRef ValType = C.WASMRT_EXNREF
)

// String returns the name that the text format has for the type.
func (t ValType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case ExternRef:
		return "externref"
	case FuncRef:
		return "funcref"
	case AnyRef:
		return "anyref"
	case ExnRef:
		return "exnref"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

func (t ValType) isRef() bool { return t >= C.WASM_EXTERNREF }

// ExternType is the type of an import or export: a FuncType, GlobalType, TableType, MemoryType or TagType.
type ExternType interface {
	fmt.Stringer
	externType()
}

// FuncType is the type of a function.
type FuncType struct {
	Params, Results []ValType
}

// GlobalType is the type of a global.
type GlobalType struct {
	Content ValType
	Mutable bool
}

// TableType is the type of a table, with its size in elements. The minimum of a table's type is its present size.
type TableType struct {
	Element ValType
	// Min is the smallest size.
	Min uint64
	// Max is the largest size, or Unlimited.
	Max uint64
	// Is64 is whether indices have 64 bits.
	Is64 bool
}

// MemoryType is the type of a memory, with its size in pages. The minimum of a memory's type is its present size.
type MemoryType struct {
	// Min is the smallest size.
	Min uint64
	// Max is the largest size, or Unlimited.
	Max uint64
	// Is64 is whether addresses have 64 bits.
	Is64 bool
	// Shared is whether threads share it.
	Shared bool
	// PageSize is the number of bytes of a page, 1 or 65536; 0 means 65536.
	PageSize uint64
}

// TagType is the type of a tag: the types of an exception's values.
type TagType struct {
	Params []ValType
}

// ImportType is what a module imports.
type ImportType struct {
	Module, Name string
	Type         ExternType
}

// ExportType is what a module exports.
type ExportType struct {
	Name string
	Type ExternType
}

// NewFuncType returns the type of functions with these parameters and results.
func NewFuncType(params, results []ValType) FuncType { return FuncType{params, results} }

// NewMemoryType returns the type of memories of min to max pages of 64 KiB.
func NewMemoryType(min, max uint64) MemoryType { return MemoryType{Min: min, Max: max} }

// NewTableType returns the type of tables of min to max elements.
func NewTableType(element ValType, min, max uint64) TableType {
	return TableType{Element: element, Min: min, Max: max}
}

// NewGlobalType returns the type of globals with this content.
func NewGlobalType(content ValType, mutable bool) GlobalType { return GlobalType{content, mutable} }

func (FuncType) externType()   {}
func (GlobalType) externType() {}
func (TableType) externType()  {}
func (MemoryType) externType() {}
func (TagType) externType()    {}

func typeList(types []ValType) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// String returns the type as text, such as "(i32, i32) -> (i32)".
func (t FuncType) String() string { return typeList(t.Params) + " -> " + typeList(t.Results) }

// String returns the type as text, such as "global mut i32".
func (t GlobalType) String() string {
	if t.Mutable {
		return "global mut " + t.Content.String()
	}
	return "global " + t.Content.String()
}

func limits(min, max uint64) string {
	if max == Unlimited {
		return fmt.Sprint(min)
	}
	return fmt.Sprintf("%d..%d", min, max)
}

// String returns the type as text, such as "table 1..10 funcref".
func (t TableType) String() string { return "table " + limits(t.Min, t.Max) + " " + t.Element.String() }

// String returns the type as text, such as "memory 1..10".
func (t MemoryType) String() string { return "memory " + limits(t.Min, t.Max) }

// String returns the type as text, such as "tag (i32)".
func (t TagType) String() string { return "tag " + typeList(t.Params) }

// kinds copies the kinds that a C function writes.
func kinds(write func(kinds *C.uint8_t, room C.size_t, params, results *C.size_t)) FuncType {
	buf := make([]C.uint8_t, 16)
	var params, results C.size_t
	write(&buf[0], C.size_t(len(buf)), &params, &results)
	if total := params + results; int(total) > len(buf) {
		buf = make([]C.uint8_t, total)
		write(&buf[0], total, &params, &results)
	}
	types := make([]ValType, params+results)
	for i := range types {
		types[i] = ValType(buf[i])
	}
	return FuncType{types[:params:params], types[params:]}
}

func goFuncType(t *C.wasm_functype_t) FuncType {
	return kinds(func(buf *C.uint8_t, room C.size_t, params, results *C.size_t) {
		C.wasmrtgo_functype_kinds(t, buf, room, params, results)
	})
}

func (t FuncType) c() *C.wasm_functype_t {
	buf := make([]C.uint8_t, 0, len(t.Params)+len(t.Results)+1)
	for _, types := range [][]ValType{t.Params, t.Results} {
		for _, kind := range types {
			buf = append(buf, C.uint8_t(kind))
		}
	}
	return C.wasmrtgo_functype_new(&buf[:1][0], C.size_t(len(t.Params)), C.size_t(len(t.Results)))
}

func (t FuncType) hasRefs() bool {
	for _, types := range [][]ValType{t.Params, t.Results} {
		for _, kind := range types {
			if kind.isRef() {
				return true
			}
		}
	}
	return false
}

func (t FuncType) hasVectors() bool {
	for _, types := range [][]ValType{t.Params, t.Results} {
		for _, kind := range types {
			if kind == V128 {
				return true
			}
		}
	}
	return false
}

func goGlobalType(t *C.wasm_globaltype_t) GlobalType {
	return GlobalType{
		Content: ValType(C.wasm_valtype_kind(C.wasm_globaltype_content(t))),
		Mutable: C.wasm_globaltype_mutability(t) == C.WASM_VAR,
	}
}

func goTableType(t *C.wasm_tabletype_t) TableType {
	return TableType{
		Element: ValType(C.wasm_valtype_kind(C.wasm_tabletype_element(t))),
		Min:     uint64(C.wasmrt_tabletype_minimum(t)),
		Max:     uint64(C.wasmrt_tabletype_maximum(t)),
		Is64:    bool(C.wasmrt_tabletype_is_64(t)),
	}
}

func goMemoryType(t *C.wasm_memorytype_t) MemoryType {
	return MemoryType{
		Min:      uint64(C.wasmrt_memorytype_minimum(t)),
		Max:      uint64(C.wasmrt_memorytype_maximum(t)),
		Is64:     bool(C.wasmrt_memorytype_is_64(t)),
		Shared:   bool(C.wasmrt_memorytype_is_shared(t)),
		PageSize: uint64(C.wasmrt_memorytype_page_size(t)),
	}
}

func goExternType(t *C.wasm_externtype_t) ExternType {
	switch C.wasm_externtype_kind(t) {
	case C.WASM_EXTERN_FUNC:
		return goFuncType(C.wasm_externtype_as_functype_const(t))
	case C.WASM_EXTERN_GLOBAL:
		return goGlobalType(C.wasm_externtype_as_globaltype_const(t))
	case C.WASM_EXTERN_TABLE:
		return goTableType(C.wasm_externtype_as_tabletype_const(t))
	case C.WASM_EXTERN_MEMORY:
		return goMemoryType(C.wasm_externtype_as_memorytype_const(t))
	}
	return TagType{goFuncType(C.wasm_tagtype_functype(C.wasm_externtype_as_tagtype_const(t))).Params}
}
