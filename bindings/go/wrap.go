package wasmrt

import (
	"reflect"
)

var (
	callerType = reflect.TypeOf((*Caller)(nil))
	funcType   = reflect.TypeOf((*Func)(nil))
	errorType  = reflect.TypeOf((*error)(nil)).Elem()
	trapType   = reflect.TypeOf((*Trap)(nil))
	v128Type   = reflect.TypeOf([16]byte{})
)

// WrapFunc makes a host function of a function of Go, whose type it is given by:
//
//	int32, uint32   i32
//	int64, uint64   i64
//	float32         f32
//	float64         f64
//	[16]byte        v128
//	*Func           funcref
//	any, pointers, interfaces, strings, maps, channels, structs, slices   externref
//
// A first parameter of type *Caller gets the instance that calls. A last result of type error or *Trap, if it is not
// nil, makes the guest trap, and comes out of the call into the guest. A v128 cannot go with a *Caller or a reference.
//
// Reflection takes time. These types are called without it: func(), func() error, func() int32, func() int64,
// func(int32), func(int32) error, and those from one or two int32, int64 or float64 to one of the same; and, after a
// *Caller, from one int32 to one, and from two to none, one, or an error. NewRawFunc needs none for any type.
func WrapFunc(store *Store, f any) (*Func, error) {
	h, err := wrap(f)
	if err != nil {
		return nil, err
	}
	if common := wrapCommon(f); common != nil {
		h = common
	}
	return store.newHost(h)
}

func valTypeOf(t reflect.Type) (ValType, bool) {
	switch t.Kind() {
	case reflect.Int32, reflect.Uint32:
		return I32, true
	case reflect.Int64, reflect.Uint64:
		return I64, true
	case reflect.Float32:
		return F32, true
	case reflect.Float64:
		return F64, true
	}
	switch t {
	case v128Type:
		return V128, true
	case funcType:
		return FuncRef, true
	case callerType, errorType, trapType:
		return 0, false
	}
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer, reflect.String, reflect.Map, reflect.Chan, reflect.Struct, reflect.Slice:
		return ExternRef, true
	}
	return 0, false
}

const useTypes = "use int32, int64, float32, float64 or any"

// wrap makes a host function that is called by reflection.
func wrap(f any) (*hostFunc, error) {
	value := reflect.ValueOf(f)
	if f == nil || value.Kind() != reflect.Func || value.IsNil() {
		return nil, misuse("a host function has to be a function, not a %T", f)
	}
	t := value.Type()
	if t.IsVariadic() {
		return nil, misuse("a host function cannot be variadic: %v", t)
	}
	var ty FuncType
	ins, outs := t.NumIn(), t.NumOut()
	first := 0
	if ins > 0 && t.In(0) == callerType {
		first = 1
	}
	for i := first; i < ins; i++ {
		kind, ok := valTypeOf(t.In(i))
		if !ok {
			return nil, misuse("a host function cannot have a parameter of type %v; "+useTypes, t.In(i))
		}
		ty.Params = append(ty.Params, kind)
	}
	fails := outs > 0 && (t.Out(outs-1) == errorType || t.Out(outs-1) == trapType)
	if fails {
		outs--
	}
	for i := 0; i < outs; i++ {
		kind, ok := valTypeOf(t.Out(i))
		if !ok {
			return nil, misuse("a host function cannot have a result of type %v; "+useTypes, t.Out(i))
		}
		ty.Results = append(ty.Results, kind)
	}
	run := func(in []reflect.Value) ([]reflect.Value, error) {
		out := value.Call(in)
		if fails && !out[outs].IsNil() {
			return nil, out[outs].Interface().(error)
		}
		return out[:outs], nil
	}
	if !ty.hasRefs() && (first == 0 || !ty.hasVectors()) {
		// The arguments of calls that have returned are used again. One goroutine at a time uses the store.
		var spare [][]reflect.Value
		return &hostFunc{ty: ty, needsCaller: first == 1, raw: func(caller *Caller, values []Raw) error {
			var in []reflect.Value
			if n := len(spare); n > 0 {
				in, spare = spare[n-1], spare[:n-1]
			} else {
				in = make([]reflect.Value, ins)
				for i := first; i < ins; i++ {
					in[i] = reflect.New(t.In(i)).Elem()
				}
			}
			if first == 1 {
				in[0] = reflect.ValueOf(caller)
			}
			for i := range ty.Params {
				values[i].toGo(in[first+i])
			}
			out, err := run(in)
			for i := range out {
				values[i].fromGo(out[i])
			}
			spare = append(spare, in)
			return err
		}}, nil
	}
	return &hostFunc{ty: ty, val: func(caller *Caller, args []Val) ([]Val, error) {
		in := make([]reflect.Value, ins)
		if first == 1 {
			in[0] = reflect.ValueOf(caller)
		}
		for i := range args {
			to := reflect.New(t.In(first + i)).Elem()
			in[first+i] = to
			if kind := ty.Params[i]; !kind.isRef() {
				args[i].raw.toGo(to)
			} else if args[i].ref != nil {
				ref := reflect.ValueOf(args[i].ref)
				if !ref.Type().AssignableTo(to.Type()) {
					return nil, misuse("argument %d of a host function refers to a %v, not a %v", i+1, ref.Type(), to.Type())
				}
				to.Set(ref)
			}
		}
		out, err := run(in)
		if err != nil {
			return nil, err
		}
		vals := make([]Val, len(out))
		for i, kind := range ty.Results {
			vals[i].kind = kind
			if !kind.isRef() {
				vals[i].raw.fromGo(out[i])
			} else if !isNil(out[i]) {
				vals[i].ref = out[i].Interface()
			}
		}
		return vals, nil
	}}, nil
}

// isNil returns whether a result is the null reference. Of nil maps and the like, it is none.
func isNil(v reflect.Value) bool {
	return (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) && v.IsNil()
}

func (r *Raw) toGo(to reflect.Value) {
	switch to.Kind() {
	case reflect.Int32:
		to.SetInt(int64(r.I32()))
	case reflect.Uint32:
		to.SetUint(uint64(uint32(r.I32())))
	case reflect.Int64:
		to.SetInt(r.I64())
	case reflect.Uint64:
		to.SetUint(uint64(r.I64()))
	case reflect.Float32:
		// By its bits, as in fromGo: a conversion would change some NaNs.
		*(*float32)(to.Addr().UnsafePointer()) = r.F32()
	case reflect.Float64:
		to.SetFloat(r.F64())
	case reflect.Array:
		to.Set(reflect.ValueOf(r.V128()))
	}
}

func (r *Raw) fromGo(from reflect.Value) {
	switch from.Kind() {
	case reflect.Int32:
		r.SetI32(int32(from.Int()))
	case reflect.Uint32:
		r.SetI32(int32(from.Uint()))
	case reflect.Int64:
		r.SetI64(from.Int())
	case reflect.Uint64:
		r.SetI64(int64(from.Uint()))
	case reflect.Float32:
		to := reflect.New(from.Type())
		to.Elem().Set(from)
		r.SetF32(*(*float32)(to.UnsafePointer()))
	case reflect.Float64:
		r.SetF64(from.Float())
	case reflect.Array:
		r.SetV128(from.Interface().([16]byte))
	}
}

// wrapCommon makes a host function of some types that needs no reflection, or nil.
func wrapCommon(f any) *hostFunc {
	types := func(kind ValType, params, results int) (ty FuncType) {
		for i := 0; i < params; i++ {
			ty.Params = append(ty.Params, kind)
		}
		for i := 0; i < results; i++ {
			ty.Results = append(ty.Results, kind)
		}
		return
	}
	switch f := f.(type) {
	case func():
		return &hostFunc{ty: FuncType{}, raw: func(*Caller, []Raw) error { f(); return nil }}
	case func() error:
		return &hostFunc{ty: FuncType{}, raw: func(*Caller, []Raw) error { return f() }}
	case func() int32:
		return &hostFunc{ty: types(I32, 0, 1), raw: func(_ *Caller, v []Raw) error { v[0].SetI32(f()); return nil }}
	case func() int64:
		return &hostFunc{ty: types(I64, 0, 1), raw: func(_ *Caller, v []Raw) error { v[0].SetI64(f()); return nil }}
	case func(int32):
		return &hostFunc{ty: types(I32, 1, 0), raw: func(_ *Caller, v []Raw) error { f(v[0].I32()); return nil }}
	case func(int32) error:
		return &hostFunc{ty: types(I32, 1, 0), raw: func(_ *Caller, v []Raw) error { return f(v[0].I32()) }}
	case func(int32) int32:
		return &hostFunc{ty: types(I32, 1, 1), raw: func(_ *Caller, v []Raw) error { v[0].SetI32(f(v[0].I32())); return nil }}
	case func(int32, int32):
		return &hostFunc{ty: types(I32, 2, 0), raw: func(_ *Caller, v []Raw) error { f(v[0].I32(), v[1].I32()); return nil }}
	case func(int32, int32) int32:
		return &hostFunc{ty: types(I32, 2, 1), raw: func(_ *Caller, v []Raw) error {
			v[0].SetI32(f(v[0].I32(), v[1].I32()))
			return nil
		}}
	case func(int64):
		return &hostFunc{ty: types(I64, 1, 0), raw: func(_ *Caller, v []Raw) error { f(v[0].I64()); return nil }}
	case func(int64) int64:
		return &hostFunc{ty: types(I64, 1, 1), raw: func(_ *Caller, v []Raw) error { v[0].SetI64(f(v[0].I64())); return nil }}
	case func(int64, int64) int64:
		return &hostFunc{ty: types(I64, 2, 1), raw: func(_ *Caller, v []Raw) error {
			v[0].SetI64(f(v[0].I64(), v[1].I64()))
			return nil
		}}
	case func(float64) float64:
		return &hostFunc{ty: types(F64, 1, 1), raw: func(_ *Caller, v []Raw) error { v[0].SetF64(f(v[0].F64())); return nil }}
	case func(float64, float64) float64:
		return &hostFunc{ty: types(F64, 2, 1), raw: func(_ *Caller, v []Raw) error {
			v[0].SetF64(f(v[0].F64(), v[1].F64()))
			return nil
		}}
	case func(*Caller, int32) int32:
		return &hostFunc{ty: types(I32, 1, 1), needsCaller: true, raw: func(c *Caller, v []Raw) error {
			v[0].SetI32(f(c, v[0].I32()))
			return nil
		}}
	case func(*Caller, int32, int32):
		return &hostFunc{ty: types(I32, 2, 0), needsCaller: true, raw: func(c *Caller, v []Raw) error {
			f(c, v[0].I32(), v[1].I32())
			return nil
		}}
	case func(*Caller, int32, int32) error:
		return &hostFunc{ty: types(I32, 2, 0), needsCaller: true, raw: func(c *Caller, v []Raw) error {
			return f(c, v[0].I32(), v[1].I32())
		}}
	case func(*Caller, int32, int32) int32:
		return &hostFunc{ty: types(I32, 2, 1), needsCaller: true, raw: func(c *Caller, v []Raw) error {
			v[0].SetI32(f(c, v[0].I32(), v[1].I32()))
			return nil
		}}
	}
	return nil
}
